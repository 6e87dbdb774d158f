"""A corpus: named texts, files, folders and standard input, one after another, read in pieces.

Each of several texts is a document of its own. One that ends without a line break gets one, if
another follows.
"""

import hashlib
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path

from rnnlab.config import DataSettings
from rnnlab.data.decoding import chunks
from rnnlab.data.folders import files_in, is_folder
from rnnlab.data.named_corpora import NAMED, NAMES, PYTHON_REFERENCE, load_default, python_reference
from rnnlab.data.streaming_limits import STREAMING_LIMITS, StreamingLimits
from rnnlab.data.texts import Source, TextFile, TextInMemory
from rnnlab.data.unpacking import unpacked_size
from rnnlab.errors import CorpusError, UsageError, suggest
from rnnlab.files import check_not_special

CHUNK_BYTES = 1 << 20
"""How much is read at a time into memory; input without end is refused at its first NUL byte."""


@dataclass(frozen=True)
class Corpus:
    """One or several texts, one after another."""

    source: Source
    parts: tuple[TextInMemory | TextFile, ...]

    @property
    def is_long(self) -> bool:
        """Whether the files are too large for memory, so that each use reads them again."""
        return any(isinstance(part, TextFile) for part in self.parts)

    def documents(self, watch: Callable[[float], None] | None = None) -> Iterator[Iterator[str]]:
        """Read all of it from the beginning: the pieces of one text after another.

        watch: called with the share of bytes read.
        """
        read, size = 0, sum(part.stamp[0] for part in self.parts if isinstance(part, TextFile))

        def passed(chunk: int) -> None:
            nonlocal read
            read += chunk
            if watch:
                watch(read / size)

        for number, part in enumerate(self.parts, start=1):
            pieces = [part.text] if isinstance(part, TextInMemory) else part.pieces(passed)
            yield _ended(pieces) if number < len(self.parts) else iter(pieces)

    def pieces(self, watch: Callable[[float], None] | None = None) -> Iterator[str]:
        """Read all of it from the beginning, see `documents`."""
        return chain.from_iterable(self.documents(watch))

    def check_unchanged(self) -> None:
        """Raise CorpusError if a file has changed since it was opened."""
        for part in self.parts:
            if isinstance(part, TextFile):
                part.check_unchanged()


def open_corpus(
    names: Sequence[str],
    data_dir: str = "",
    errors: str = "strict",
    limits: StreamingLimits = STREAMING_LIMITS,
    encoding: str = "utf-8",
) -> Corpus:
    """Open a corpus: `auto`, a named one, a text file, a folder of these, `-` (standard input), or
    several of them.

    If the files are large together (`limits.from_bytes`), they are only read for their
    checksums here, and decoded when the pieces are read. Everything else is read into memory.

    Raises UsageError for a name that is neither known nor a file, CorpusError for a text or folder
    that cannot be read, ChecksumError for a named corpus with another content.
    """
    return _opened({"": names}, data_dir, errors, limits, encoding)[""]


@dataclass(frozen=True)
class Corpora:
    """A corpus that is divided among splits, and others that are splits as they are."""

    divided: Corpus
    own: dict[str, Corpus]
    """By split."""

    @property
    def source(self) -> Source:
        """Where all of it came from."""
        source = self.divided.source
        if not self.own:
            return source
        sums = [source.sha256, *(f"{name} {own.source.sha256}" for name, own in self.own.items())]
        places = [
            source.origin,
            *(f"{name}: {own.source.origin}" for name, own in self.own.items()),
        ]
        return Source(name=source.name, sha256=_sum_of(sums), origin="; ".join(places))

    @property
    def is_long(self) -> bool:
        """Whether some files are too large for memory."""
        return any(corpus.is_long for corpus in (self.divided, *self.own.values()))


def open_corpora(settings: DataSettings, limits: StreamingLimits = STREAMING_LIMITS) -> Corpora:
    """Open the corpus that settings name, and the held-out texts; see `open_corpus`."""
    own = _opened(
        {"": settings.corpus, **settings.held_out_names}, settings.data_dir, settings.errors,
        limits, settings.encoding,
    )  # fmt: skip
    return Corpora(own.pop(""), own)


def _opened(
    named: Mapping[str, Sequence[str]],
    data_dir: str,
    errors: str,
    limits: StreamingLimits,
    encoding: str,
) -> dict[str, Corpus]:
    files = {
        key: [*chain.from_iterable(_files(name, errors, encoding) for name in names)]
        for key, names in named.items()
    }
    size = 0
    for name in filter(is_text_file, chain.from_iterable(files.values())):
        if size < limits.from_bytes:
            size += unpacked_size(Path(name), limits.from_bytes)
    found = {}
    for key, names in files.items():
        parts = tuple(
            TextFile.open(name, errors, limits.chunk_bytes, encoding)
            if size >= limits.from_bytes and is_text_file(name)
            else _load(name, data_dir, errors, encoding)
            for name in names
        )
        found[key] = Corpus(_joined_source(named[key], parts), parts)
    return found


def _files(name: str, errors: str, encoding: str) -> list[str]:
    """Return the files of a folder, or the name itself."""
    return [*map(str, files_in(Path(name), errors, encoding))] if is_folder(name) else [name]


def _ended(pieces: Iterable[str]) -> Iterator[str]:
    """Yield the pieces of a text, and a line break if it does not end in one."""
    last = ""
    for piece in pieces:
        last = piece[-1:] or last
        yield piece
    if last != "\n":
        yield "\n"


def _load(name: str, data_dir: str, errors: str, encoding: str) -> TextInMemory:
    if name == "auto":
        return load_default(data_dir, errors)
    if name == PYTHON_REFERENCE:
        return python_reference()
    if name in NAMED:
        return NAMED[name].load(data_dir, errors)
    if name == "-":
        content = iter(partial(sys.stdin.buffer.read, CHUNK_BYTES), b"")
        return TextInMemory.read(name, content, "standard input", errors, encoding)
    if not name or not _exists(name):
        raise UsageError(
            f"corpus {name!r} is neither a named corpus nor a file{suggest(name, NAMES)} "
            f"(named: {', '.join(NAMES)}; or the path of a text file or folder, or - for standard "
            "input)"
        )
    content = chunks(Path(name), CHUNK_BYTES)
    return TextInMemory.read(name, content, f"file {name}", errors, encoding)


def _joined_source(names: Sequence[str], parts: Sequence[Source]) -> Source:
    """Return several texts, one after another, as one source; names: as they were given."""
    if len(parts) == 1:
        (part,) = parts
        return Source(name=part.name, sha256=part.sha256, origin=part.origin)
    has_folder = any(map(is_folder, names))
    where = f"folder {names[0]}: " if has_folder and len(names) == 1 else ""
    return Source(
        name=" ".join(names if has_folder else (part.name for part in parts)),
        sha256=_sum_of([part.sha256 for part in parts]),
        origin=f"{where}{len(parts):,} texts, one after another",
    )


def _sum_of(sums: Sequence[str]) -> str:
    # not joined by "": texts were once joined without breaks
    return hashlib.sha256("\n".join(sums).encode()).hexdigest()


def check_readable_again(names: Sequence[str]) -> None:
    """Raise CorpusError for standard input, a pipe or a device, which can be read only once."""
    for name in names:
        if name == "-":
            raise CorpusError("it was read from standard input")
        if name not in NAMES:
            check_not_special(Path(name), CorpusError)


def is_text_file(name: str) -> bool:
    """Whether a corpus of this name is a regular file, which can be read again and again."""
    try:
        return name not in ("auto", "-", *NAMES) and Path(name).is_file()
    except OSError:  # a name longer than the system allows
        return False


def _exists(name: str) -> bool:
    try:
        return Path(name).exists()
    except OSError:  # a name longer than the system allows
        return False


def is_file_or_folder(name: str) -> bool:
    """Whether a corpus of this name is read from a path."""
    return is_text_file(name) or is_folder(name)


def with_absolute_paths(names: Sequence[str]) -> tuple[str, ...]:
    """Return names of texts, those of files and folders as absolute paths."""
    return tuple(str(Path(name).resolve()) if is_file_or_folder(name) else name for name in names)


def has_several_texts(names: Sequence[str]) -> bool:
    """Whether a corpus may consist of several texts: it has several names, or a folder."""
    return len(names) > 1 or any(map(is_folder, names))
