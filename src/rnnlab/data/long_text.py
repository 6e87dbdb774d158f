"""Texts too long for memory: files that are read piece by piece, anew each time."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from rnnlab.data import corpus as corpora
from rnnlab.data.corpus import Corpus, Source
from rnnlab.data.text_pieces import chunks, decoded
from rnnlab.errors import CorpusError


@dataclass(frozen=True, kw_only=True)
class TextFile(Source):
    """A file that is read in pieces."""

    file: Path
    stamp: tuple[int, int]
    """Its size and time of change before its checksum was taken."""

    @classmethod
    def open(cls, name: str) -> "TextFile":
        """Take the checksum of a file; raises CorpusError where it cannot be read."""
        file = Path(name)
        try:
            stamp = _stamp(file)
            with file.open("rb") as stream:
                sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
        except OSError as error:
            raise CorpusError(f"file {file}: cannot be read: {error.strerror}") from None
        return cls(name=name, sha256=sha256, origin=f"file {name}", file=file, stamp=stamp)

    def pieces(
        self, errors: str, size: int, passed: Callable[[int], None] | None = None
    ) -> Iterator[str]:
        """Read it; raises CorpusError where it is no text, or not the one that was opened.

        passed: told the size of each chunk, in bytes.
        """
        yield from decoded(chunks(self.file, size, passed), self.origin, errors)
        self.check_unchanged()

    def check_unchanged(self) -> None:
        """Raise CorpusError where the file is no longer the one that was opened."""
        try:
            changed = _stamp(self.file) != self.stamp
        except OSError:
            changed = True
        if changed:
            raise CorpusError(f"{self.origin} has changed while it was read; run the command again")


@dataclass(frozen=True)
class LongText:
    """One or several texts, one after another."""

    source: Source
    parts: tuple[Corpus | TextFile, ...]
    errors: str
    chunk_bytes: int

    def pieces(self, watch: Callable[[float], None] | None = None) -> Iterator[str]:
        """Read all of it, from the beginning; `watch` is told what share of the bytes is read."""
        read, size = 0, sum(part.stamp[0] for part in self.parts if isinstance(part, TextFile))

        def passed(chunk: int) -> None:
            nonlocal read
            read += chunk
            if watch:
                watch(read / size)

        return chain.from_iterable(
            [part.text]
            if isinstance(part, Corpus)
            else part.pieces(self.errors, self.chunk_bytes, passed)
            for part in self.parts
        )

    def check_unchanged(self) -> None:
        """Raise CorpusError where a file is no longer the one that was opened."""
        for part in self.parts:
            if isinstance(part, TextFile):
                part.check_unchanged()


def file_bytes(names: Sequence[str]) -> int:
    """The size of those among the corpora that are files given by their path."""
    return sum(Path(name).stat().st_size for name in names if corpora.is_text_file(name))


def open_long_text(names: Sequence[str], data_dir: str, errors: str, chunk_bytes: int) -> LongText:
    """Find the texts and take their checksums, which reads each once; raises as `corpus.load`."""
    parts = tuple(
        TextFile.open(name)
        if corpora.is_text_file(name)
        else corpora.load([name], data_dir, errors)
        for name in names
    )
    return LongText(corpora.joined_source(parts), parts, errors, chunk_bytes)


def _stamp(file: Path) -> tuple[int, int]:
    status = file.stat()
    return status.st_size, status.st_mtime_ns
