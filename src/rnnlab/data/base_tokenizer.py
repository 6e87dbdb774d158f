"""The interface of all tokenizers.

A tokenizer is built from a training text and does not change afterwards. Ids are numpy int64 of
shape (N,). What is not in the vocabulary becomes `unknown_id` (char, word); byte and bpe can encode
any text.
"""

import math
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

from rnnlab.data.pieces import recut

Ids = npt.NDArray[np.int64]

UNKNOWN = "<unk>"
UNKNOWN_ID = 0

REPLACEMENT = "\ufffd"
"""The character that stands for what cannot be decoded."""


class Charges(NamedTuple):
    """What a code for a text pays in addition to the tokens that a model predicts."""

    first_nats: float
    """For the first token, which nothing predicts: ln V."""
    spelling_nats: float
    """For the spelling of all unknown tokens; see `rnnlab.data.spelling`."""
    unknown_tokens: int
    unknown_characters: int

    @property
    def nats(self) -> float:
        """All of it."""
        return self.first_nats + self.spelling_nats


class Tokenizer(ABC):
    """Turns text into ids and back."""

    kind: ClassVar[str]
    unknown_id: int | None = None
    normal_form: ClassVar[str] = ""
    """The text rule that is applied to every text before this tokenizer reads it."""

    @property
    @abstractmethod
    def size(self) -> int:
        """Number of different tokens, V; ids are 0 .. V-1."""

    def encode(self, text: str) -> Ids:
        """Return the ids of `text`: int64 (N,)."""
        return self.narrow_ids(text).astype(np.int64, copy=False)

    @abstractmethod
    def narrow_ids(self, text: str) -> npt.NDArray[Any]:
        """Return the ids of `text`, (N,), in the integer type that costs least."""

    @abstractmethod
    def decode(self, ids: Sequence[int] | Ids) -> str:
        """Return the text of `ids`; raise IndexError for an id outside 0 .. V-1."""

    @abstractmethod
    def to_json(self) -> dict[str, Any]:
        """Return what `tokenizer_from_json` needs."""

    @abstractmethod
    def ends(self, text: str) -> Ids:
        """Return for each token of `text` how many characters are complete after it, (N,)."""

    def unknown_parts(self, text: str) -> Counter[str]:
        """Count the tokens of `text` that are not in the vocabulary, in the order of the text."""
        return Counter()

    def spelling_nats(self, part: str) -> float:
        """Return the length of the code for a token that is not in the vocabulary."""
        raise KeyError(part)

    def charges(self, text: str) -> Charges:
        """Return what a code for a non-empty text pays besides the predicted tokens."""
        parts = self.unknown_parts(text)
        return Charges(
            first_nats=math.log(self.size),
            spelling_nats=sum(n * self.spelling_nats(part) for part, n in parts.items()),
            unknown_tokens=parts.total(),
            unknown_characters=sum(n * len(part) for part, n in parts.items()),
        )

    @classmethod
    def settled(cls, text: str) -> int:
        """Return how many leading characters have tokens that do not depend on what follows.

        All but a bounded number, however long the text is.
        """
        return len(text)

    def encode_pieces(self, pieces: Iterable[str]) -> Iterator[npt.NDArray[Any]]:
        """Yield the `narrow_ids` of a text in pieces; they do not depend on where it is cut.

        Converting the ids of characters to int64 would take as long as finding them.
        """
        return (self.narrow_ids(part) for part in recut(pieces, self.settled))

    def stream(self) -> Callable[[int], str]:
        """Return a function that takes the next id and returns the text that is now certain."""
        return lambda token: self.decode([token])

    @abstractmethod
    def spelled(self) -> list[str] | list[bytes]:
        """Return what each token adds to a text: characters, or bytes of UTF-8; nothing for what
        does not stand for a part of a text."""

    def start_ids(self) -> Ids:
        """Return the start of a text without a prefix: a line break, else a space, else token 1."""
        for text in ("\n", " "):
            ids = self.encode(text)
            if self.unknown_id is None or self.unknown_id not in ids:
                return ids
        return np.array([min(1, self.size - 1)])

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.size} tokens)"


def code_points(text: str) -> npt.NDArray[np.uint8] | npt.NDArray[np.uint32]:
    """Return the code point of every character, surrogates included."""
    if text.isascii():
        return np.frombuffer(text.encode(), np.uint8)
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)


def complete_characters(
    bytes_read: Ids, points: npt.NDArray[Any], escaped: range = range(0)
) -> Ids:
    """Return how many characters are complete after so many bytes of UTF-8.

    points: the code points of the text. escaped: those that stand for one byte; all other
    surrogates become U+FFFD.
    """
    lengths = 1 + (points >= 0x80) + (points >= 0x800) + (points >= 0x10000)
    lengths[(points >= escaped.start) & (points < escaped.stop)] = 1
    return np.searchsorted(np.cumsum(lengths), bytes_read, side="right")


def smallest_type(vocabulary_size: int) -> np.dtype[Any]:
    """Return the smallest integer type that ids of such a vocabulary are stored in."""
    types = (np.uint8, np.uint16, np.int32)
    return np.dtype(next(t for t in types if vocabulary_size - 1 <= np.iinfo(t).max))


def checked(ids: Sequence[int] | Ids, size: int) -> list[int]:
    """Return ids as a list; raise IndexError for an id outside 0 .. size-1."""
    numbers = np.asarray(ids, np.int64)
    if numbers.size and not (numbers.min() >= 0 and numbers.max() < size):
        raise IndexError(f"token id outside 0 .. {size - 1}")
    return list(numbers.tolist())
