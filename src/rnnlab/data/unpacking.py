"""Packed files are unpacked while they are read: gzip, xz, bzip2, zstandard, zip of one file."""

import bz2
import gzip
import lzma
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Protocol

import zstandard

from rnnlab.errors import CorpusError

MAX_RATIO, ALWAYS_ALLOWED = 500, 2**28
"""A file that unpacks to more than this many times its size, and to more than this many bytes, is
refused: text seldom packs so well, but a file that was made to fill a disk does."""

CHUNK_BYTES = 1 << 20

ZSTANDARD_WINDOW, ZSTANDARD_BYTES = 2**27, 2**12
"""The largest window that is allowed, and how much is unpacked at once; both bound memory."""


class Readable(Protocol):
    """What is read piece by piece."""

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes; b"" at the end."""


def _zip(stream: BinaryIO) -> Readable:
    archive = zipfile.ZipFile(stream)
    (file,) = [entry for entry in archive.infolist() if not entry.is_dir()]
    return archive.open(file)


class _Zstandard:
    """zstandard frames; the library's own reader takes a file that is cut off for a whole one."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._begin()
        self._left = b""
        self._has_begun = False

    def _begin(self) -> None:
        self._frame = zstandard.ZstdDecompressor(max_window_size=ZSTANDARD_WINDOW).decompressobj()

    def read(self, size: int) -> bytes:
        """Return up to `size` bytes; b"" at the end. Raises EOFError if a frame is cut off."""
        while not self._left:
            packed = self._frame.unused_data if self._frame.eof else b""
            if self._frame.eof:
                self._begin()
                self._has_begun = False
            packed = packed or self._stream.read(ZSTANDARD_BYTES)
            if not packed:
                if self._has_begun:
                    raise EOFError
                return b""
            self._has_begun = True
            self._left = self._frame.decompress(packed)
        found, self._left = self._left[:size], self._left[size:]
        return found


OPENERS: dict[bytes, tuple[str, Callable[[BinaryIO], Readable]]] = {
    b"\x1f\x8b": ("gzip", lambda stream: gzip.GzipFile(fileobj=stream)),
    b"BZh": ("bzip2", bz2.BZ2File),
    b"\xfd7zXZ\0": ("xz", lzma.LZMAFile),
    b"\x28\xb5\x2f\xfd": ("zstandard", _Zstandard),
    b"PK\x03\x04": ("zip", _zip),
}  # fmt: skip
"""By the first bytes of a file."""

HEAD_BYTES = max(map(len, OPENERS))

DAMAGED = (
    EOFError, gzip.BadGzipFile, lzma.LZMAError, zlib.error, zipfile.BadZipFile,
    zstandard.ZstdError, NotImplementedError,
)  # fmt: skip


class Unpacked:
    """The content of a file that may be packed; a plain one is read as it is."""

    def __init__(self, stream: BinaryIO, name: str) -> None:
        """Stream: the file, at its beginning. name: names it in errors."""
        self._stream: Readable = stream
        self._packed, self._name, self.kind = stream, name, ""
        self._read = 0
        if not stream.seekable():
            return
        head = stream.read(HEAD_BYTES)
        stream.seek(0)
        for mark, (kind, opened) in OPENERS.items():
            if head.startswith(mark):
                try:
                    self._stream = opened(stream)
                    self.kind = kind
                except ValueError:  # a zip of several files, such as a .docx: told as what it is
                    stream.seek(0)
                except DAMAGED as error:
                    raise self._damaged(kind, error) from None
        self._size = stream.seek(0, 2) if self.kind else 0
        stream.seek(0)

    def read(self, size: int) -> bytes:
        """Return up to `size` bytes; b"" at the end.

        Raises CorpusError if the file is damaged, or unpacks to far more than text does.
        """
        try:
            chunk = self._stream.read(size)
        except DAMAGED as error:
            raise self._damaged(self.kind, error) from None
        except OSError as error:  # such as bzip2's
            if error.errno is None:
                raise self._damaged(self.kind, error) from None
            raise
        except RuntimeError as error:  # a zip with a password
            raise CorpusError(f"{self._name} cannot be unpacked: {error}") from None
        self._read += len(chunk)
        if self.kind and self._read > max(ALWAYS_ALLOWED, MAX_RATIO * self._size):
            raise CorpusError(
                f"{self._name} unpacks to more than {MAX_RATIO} times its size; if that is right, "
                "unpack it first"
            )
        return chunk

    @property
    def position(self) -> int:
        """How many bytes of the file have been read."""
        return self._packed.tell() if self.kind else self._read

    def _damaged(self, kind: str, error: Exception) -> CorpusError:
        if isinstance(error, EOFError):
            return CorpusError(f"{self._name} is cut off: its {kind} data end too early")
        return CorpusError(f"{self._name} is damaged {kind} data: {error}")


def unpacked_size(file: Path, most: int) -> int:
    """Return how many bytes a file has when it is unpacked, or a number above `most`.

    Raises CorpusError if it is damaged.
    """
    with file.open("rb", buffering=0) as stream:
        content, size = Unpacked(stream, f"file {file}"), 0
        if not content.kind:
            return file.stat().st_size
        while size <= most and (chunk := content.read(CHUNK_BYTES)):
            size += len(chunk)
    return size
