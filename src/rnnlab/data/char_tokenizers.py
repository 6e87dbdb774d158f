"""What a tokenizer is, and the two whose tokens are symbols: characters, bytes.

A tokenizer is built from a training text and never changes after. Ids are numpy int64, shape (N,).
What the vocabulary lacks becomes `unknown_id` (char, word); byte and bpe lack nothing.
"""

import codecs
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from rnnlab.data.text_pieces import as_pieces, complete

Ids = npt.NDArray[np.int64]

UNKNOWN = "<unk>"
UNKNOWN_ID = 0

REPLACEMENT = "\ufffd"
NO_BYTES = re.compile("[\ud800-\udc7f\udd00-\udfff]")
"""Surrogates that stand for no undecodable byte (PEP 383)."""


class Tokenizer(ABC):
    """What all tokenizers offer."""

    kind: ClassVar[str]
    unknown_id: int | None = None

    @property
    @abstractmethod
    def size(self) -> int:
        """Number of different tokens, V; ids are 0 .. V-1."""

    def encode(self, text: str) -> Ids:
        """Return the ids of `text`."""
        return self.narrow_ids(text).astype(np.int64, copy=False)

    @abstractmethod
    def narrow_ids(self, text: str) -> npt.NDArray[Any]:
        """The ids of `text`, of whichever integer type they are found in."""

    @abstractmethod
    def decode(self, ids: Sequence[int] | Ids) -> str:
        """Return the text of `ids`; raises IndexError for an id outside 0 .. V-1."""

    @abstractmethod
    def to_json(self) -> dict[str, Any]:
        """All that `tokenizer_from_json` needs."""

    @abstractmethod
    def first_length(self, text: str) -> int:
        """Number of characters that the first token of a non-empty `text` stands for."""

    @abstractmethod
    def unknown_parts(self, text: str) -> list[str]:
        """The different pieces of `text` that the vocabulary lacks, in order of appearance."""

    @classmethod
    def settled(cls, text: str) -> int:
        """Number of leading characters of `text` whose tokens stay, whatever text may follow.

        Of a text however long all but a bounded number.
        """
        return len(text)

    def encode_pieces(self, pieces: Iterable[str]) -> Iterator[npt.NDArray[Any]]:
        """Return the `narrow_ids` of a text that comes in pieces, wherever it is cut.

        To widen those of characters takes as long as to find them.
        """
        return (self.narrow_ids(part) for part in complete(pieces, self.settled))

    def stream(self) -> Callable[[int], str]:
        """Return a function from the next id to the text that is certain by then."""
        return lambda token: self.decode([token])

    def start_ids(self) -> Ids:
        """What a model reads where there is no prefix: a line break, else a space, else token 1."""
        for text in ("\n", " "):
            ids = self.encode(text)
            if self.unknown_id is None or self.unknown_id not in ids:
                return ids
        return np.array([min(1, self.size - 1)])

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.size} tokens)"


class CharTokenizer(Tokenizer):
    """One token a Unicode code point; id 0 is <unk>."""

    kind = "char"
    unknown_id = UNKNOWN_ID

    def __init__(self, characters: str) -> None:
        self.characters = characters
        points = _code_points(characters)
        table = np.zeros(int(points.max(initial=255)) + 2, smallest_type(len(points) + 1))
        table[points] = np.arange(1, len(points) + 1)
        self._table = table  # of each code point its id; the last: all beyond
        # bytes.translate is several times faster than a table of numbers; for ASCII text.
        self._bytes = bytes(self._table[:256].tolist()) if len(points) < 256 else None

    @classmethod
    def train(cls, text: Iterable[str]) -> "CharTokenizer":
        """Take every character, the most frequent first, ties by code point.

        text: whole or in pieces.
        """
        totals = np.zeros(256, np.int64)  # of each code point so far
        for piece in as_pieces(text):
            counts = np.bincount(_code_points(piece), minlength=256)
            if len(counts) > len(totals):
                counts, totals = totals, counts
            totals[: len(counts)] += counts
        points = np.flatnonzero(totals)
        order = np.lexsort((points, -totals[points]))
        return cls("".join(map(chr, points[order])))

    @property
    def size(self) -> int:
        """Characters, and <unk>."""
        return len(self.characters) + 1

    def narrow_ids(self, text: str) -> npt.NDArray[Any]:
        """One id a code point."""
        if self._bytes and text.isascii():
            return np.frombuffer(text.encode().translate(self._bytes), np.uint8)
        return self._table.take(_code_points(text), mode="clip")

    def decode(self, ids: Sequence[int] | Ids) -> str:
        """<unk> is written out."""
        return "".join(self.characters[i - 1] if i else UNKNOWN for i in checked(ids, self.size))

    def to_json(self) -> dict[str, Any]:
        """The characters, in the order of their ids."""
        return {"type": self.kind, "characters": self.characters}

    def first_length(self, text: str) -> int:
        """One."""
        return 1

    def unknown_parts(self, text: str) -> list[str]:
        """Characters outside the vocabulary."""
        return list(dict.fromkeys(c for c in text if c not in self.characters))


class ByteTokenizer(Tokenizer):
    """One token a byte of UTF-8; V = 256, nothing is unknown."""

    kind = "byte"

    @property
    def size(self) -> int:
        """Always 256."""
        return 256

    def narrow_ids(self, text: str) -> npt.NDArray[np.uint8]:
        """One id a byte; a lone surrogate is the byte it stands for, or read as U+FFFD."""
        try:
            content = text.encode()
        except UnicodeEncodeError:
            content = NO_BYTES.sub(REPLACEMENT, text).encode("utf-8", "surrogateescape")
        return np.frombuffer(content, np.uint8)

    def decode(self, ids: Sequence[int] | Ids) -> str:
        """Bytes that are no UTF-8 become U+FFFD."""
        return bytes(checked(ids, 256)).decode("utf-8", "replace")

    def stream(self) -> Callable[[int], str]:
        """Hold bytes back until their character is complete."""
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        return lambda token: decoder.decode(bytes([token]))

    def to_json(self) -> dict[str, Any]:
        """Nothing but the type."""
        return {"type": self.kind}

    def first_length(self, text: str) -> int:
        """One: the first byte gives its character away or opens it."""
        return 1

    def unknown_parts(self, text: str) -> list[str]:
        """None, ever."""
        return []


def _code_points(text: str) -> npt.NDArray[np.uint8] | npt.NDArray[np.uint32]:
    if text.isascii():
        return np.frombuffer(text.encode(), np.uint8)
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)


def smallest_type(vocabulary_size: int) -> np.dtype[Any]:
    """The smallest type of those that ids are kept in which holds so many different ones."""
    types = (np.uint8, np.uint16, np.int32)
    return np.dtype(next(t for t in types if vocabulary_size - 1 <= np.iinfo(t).max))


def checked(ids: Sequence[int] | Ids, size: int) -> list[int]:
    """Return ids as a list; raises IndexError for one outside 0 .. size-1."""
    numbers = np.asarray(ids, np.int64)
    if numbers.size and not (numbers.min() >= 0 and numbers.max() < size):
        raise IndexError(f"token id outside 0 .. {size - 1}")
    return list(numbers.tolist())
