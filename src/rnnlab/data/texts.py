"""A single text and where it came from: held in memory, or a file that is read in pieces."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from rnnlab.data.decoding import chunks, decoded
from rnnlab.data.encodings import detected, with_encoding
from rnnlab.errors import CorpusError

CHECKSUM_BYTES = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where a text came from."""

    name: str
    sha256: str
    """Of the bytes as read, unpacked and before decoding."""
    origin: str
    """One phrase for people: where the text was found, and why this one was taken."""


@dataclass(frozen=True, kw_only=True)
class TextInMemory(Source):
    """A text that is held in memory."""

    text: str

    @classmethod
    def read(
        cls,
        name: str,
        content: Iterable[bytes],
        origin: str,
        errors: str,
        encoding: str = "utf-8",
    ) -> "TextInMemory":
        """Decode bytes; raise CorpusError, as soon as it is known, if they are not text."""
        digest = hashlib.sha256()
        asked = encoding
        encoding, content = detected(content, encoding, origin)

        def passing() -> Iterator[bytes]:
            for chunk in content:
                digest.update(chunk)
                yield chunk

        text = "".join(decoded(passing(), origin, errors, encoding))
        origin = with_encoding(origin, encoding, asked)
        return cls(name=name, sha256=digest.hexdigest(), origin=origin, text=text)


@dataclass(frozen=True, kw_only=True)
class TextFile(Source):
    """A file that is read in pieces, again each time."""

    file: Path
    errors: str
    encoding: str
    chunk_bytes: int
    stamp: tuple[int, int]
    """Size and time of change before the checksum was computed."""

    @classmethod
    def open(cls, name: str, errors: str, chunk_bytes: int, encoding: str = "utf-8") -> "TextFile":
        """Compute the checksum of a file; raise CorpusError if it cannot be read."""
        file, digest = Path(name), hashlib.sha256()
        try:
            stamp = _stamp(file)
        except OSError as error:
            raise CorpusError(f"file {file}: cannot be read: {error.strerror}") from None
        found, content = detected(chunks(file, CHECKSUM_BYTES), encoding, f"file {name}")
        for chunk in content:
            digest.update(chunk)
        return cls(
            name=name, sha256=digest.hexdigest(),
            origin=with_encoding(f"file {name}", found, encoding), file=file, errors=errors,
            encoding=found, chunk_bytes=chunk_bytes, stamp=stamp,
        )  # fmt: skip

    def pieces(self, passed: Callable[[int], None] | None = None) -> Iterator[str]:
        """Read the file; raise CorpusError if it is not text or has changed since it was opened.

        passed: called with the size of each chunk in bytes.
        """
        content = chunks(self.file, self.chunk_bytes, passed)
        yield from decoded(content, self.origin, self.errors, self.encoding)
        self.check_unchanged()

    def check_unchanged(self) -> None:
        """Raise CorpusError if the file has changed since it was opened."""
        try:
            changed = _stamp(self.file) != self.stamp
        except OSError:
            changed = True
        if changed:
            raise CorpusError(f"{self.origin} has changed while it was read; run the command again")


def _stamp(file: Path) -> tuple[int, int]:
    status = file.stat()
    return status.st_size, status.st_mtime_ns
