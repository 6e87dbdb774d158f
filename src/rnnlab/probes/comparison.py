"""Which of two networks predicts a text better, where, and by how much.

Both are compared between the places at which a token of both of them ends, so that networks of
characters, words and BPE can be compared. What stands before the first of these places is given to
both. A token that is not in the vocabulary also costs its spelling, see `Surprise`.

Legend: P pieces of the text between two such places.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import numpy as np

from rnnlab.data.tokenizer import Ids
from rnnlab.errors import UsageError
from rnnlab.lm.code_length import CodeLength, Lead, lead
from rnnlab.lm.evaluate import Floats
from rnnlab.probes.result import ProbeResult
from rnnlab.probes.surprise import BITS, Surprise


@dataclass(frozen=True)
class Comparison(ProbeResult):
    """Two networks on the same text; the one with the lead may be either."""

    name: ClassVar[str] = "comparison"
    title: ClassVar[str] = "Both networks"
    axes: ClassVar[dict[str, tuple[str, ...]]] = dict.fromkeys(
        ("bits", "other_bits", "difference"), ("piece",)
    )

    names: tuple[str, str]
    given: str
    """What stands before the first piece."""
    pieces: tuple[str, ...]
    bits: Floats  # (P,) of each piece under the first network
    other_bits: Floats  # (P,) under the second
    difference: Floats  # (P,) of the second minus the first: above 0, the first is better
    characters: int
    lead: float
    """Bits per character by which the first is ahead; below 0, the second is."""
    low: float | None
    """Of the 95% interval, a block bootstrap; None: the text is too short for one."""
    high: float | None

    def sentences(self) -> list[str]:
        """See `ProbeResult.sentences`; the control is the interval."""
        is_first = self.lead >= 0
        better, other = self.names if is_first else self.names[::-1]
        by = f"{abs(self.lead):.3f} bits per character"
        if self.low is None or self.high is None:
            few = f"{self.characters:,} characters are too few for an interval"
            return [f"It may be chance: {better} is {by} ahead of {other}; {few}."]
        low, high = (self.low, self.high) if is_first else (-self.high, -self.low)
        interval = f"(95%: {low:z.3f} to {high:z.3f})"
        if low <= 0:
            return [f"Nothing found beyond chance: {better} is {by} ahead of {other} {interval}."]
        return [f"{better} predicts the text better than {other}, by {by} {interval}."]


def comparison(one: Surprise, other: Surprise, names: tuple[str, str]) -> Comparison:
    """Compare two networks by what surprised them, as far as both have read.

    Raises UsageError if their texts differ, or no token of both ends at the same place twice.
    """
    texts = ["".join(each.tokens) for each in (one, other)]
    shared = min(map(len, texts))
    if texts[0][:shared] != texts[1][:shared]:
        place = next(i for i in range(shared) if texts[0][i] != texts[1][i])
        raise UsageError(
            f"{names[0]} and {names[1]} read different texts, from character {place + 1:,} on: "
            "their text rules differ; only what both read the same can be compared"
        )
    ends = [np.cumsum([len(token) for token in each.tokens]) for each in (one, other)]
    common = np.intersect1d(ends[0], ends[1])
    common = common[common > 0]
    if len(common) < 2:
        raise UsageError(
            f"{names[0]} and {names[1]} have no part of the text in common that tokens of both "
            "make up; give a longer text"
        )
    bits, other_bits = (
        np.diff(_up_to(common, *pair)) for pair in zip((one, other), ends, strict=True)
    )
    text, begin = texts[0], int(common[0])
    pieces = tuple(text[a:b] for a, b in pairwise(common.tolist()))
    found = _lead(common[1:] - begin, bits, other_bits)
    characters = int(common[-1]) - begin
    difference = other_bits - bits
    return Comparison(
        names=names, given=text[:begin], pieces=pieces, bits=bits, other_bits=other_bits,
        difference=difference, characters=characters,
        lead=float(difference.sum()) / characters,
        low=None if found is None else found.low, high=None if found is None else found.high,
    )  # fmt: skip


def _up_to(places: Ids, surprise: Surprise, ends: Ids) -> Floats:
    """Return the bits of all tokens that end at a place or before it, for each of the places."""
    bits = np.cumsum(np.append(0.0, surprise.bits + surprise.spelling_bits))
    found: Floats = bits[np.searchsorted(ends, places, side="right") - 1]
    return found


def _lead(ends: Ids, bits: Floats, other_bits: Floats) -> Lead | None:
    """Return by how much the first is ahead per character, with its interval."""
    code, other = (CodeLength(ends, each / BITS) for each in (bits, other_bits))
    return lead(code, other)
