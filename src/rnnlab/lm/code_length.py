"""The length of a code for a text, piece by piece, and how far one code is ahead of another.

The lead of one code over another is the difference of their lengths, in bits per character of the
text. Its interval says how much it would vary over texts of the same kind and length. It is a
circular block bootstrap (Politis and Romano 1992): the text is put together anew from blocks that
begin anywhere in it, so that neighbouring characters, which are not independent, stay together. The
standard error of a mean has a closed form there (Lahiri, Resampling Methods for Dependent Data,
2003, section 3.1), so nothing is drawn: with b blocks of L pieces and the lead d_j of the
block that begins at piece j,

    s² = mean((d_j - mean)²) / (b - 1),

and the interval is mean ± t s with Student's t for b - 1 degrees of freedom, because b is small and
percentiles would cover too little. The text has 20 blocks (Schmeiser 1982, Operations Research
30:556, recommends 10 to 30), or fewer if they would be shorter than MIN_BLOCK characters.
"""

import math
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from rnnlab.data.tokenizer import Ids, Tokenizer

Floats = npt.NDArray[np.float64]

BLOCKS = 20
MIN_BLOCKS = 5
MIN_BLOCK = 200
LEAST_CHARACTERS = MIN_BLOCKS * MIN_BLOCK
"""Shorter texts have no interval."""
CONFIDENCE = 0.95


@dataclass(frozen=True)
class CodeLength:
    """A code for a text, cut into P pieces."""

    ends: Ids
    """How many characters are coded after each piece (P,), ascending, at last all."""
    nats: Floats
    """The length of each piece (P,)."""

    @property
    def characters(self) -> int:
        """The length of the text."""
        return int(self.ends[-1])

    @property
    def total(self) -> float:
        """The length of the code in nats."""
        return float(self.nats.sum())

    def up_to(self, ends: Ids) -> Floats:
        """Return the nats of the first so many characters; a piece is even over its characters."""
        # Where several pieces end at one character, np.interp must find only the last.
        last = np.append(np.diff(self.ends) > 0, True)
        cumulated = np.cumsum(self.nats)[last]
        known = np.append(0, self.ends[last]), np.append(0.0, cumulated)
        return np.asarray(np.interp(ends, *known))


@dataclass(frozen=True)
class Lead:
    """By how many bits per character a code is shorter than another, with a 95% interval."""

    bits_per_character: float
    low: float
    high: float

    def to_dict(self) -> dict[str, float]:
        """Return all fields, ready for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class MeanLead:
    """A lead with its standard error over texts of the same kind."""

    bits_per_character: float
    error: float
    freedom: float
    """Degrees of freedom, b - 1."""

    def interval(self) -> Lead:
        """Return the lead with its 95% interval."""
        from scipy.special import stdtrit  # takes a tenth of a second

        mean, half = self.bits_per_character, self.error
        half *= float(stdtrit(self.freedom, (1 + CONFIDENCE) / 2))
        return Lead(mean, mean - half, mean + half)

    def p_value(self) -> float:
        """Return the two-sided p that there is no lead on texts of this kind, by the same t.

        The interval leaves out 0 if p is below 0.05.
        """
        from scipy.special import stdtr

        if not self.error:
            return float(not self.bits_per_character)
        return float(2 * stdtr(self.freedom, -abs(self.bits_per_character) / self.error))


def code_of_tokens(tokenizer: Tokenizer, text: str, nats: Floats) -> CodeLength:
    """Return the code for a text of N tokens whose targets cost `nats` (N-1,).

    The first token costs ln V. Each unknown one also costs its spelling.
    """
    ends = tokenizer.ends(text)
    costs = np.concatenate([[math.log(tokenizer.size)], nats])
    for i in np.flatnonzero(tokenizer.encode(text) == tokenizer.unknown_id):
        costs[i] += tokenizer.spelling_nats(text[ends[i - 1] if i else 0 : ends[i]])
    return CodeLength(ends, costs)


def lead(code: CodeLength, other: CodeLength) -> Lead | None:
    """Return by how much `code` is shorter than `other`, a code for the same text.

    None if `other` has too few pieces for an interval, or the text is too short for one.
    """
    found = mean_lead(code, other)
    return None if found is None else found.interval()


def mean_lead(code: CodeLength, other: CodeLength) -> MeanLead | None:
    """Return by how much `code` is shorter than `other`, as `lead` does."""
    pieces = len(other.ends)
    if other.characters < LEAST_CHARACTERS or pieces < MIN_BLOCKS:
        return None
    blocks = min(BLOCKS, other.characters // MIN_BLOCK)
    size = math.ceil(pieces / blocks)
    same = np.array_equal(code.ends, other.ends)  # then nothing need be rounded
    nats = code.nats if same else np.diff(code.up_to(other.ends), prepend=0)
    bits = (other.nats - nats) / math.log(2)
    widths = np.diff(other.ends, prepend=0)
    mean = bits.sum() / widths.sum()
    # A block may be shorter than another, so its lead counts by its characters.
    excess = _sums_of_blocks(bits - mean * widths, size)
    blocks_in_text = pieces / size
    variance = (excess**2).mean() / (widths.mean() * size) ** 2 / (blocks_in_text - 1)
    return MeanLead(float(mean), math.sqrt(variance), blocks_in_text - 1)


def _sums_of_blocks(values: Floats, size: int) -> Floats:
    """Return the sum of the block that begins at each value; the last ones go on at the start."""
    cumulated: Floats = np.cumsum(np.concatenate([[0.0], values, values[: size - 1]]))
    return np.subtract(cumulated[size:], cumulated[:-size])
