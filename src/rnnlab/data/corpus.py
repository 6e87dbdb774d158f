"""Where text comes from: named corpora, files, standard input."""

import hashlib
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from rnnlab.data.text_pieces import chunks, decoded
from rnnlab.errors import ChecksumError, CorpusError, UsageError, suggest
from rnnlab.files import is_special

DOWNLOAD_TIMEOUT_SECONDS = 4.0
"""Longest wait for a server's answer; an absent network must not stall the first command."""


CHUNK_BYTES = 1 << 20
"""Read at a time, so that what has no end is refused at its first NUL byte."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where a text came from."""

    name: str
    sha256: str
    """Of the bytes as read, before decoding."""
    origin: str
    """One phrase for people: where it was found, and why this one was taken."""


@dataclass(frozen=True, kw_only=True)
class Corpus(Source):
    """A text and where it came from."""

    text: str


@dataclass(frozen=True)
class NamedCorpus:
    """A text that rnnlab knows by name."""

    name: str
    title: str
    licence: str
    size_bytes: int
    sha256: str
    url: str

    def find(self, data_dir: str = "") -> Path | None:
        """Look in `data_dir`, then the folders of RNNLAB_DATA, then the user cache."""
        for folder in _folders(data_dir):
            file = folder / f"{self.name}.txt"
            if file.is_file():
                return file
        return None

    def download(self) -> Path:
        """Fetch into the user cache and check; raises CorpusError or ChecksumError."""
        import pooch
        import requests

        pooch.get_logger().setLevel("WARNING")
        try:
            return Path(
                pooch.retrieve(
                    self.url,
                    known_hash=None,
                    path=cache_folder(),
                    fname=f"{self.name}.txt",
                    downloader=pooch.HTTPDownloader(timeout=DOWNLOAD_TIMEOUT_SECONDS),
                    processor=self._check_download,
                )
            )
        except (requests.RequestException, OSError) as error:
            raise CorpusError(
                f"corpus {self.name!r} is not at hand and could not be downloaded from {self.url} "
                f"({type(error).__name__}); put {self.name}.txt into a folder and name the folder "
                "with --data-dir or RNNLAB_DATA"
            ) from None

    def _check_download(self, file: str, action: str, pooch: object) -> str:
        try:
            self.check(Path(file), Path(file).read_bytes())
        except ChecksumError:
            Path(file).unlink()
            raise
        return file

    def check(self, file: Path, content: bytes) -> None:
        """Raise ChecksumError unless `content` is the corpus that the name promises."""
        found = hashlib.sha256(content).hexdigest()
        if found != self.sha256:
            raise ChecksumError(
                f"corpus {self.name!r}: wrong checksum of {file}: SHA-256 is {found}, "
                f"must be {self.sha256}; delete the file to have it fetched again, or give its "
                "path as --corpus to use it as it is"
            )

    def load(self, data_dir: str, errors: str) -> Corpus:
        """Read from the first place that has it, downloading if none has."""
        found = self.find(data_dir)
        file = found or self.download()
        content = _read(file)
        self.check(file, content)
        origin = f"found at {file}" if found else f"downloaded from {self.url}"
        text = "".join(decoded([content], str(file), errors))
        return Corpus(name=self.name, text=text, sha256=self.sha256, origin=origin)


NAMED = {
    corpus.name: corpus
    for corpus in (
        NamedCorpus(
            name="timemachine",
            title="H. G. Wells, The Time Machine, as d2l distributes it",
            licence="public domain in the USA",
            size_bytes=178_979,
            sha256="8424dbd9532ac81f7e5f0b6add90e6952baea29158309d7d1bf3884f4e12c516",
            url="http://d2l-data.s3-accelerate.amazonaws.com/timemachine.txt",
        ),
        NamedCorpus(
            name="tinyshakespeare",
            title="40,000 lines of Shakespeare, as char-rnn distributes them",
            licence="public domain",
            size_bytes=1_115_394,
            sha256="86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
            url="https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",
        ),
    )
}

PYTHON_REFERENCE = "python-reference"
NAMES = (*NAMED, PYTHON_REFERENCE)


def python_reference() -> Corpus:
    """Return the help topics that ship inside every CPython: English, always there, no network."""
    from pydoc_data.topics import topics

    text = "\n".join(topics[name] for name in sorted(topics))
    version = ".".join(map(str, sys.version_info[:3]))
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    origin = f"the help topics of Python {version}"
    return Corpus(name=PYTHON_REFERENCE, text=text, sha256=sha256, origin=origin)


def load(names: Sequence[str], data_dir: str = "", errors: str = "strict") -> Corpus:
    """Read a corpus: `auto`, a named one, a text file, `-` (standard input), or several of these.

    Raises UsageError for a name that is neither known nor a file, CorpusError for a text that
    cannot be read, ChecksumError for a named corpus with another content.
    """
    if len(names) > 1:
        return _join([load([name], data_dir, errors) for name in names])
    (name,) = names
    if name == "auto":
        return _auto(data_dir, errors)
    if name == PYTHON_REFERENCE:
        return python_reference()
    if name in NAMED:
        return NAMED[name].load(data_dir, errors)
    return _load_file(name, errors)


def _auto(data_dir: str, errors: str) -> Corpus:
    wanted = NAMED["timemachine"]
    try:
        corpus = wanted.load(data_dir, errors)
    except CorpusError as error:
        if wanted.find(data_dir):  # a damaged file of one's own is to be mended, not passed over
            raise
        corpus = python_reference()
        why = str(error).split(";")[0].replace("corpus ", "", 1)
        return replace(corpus, origin=f"{corpus.origin}, because {why}")
    return replace(corpus, origin=f"auto: {corpus.origin}")


def _load_file(name: str, errors: str) -> Corpus:
    if name == "-":
        read, origin = iter(partial(sys.stdin.buffer.read, CHUNK_BYTES), b""), "standard input"
    else:
        if not name or not _exists(name):
            raise UsageError(
                f"corpus {name!r} is neither a named corpus nor a file{suggest(name, NAMES)} "
                f"(named: {', '.join(NAMES)}; or the path of a text file, or - for standard input)"
            )
        read, origin = chunks(Path(name), CHUNK_BYTES), f"file {name}"
    digest = hashlib.sha256()
    text = "".join(decoded(_passing(read, digest.update), origin, errors))
    return Corpus(name=name, text=text, sha256=digest.hexdigest(), origin=origin)


def _passing(read: Iterable[bytes], see: Callable[[bytes], None]) -> Iterator[bytes]:
    for chunk in read:
        see(chunk)
        yield chunk


def _join(parts: Sequence[Corpus]) -> Corpus:
    joined = joined_source(parts)
    return Corpus(text="".join(part.text for part in parts), **vars(joined))


def joined_source(parts: Sequence[Source]) -> Source:
    """Several texts, one after another, as the source of one; a single one as it is."""
    if len(parts) == 1:
        return parts[0]
    sums = "".join(part.sha256 for part in parts)
    return Source(
        name=" ".join(part.name for part in parts),
        sha256=hashlib.sha256(sums.encode()).hexdigest(),
        origin=f"{len(parts)} texts, one after another",
    )


def check_kept(names: Sequence[str]) -> None:
    """Raise CorpusError for a text that cannot be read a second time; /dev/zero never ends."""
    for name in names:
        if name == "-":
            raise CorpusError("it was read from standard input")
        if name not in NAMES and is_special(Path(name)):
            raise CorpusError(f"{name} is no regular file")


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


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise CorpusError(f"file {file}: cannot be read: {error.strerror}") from None


def _folders(data_dir: str) -> list[Path]:
    named = [data_dir, *os.environ.get("RNNLAB_DATA", "").split(os.pathsep)]
    return [*(Path(folder) for folder in named if folder), cache_folder()]


def cache_folder() -> Path:
    """Where what can be made or fetched again is kept for this user."""
    import pooch

    return Path(pooch.os_cache("rnnlab"))


@dataclass(frozen=True)
class CorpusEntry:
    """A named corpus, and where it is."""

    name: str
    title: str
    size_bytes: int
    licence: str
    sha256: str
    file: Path | None
    """Where it was found on this machine."""
    url: str
    """Where it is downloaded from; "": it comes with Python."""


def list_corpora(data_dir: str | Path = "") -> list[CorpusEntry]:
    """List the named corpora: where each was found, or where it is downloaded from.

    data_dir: folder searched first.
    """
    entries = [
        CorpusEntry(
            corpus.name, corpus.title, corpus.size_bytes, corpus.licence, corpus.sha256,
            corpus.find(str(data_dir)), corpus.url,
        )
        for corpus in NAMED.values()
    ]  # fmt: skip
    topics = python_reference()
    size, licence = len(topics.text.encode()), "PSF licence"
    entries.append(
        CorpusEntry(PYTHON_REFERENCE, topics.origin, size, licence, topics.sha256, None, "")
    )
    return entries
