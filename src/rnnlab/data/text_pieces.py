"""A text in pieces: read, decoded, regrouped, cut, and never held whole.

Each function gives the same text wherever its input is cut: the pieces that come out, joined, are
what it makes of the whole text as one piece.
"""

import codecs
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path

from rnnlab.errors import CorpusError

BYTE_ORDER_MARK = "\ufeff"

UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
"""What such a text begins with, and no text in UTF-8."""


def chunks(file: Path, size: int, passed: Callable[[int], None] | None = None) -> Iterator[bytes]:
    """Read a file, `size` bytes at a time; raises CorpusError where it cannot be read.

    passed: told the size of each chunk once it has been dealt with.
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
    """Decode UTF-8, and drop the byte order mark that it may begin with.

    Raises CorpusError at the end where there was no text; and with errors "strict" for a NUL byte,
    or if there is none from start to end, for the first bytes that are no UTF-8.
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
                f"{origin} is no UTF-8 text: byte 0x{error.object[error.start]:02x} at offset "
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
            f"{origin} is no text: NUL byte at offset {offset + nul}; "
            "use --errors replace to read it anyway"
        )


def _refuse_utf_16(head: bytes, origin: str) -> None:
    """Name the encoding of what has turned out to be no UTF-8, where its first bytes tell."""
    if head in UTF_16:
        raise CorpusError(
            f"{origin} is no UTF-8 text but UTF-16, by its first two bytes; convert it: "
            "iconv -f UTF-16 -t UTF-8 OLD > NEW"
        )


def as_pieces(text: Iterable[str]) -> Iterable[str]:
    """A text that is given as a whole, or in pieces, in pieces."""
    return [text] if isinstance(text, str) else text


def complete(pieces: Iterable[str], settled: Callable[[str], int]) -> Iterator[str]:
    """Cut elsewhere: each piece ends where `settled` says, the last one where the text ends.

    settled: of a text that goes on, how many of its characters nothing that follows concerns.
    """
    rest = ""
    for piece in pieces:
        text = rest + piece
        end = settled(text) if text else 0
        if end:
            yield text[:end]
        rest = text[end:]
    if rest:
        yield rest


class Reel:
    """Pieces that are taken from the front, so many characters at a time."""

    def __init__(self, pieces: Iterable[str]) -> None:
        self._pieces = iter(pieces)
        self._rest = ""

    def take(self, characters: int) -> Iterator[str]:
        """Yield the next so many characters, fewer where the text ends."""
        while characters:
            piece = self._rest or next(self._pieces, None)
            if piece is None:
                return
            kept, self._rest = piece[:characters], piece[characters:]
            characters -= len(kept)
            yield kept
