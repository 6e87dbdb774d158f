"""Bytes become pieces of text: files are read and decoded without being held in memory.

The text does not depend on where the bytes are cut.
"""

import codecs
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path

from rnnlab.errors import CorpusError

BYTE_ORDER_MARK = "\ufeff"

UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
"""The first bytes of UTF-16 text; valid UTF-8 cannot begin like this."""


def chunks(file: Path, size: int, passed: Callable[[int], None] | None = None) -> Iterator[bytes]:
    """Read a file, `size` bytes at a time; raise CorpusError if it cannot be read.

    passed: called with the size of each chunk after the chunk has been used.
    """
    try:
        with file.open("rb", buffering=0) as stream:
            while chunk := stream.read(size):
                yield chunk
                if passed:
                    passed(len(chunk))
    except OSError as error:
        raise CorpusError(f"file {file}: cannot be read: {error.strerror}") from None


def decoded(content: Iterable[bytes], origin: str, errors: str) -> Iterator[str]:
    """Decode UTF-8 and drop a byte order mark at the start.

    Raises CorpusError if there is no text at all. With errors "strict", also raises it for a NUL
    byte anywhere, or else for the first bytes that are not UTF-8. origin: names the text in errors.
    """
    decoder = codecs.getincrementaldecoder("utf-8")(errors)
    read, begun, empty = 0, False, True
    head = b""
    steps = chain(((chunk, False) for chunk in content), [(b"", True)])
    for chunk, is_end in steps:
        head += chunk[: 2 - len(head)]
        if errors == "strict":
            _refuse_nul(chunk, read, origin, head)
        start = read - len(decoder.getstate()[0])  # the last chunk may have ended in a character
        read += len(chunk)
        try:
            text = decoder.decode(chunk, is_end)
        except UnicodeDecodeError as error:
            for rest, _ in steps:
                head += rest[: 2 - len(head)]
                _refuse_nul(rest, read, origin, head)
                read += len(rest)
            _refuse_utf_16(head, origin)
            raise CorpusError(
                f"{origin} is not UTF-8 text: byte 0x{error.object[error.start]:02x} at offset "
                f"{start + error.start}; convert it, or use --errors replace"
            ) from None
        if text and not begun:
            begun, text = True, text.removeprefix(BYTE_ORDER_MARK)
        if text:
            empty = False
            yield text
    if empty:
        raise CorpusError(f"{origin} is empty; a corpus needs text")


def _refuse_nul(chunk: bytes, offset: int, origin: str, head: bytes) -> None:
    if (nul := chunk.find(b"\0")) >= 0:
        _refuse_utf_16(head, origin)
        raise CorpusError(
            f"{origin} is not text: NUL byte at offset {offset + nul}; "
            "use --errors replace to read it anyway"
        )


def _refuse_utf_16(head: bytes, origin: str) -> None:
    """Raise CorpusError with a better message if bytes that are not UTF-8 begin like UTF-16."""
    if head in UTF_16:
        raise CorpusError(
            f"{origin} is UTF-16 text, not UTF-8 (it begins with a byte order mark); convert it: "
            "iconv -f UTF-16 -t UTF-8 OLD > NEW"
        )
