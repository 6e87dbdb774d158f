"""A text in pieces: cut elsewhere, taken from the front, remembered in part.

Joined, the pieces that come out do not depend on where the text was cut before.
"""

import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator


def as_pieces(text: Iterable[str]) -> Iterable[str]:
    """Return the pieces of a text that may also be given as a single string."""
    return [text] if isinstance(text, str) else text


def recut(pieces: Iterable[str], settled: Callable[[str], int]) -> Iterator[str]:
    """Cut a text elsewhere: each piece ends where `settled` says, the last at the end of the text.

    settled: how many leading characters of a text do not depend on the text that follows.
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


class PieceReader:
    """Reads a text in pieces from the front, a given number of characters at a time."""

    def __init__(self, pieces: Iterable[str]) -> None:
        self._pieces = iter(pieces)
        self._rest = ""

    def take(self, characters: int) -> Iterator[str]:
        """Yield the next pieces, with so many characters in total, or fewer if the text ends."""
        while characters:
            piece = self._rest or next(self._pieces, None)
            if piece is None:
                return
            kept, self._rest = piece[:characters], piece[characters:]
            characters -= len(kept)
            yield kept


class BeginningAndEnd:
    """Remembers the first and the last characters of a text whose pieces pass by."""

    def __init__(self, first: int = sys.maxsize, last: int = 0) -> None:
        self._first: list[str] = []
        self._last: deque[str] = deque()
        self._missing = first
        self._last_wanted = last
        self._last_kept = 0

    def passing(self, pieces: Iterable[str]) -> Iterator[str]:
        """Yield all pieces unchanged."""
        for piece in pieces:
            if self._missing:
                self._first.append(piece[: self._missing])
                self._missing -= len(self._first[-1])
            self._last.append(piece)
            self._last_kept += len(piece)
            while self._last and self._last_kept - len(self._last[0]) >= self._last_wanted:
                self._last_kept -= len(self._last.popleft())
            yield piece

    def beginning(self) -> str:
        """The first characters that have passed."""
        return "".join(self._first)

    def end(self) -> str:
        """The last characters that have passed."""
        end = "".join(self._last)
        return end[max(0, len(end) - self._last_wanted) :]
