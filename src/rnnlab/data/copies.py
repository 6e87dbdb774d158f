"""How much of a held-out text stands word for word in the training text.

A model that has seen a passage may know it by heart; then the figure on the held-out text says
little about other text. A copy is at least COPY characters long. All passages of that length are
compared by a 64-bit polynomial hash (Karp and Rabin 1987, IBM J. Res. Dev. 31:249), by which two
different ones are the same with a probability of 2^-64.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from rnnlab.data.base_tokenizer import Ids
from rnnlab.errors import UnavailableError

COPY = 50
"""Characters of the shortest copy. Shorter ones are common phrases: in The Time Machine, 20
characters in a row stand in the training text for 6% of the test split, 50 for none of it."""

MANY = 0.1
"""Share of copied characters from which they decide a figure: known by heart, they cost next to
nothing, so that the bits per character may be lower by that share."""

MANY_LINES = 0.25
"""Share of the characters of different held-out lines that are lines of the training text, from
which these decide a figure. Plays, novels and programs have up to 0.1: names of speakers, choruses
and blank lines are few different lines, however often they occur. Lists of names in which half
of the held-out lines are duplicates have 0.5."""

FEW_LINES = 10
"""Of fewer lines, the share of duplicates is not told, and decides nothing."""

BASE = 0x9E3779B97F4A7C15
CHUNK = 2**18
"""Training characters compared at a time, so that the arrays stay in the processor's cache."""

TABLE_BITS = 22

BETWEEN = b"\xff"
"""Stands between texts, and in no UTF-8."""

STEP = 64
"""Bytes that are compared at a time."""

Hashes = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class Copies:
    """What of a held-out text is copied from the training text."""

    characters: int
    """Of the held-out text."""
    copied_share: float
    """Share of its characters that are in copies of COPY characters or more."""
    lines: int
    """Lines of the held-out text that are not blank."""
    duplicate_share: float
    """Share of these that are also lines of the training text."""
    train_characters: int
    """Of the training text that was compared."""
    different_lines: int = 0
    """How many different lines these are."""
    different_duplicate_share: float = 0.0
    """Share of the characters of the different lines that are also lines of the training text."""

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """Return what `to_dict` returned; earlier versions did not count different lines."""
        return cls(
            **{each.name: content[each.name] for each in fields(cls) if each.name in content}
        )

    @property
    def decide(self) -> bool:
        """Whether there are so many copies that they decide what is measured on the text."""
        return self.copied_share >= MANY or self.lines_decide

    @property
    def lines_decide(self) -> bool:
        """Whether duplicate lines, which may be shorter than COPY, are enough to decide it."""
        return self.different_lines >= FEW_LINES and self.different_duplicate_share >= MANY_LINES

    def to_dict(self) -> dict[str, Any]:
        """Return all fields, ready for JSON."""
        return asdict(self)

    def __str__(self) -> str:
        lines = f", lines {self.duplicate_share:.1%}" if self.lines >= FEW_LINES else ""
        return f"{self.copied_share:.1%}{lines}"


def find_copies(held_out: str, train: str) -> Copies:
    """Compare a held-out text with the training text."""
    known = {line.strip() for line in train.splitlines()}
    lines = [line for text in held_out.splitlines() if (line := text.strip())]
    different = set(lines)
    duplicates = sum(len(line) for line in different & known)
    return Copies(
        characters=len(held_out),
        copied_share=float(_copied(held_out, train).mean()) if held_out else 0.0,
        lines=len(lines),
        duplicate_share=sum(line in known for line in lines) / max(1, len(lines)),
        train_characters=len(train),
        different_lines=len(different),
        different_duplicate_share=duplicates / max(1, sum(map(len, different))),
    )


def _copied(held_out: str, train: str) -> npt.NDArray[np.bool_]:
    """Return for every character of the held-out text whether it is in a copy."""
    if len(held_out) < COPY:
        return np.zeros(len(held_out), np.bool_)
    wanted, places = np.unique(_passages(held_out), return_inverse=True)
    found = np.zeros(len(wanted), np.bool_)
    mask = np.uint64(2**TABLE_BITS - 1)
    table = np.zeros(2**TABLE_BITS, np.bool_)
    table[wanted & mask] = True
    for start in range(0, len(train) - COPY + 1, CHUNK):
        passages = _passages(train[start : start + CHUNK + COPY - 1])
        likely = passages[table[passages & mask]]
        at = np.minimum(np.searchsorted(wanted, likely), len(wanted) - 1)
        found[at[wanted[at] == likely]] = True
    change = np.zeros(len(held_out) + 1, np.int64)
    starts = np.flatnonzero(found[places])
    change[starts] += 1
    change[starts + COPY] -= 1
    return change.cumsum()[:-1] > 0


def _passages(text: str) -> Hashes:
    """Return the hashes of all passages of COPY characters, by where they begin."""
    content = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
    power = (content + np.uint64(1)) * np.uint64(BASE)
    power ^= power >> np.uint64(29)  # hashes of passages of 1, 2, 4, ... characters
    hashes, length, size, base = power[:0], 0, 1, BASE
    while True:
        if COPY & size:
            hashes = power if not length else _joined(hashes, power[length:], base)
            length += size
        if length == COPY:
            return hashes[: max(0, len(content) - COPY + 1)]
        power = _joined(power, power[size:], base)
        size, base = 2 * size, base * base % 2**64


def _joined(left: Hashes, right: Hashes, base: int) -> Hashes:
    """Return the hashes of passages made of two parts; `base`: its power by the second's length."""
    return left[: len(right)] * np.uint64(base) + right


def copy_lengths(texts: Sequence[str], train: str) -> list[Ids]:
    """Return for every place of each text the longest passage from there that stands in `train`.

    In characters. Found from the suffix array of all texts together (Manber and Myers 1993, SIAM J.
    Comput. 22:935), in which the training passage with the most in common is a neighbour. It takes
    some six bytes of memory for each byte of text.

    Raises UnavailableError if pydivsufsort is not installed.
    """
    try:
        from pydivsufsort import divsufsort
    except ModuleNotFoundError:
        raise UnavailableError(
            "copies of any length need the package pydivsufsort; install it with pip install "
            "'rnnlab[probe]'"
        ) from None
    parts = [text.encode("utf-8", "surrogatepass") for text in (train, *texts)]
    joined = np.frombuffer(BETWEEN.join(parts) + BETWEEN, np.uint8).copy()
    first = len(parts[0])  # where the training text ends
    suffixes = divsufsort(joined)
    ranks = np.flatnonzero(suffixes >= first)  # of what is not training text
    begins = np.flatnonzero(np.diff(ranks, prepend=-2) > 1)  # of runs that have no training text
    sizes = np.diff(begins, append=len(ranks))
    best = np.zeros(len(joined) - first, np.int64)
    for neighbours in (ranks[begins] - 1, ranks[begins + sizes - 1] + 1):
        others = np.repeat(neighbours, sizes)
        known = (others >= 0) & (others < len(joined))
        mine = suffixes[ranks[known]].astype(np.int64)
        shared = _shared(joined, mine, suffixes[others[known]].astype(np.int64))
        best[mine - first] = np.maximum(best[mine - first], shared)
    ends = first + 1 + np.cumsum([len(part) + 1 for part in parts[1:]]) - 1
    begins_character = (joined[first:] & 0xC0) != 0x80
    characters = np.cumsum(begins_character)
    found = []
    for part, end in zip(parts[1:], ends.tolist(), strict=True):
        places = np.arange(end - len(part), end) - first
        places = places[begins_character[places]]
        reached = np.minimum(places + best[places], end - first)
        found.append(characters[reached] - characters[places])  # those that are complete
    return found


def _shared(content: npt.NDArray[np.uint8], left: Ids, right: Ids) -> Ids:
    """Return how many bytes are the same from two places on, of each pair of places."""
    lengths, going = np.zeros(len(left), np.int64), np.arange(len(left))
    padded = np.concatenate([content, np.zeros(STEP, np.uint8)])
    while len(going):
        at = lengths[going, None] + np.arange(STEP)
        a, b = left[going, None] + at, right[going, None] + at
        last = len(content) - 1
        same = (padded[np.minimum(a, last + STEP)] == padded[np.minimum(b, last + STEP)]) & (
            np.maximum(a, b) <= last
        )
        run = np.where(same.all(1), STEP, same.argmin(1))
        lengths[going] += run
        going = going[run == STEP]
    return lengths
