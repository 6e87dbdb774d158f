"""Where else the same units are on: a hypothesis about what they have in common, tested.

A unit is on at a token if its value is above a threshold; with `both_sides`, also one whose value
is below minus the threshold, and then it is on where it is below. Some tokens of a text are chosen,
and the units that are on at all of them, with `bounded` only those that are off right before and
right after. A *place* is a run of tokens, at least as many as were chosen, at all of which at least
`least` of these units are on; with `bounded`, none of them right before and right after the run.

How many places there are by chance: the series of each unit is shifted by an amount of its own, the
end to the beginning. That keeps how often and how long each of them is on, and breaks what they
have in common. Of N tries

    p = (1 + #{tries with as many places or more}) / (1 + N)

The places that overlap the chosen tokens are left out, in the text as it is and in each try: the
units were chosen because they are on there.

Source: Strobelt et al. 2018, arXiv:1606.07461, section 4; there without the number by chance.

Legend: N tokens, U units, S tries.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

from rnnlab.console import counted
from rnnlab.errors import UsageError
from rnnlab.lm.evaluate import ShareCallback, unwatched
from rnnlab.probes.result import ProbeResult

TRIES = 200
LEVEL = 0.05

Bools = npt.NDArray[np.bool_]
Counts = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.floating]


class Chosen(NamedTuple):
    """What is on throughout some tokens."""

    units: tuple[int, ...]
    signs: tuple[int, ...]
    """1 or -1 of each: on which side it is on."""
    length: int
    """Tokens."""


@dataclass(frozen=True)
class Matches(ProbeResult):
    """The places, and how many there are by chance."""

    name: ClassVar[str] = "matches"
    title: ClassVar[str] = "Places with the same units on"
    axes: ClassVar[dict[str, tuple[str, ...]]] = {
        "begins": ("place",), "ends": ("place",), "by_chance": ("try",)
    }  # fmt: skip

    units: tuple[int, ...]
    length: int
    least: int
    """How many of the units are on at a place."""
    tokens: int
    """Of the text that was searched."""
    begins: Counts  # (P,) the first token of each place
    ends: Counts  # (P,) the token after its last
    by_chance: Counts  # (S,) places of each try

    @property
    def interval(self) -> tuple[float, float]:
        """Return between which numbers 95% of the tries are."""
        low, high = np.quantile(self.by_chance, (0.025, 0.975), method="closest_observation")
        return float(low), float(high)

    @property
    def p(self) -> float:
        """Return how likely as many places or more are by chance."""
        above = int((self.by_chance >= len(self.begins)).sum())
        return (1 + above) / (1 + len(self.by_chance))

    def sentences(self) -> list[str]:
        """See `ProbeResult.sentences`."""
        found = len(self.begins)
        low, high = self.interval
        which = (
            f"at least {self.least} of the {len(self.units)} units on"
            if self.least < len(self.units)
            else f"all {len(self.units)} units on"
        )
        about = (
            f"{counted(found, 'place')} in {self.tokens:,} tokens with {which} for "
            f"{counted(self.length, 'token')} or more"
        )
        if len(self.units) == 1:
            return [f"{about.replace('all 1 units', 'the unit')}; for chance it takes two units."]
        expected = f"{self.by_chance.mean():.1f} by chance (95% of tries: {low:.0f} to {high:.0f})"
        if self.p > LEVEL:
            return [f"Nothing found beyond the control: {about}, and {expected}, p = {self.p:.3f}."]
        return [f"{about}; {expected}, p = {self.p:.3f}."]


def chosen_units(
    values: Numbers,
    begin: int,
    end: int,
    threshold: float,
    *,
    both_sides: bool = False,
    bounded: bool = False,
) -> Chosen:
    """Return the units that are on at the tokens begin .. end - 1 of values (N, U).

    Raises UsageError for tokens that do not exist, or a threshold below 0 with both sides.
    """
    if not 0 <= begin < end <= len(values):
        raise UsageError(f"tokens {begin} to {end} are not in a text of {len(values)} tokens")
    check_threshold(threshold, both_sides=both_sides)
    signs = np.where(both_sides & (values[begin] < 0), -1, 1)
    found = _is_on(values[begin:end], signs, threshold).all(0)
    if bounded:
        for place in (begin - 1, end):
            if 0 <= place < len(values):
                found &= ~_is_on(values[place], signs, threshold)
    units = np.flatnonzero(found).tolist()
    return Chosen(tuple(units), tuple(int(signs[unit]) for unit in units), end - begin)


def check_threshold(threshold: float, *, both_sides: bool) -> None:
    """Raise UsageError for a threshold with which a unit could be on at both sides at once."""
    if both_sides and threshold < 0:
        raise UsageError(f"threshold must be at least 0 if both sides count, not {threshold:g}")


def matches(
    values: Numbers,
    chosen: Chosen,
    threshold: float,
    *,
    least: int = 0,
    bounded: bool = False,
    left_out: tuple[int, int] | None = None,
    tries: int = TRIES,
    seed: int = 0,
    progress: ShareCallback = unwatched,
) -> Matches:
    """Find the places in a text, values (N, U) of all units of a layer at its tokens.

    least: how many of the units must be on; 0: all. left_out: tokens begin .. end - 1; places that
    overlap them do not count. seed: of the shifts.

    Raises UsageError without units, for a `least` above their number, or for no token.
    """
    N, U = len(values), len(chosen.units)
    if not U:
        raise UsageError("units: none is on at all of these tokens; choose fewer tokens or a lower "
                         "threshold")  # fmt: skip
    if not 0 <= least <= U:
        raise UsageError(f"least must be 0 (all) to {U}, the number of units, not {least}")
    if N < 2 or tries < 1:
        raise UsageError(f"a search needs 2 tokens and 1 try, not {N} and {tries}")
    own = np.ascontiguousarray(
        _is_on(values[:, chosen.units], np.array(chosen.signs), threshold).T
    )  # (U, N)
    least = least or U

    def places(on: Counts) -> tuple[Counts, Counts]:
        begins, ends = _runs(on >= least)
        keep = ends - begins >= chosen.length
        if bounded:
            padded = np.pad(on, 1)
            keep &= (padded[begins] == 0) & (padded[ends + 1] == 0)
        if left_out:
            keep &= (ends <= left_out[0]) | (begins >= left_out[1])
        return begins[keep], ends[keep]

    begins, ends = places(_together(own, [0] * U))
    random, by_chance = np.random.default_rng(seed), np.empty(tries, np.int64)
    for number in range(tries):
        by_chance[number] = len(places(_together(own, random.integers(0, N, U).tolist()))[0])
        progress((number + 1) / tries)
    return Matches(chosen.units, chosen.length, least, N, begins, ends, by_chance)


def _is_on(values: Numbers, signs: npt.NDArray[np.int64], threshold: float) -> Bools:
    # A threshold is not rounded to float16, if the values are.
    found: Bools = values * signs.astype(values.dtype) > np.float64(threshold)
    return found


def _together(own: Bools, shifts: Sequence[int]) -> Counts:
    """Return how many of the series (U, N) are on at each token, each shifted by an amount."""
    N = own.shape[1]
    total = np.zeros(N, np.int64)
    for series, shift in zip(own, shifts, strict=True):
        total[shift:] += series[: N - shift]
        total[:shift] += series[N - shift :]
    return total


def _runs(is_on: Bools) -> tuple[Counts, Counts]:
    """Return where runs of True begin, and where they have ended."""
    change = np.diff(np.pad(is_on, 1).astype(np.int8))
    return np.flatnonzero(change == 1), np.flatnonzero(change == -1)
