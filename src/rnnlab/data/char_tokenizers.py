"""The two tokenizers whose tokens are single symbols: characters and bytes."""

import codecs
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from rnnlab.data.base_tokenizer import (
    REPLACEMENT,
    UNKNOWN,
    UNKNOWN_ID,
    Ids,
    Tokenizer,
    checked,
    code_points,
    complete_characters,
    smallest_type,
)
from rnnlab.data.pieces import as_pieces
from rnnlab.data.spelling import CharacterSpelling

NO_BYTES = re.compile("[\ud800-\udc7f\udd00-\udfff]")
"""Surrogates that do not stand for an undecodable byte (PEP 383)."""


class CharTokenizer(Tokenizer):
    """One token per Unicode code point; id 0 is <unk>."""

    kind = "char"
    unknown_id = UNKNOWN_ID

    def __init__(self, characters: str) -> None:
        self.characters = characters
        points = code_points(characters)
        table = np.zeros(int(points.max(initial=255)) + 2, smallest_type(len(points) + 1))
        table[points] = np.arange(1, len(points) + 1)
        self._table = table  # the id of each code point; the last entry is for all larger ones
        # For ASCII text; bytes.translate is several times faster than indexing an array.
        self._bytes = bytes(self._table[:256].tolist()) if len(points) < 256 else None

    @classmethod
    def train(cls, text: Iterable[str], most: int = 0) -> "CharTokenizer":
        """Give ids to the characters, the most frequent first, ties by code point.

        text: a string, or its pieces. most: size of the vocabulary, 0: no limit.
        """
        totals = np.zeros(256, np.int64)  # occurrences of each code point so far
        for piece in as_pieces(text):
            counts = np.bincount(code_points(piece), minlength=256)
            if len(counts) > len(totals):
                counts, totals = totals, counts
            totals[: len(counts)] += counts
        points = np.flatnonzero(totals)
        order = np.lexsort((points, -totals[points]))
        kept = order[: most - 1] if most else order
        return cls("".join(map(chr, points[kept])))

    @property
    def size(self) -> int:
        """The characters and <unk>."""
        return len(self.characters) + 1

    def narrow_ids(self, text: str) -> npt.NDArray[Any]:
        """Return one id per code point."""
        if self._bytes and text.isascii():
            return np.frombuffer(text.encode().translate(self._bytes), np.uint8)
        return self._table.take(code_points(text), mode="clip")

    def decode(self, ids: Sequence[int] | Ids) -> str:
        """See `Tokenizer.decode`; <unk> is spelled out."""
        return "".join(self.characters[i - 1] if i else UNKNOWN for i in checked(ids, self.size))

    def spelled(self) -> list[str]:
        """See `Tokenizer.spelled`."""
        return ["", *self.characters]

    def to_json(self) -> dict[str, Any]:
        """Return the characters in the order of their ids."""
        return {"type": self.kind, "characters": self.characters}

    def ends(self, text: str) -> Ids:
        """Return 1 .. N."""
        return np.arange(1, len(text) + 1)

    def unknown_parts(self, text: str) -> Counter[str]:
        """Count the characters that are not in the vocabulary."""
        known = set(self.characters)
        return Counter({c: n for c, n in Counter(text).items() if c not in known})

    def spelling_nats(self, part: str) -> float:
        """Return the length of the code for an unknown character."""
        return self._spelling.nats(part)

    @cached_property
    def _spelling(self) -> CharacterSpelling:
        return CharacterSpelling(self.characters, excluded=True)


class ByteTokenizer(Tokenizer):
    """One token per byte of UTF-8; V = 256, nothing is unknown."""

    kind = "byte"

    @property
    def size(self) -> int:
        """Always 256."""
        return 256

    def narrow_ids(self, text: str) -> npt.NDArray[np.uint8]:
        """Return one id per byte; a lone surrogate becomes the byte it stands for, or U+FFFD."""
        try:
            content = text.encode()
        except UnicodeEncodeError:
            content = NO_BYTES.sub(REPLACEMENT, text).encode("utf-8", "surrogateescape")
        return np.frombuffer(content, np.uint8)

    def decode(self, ids: Sequence[int] | Ids) -> str:
        """See `Tokenizer.decode`; bytes that are not UTF-8 become U+FFFD."""
        return bytes(checked(ids, 256)).decode("utf-8", "replace")

    def stream(self) -> Callable[[int], str]:
        """Hold bytes back until their character is complete."""
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        return lambda token: decoder.decode(bytes([token]))

    def spelled(self) -> list[bytes]:
        """See `Tokenizer.spelled`."""
        return [bytes([token]) for token in range(256)]

    def to_json(self) -> dict[str, Any]:
        """Return nothing but the type."""
        return {"type": self.kind}

    def ends(self, text: str) -> Ids:
        """See `Tokenizer.ends`."""
        read = np.arange(1, len(self.narrow_ids(text)) + 1)
        return complete_characters(read, code_points(text), range(0xDC80, 0xDD00))
