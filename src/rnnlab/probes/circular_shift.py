r"""Correlations, and how large they are by chance: the null by circular shift.

The characters of a text depend on each other over hundreds of characters, and so do the states of
a network. Were they shuffled, far smaller correlations would seem too large for chance. A shift by
s, x_t against y_{t-s} with the end of y at its beginning, keeps the dependence within each of them
and breaks only the one between them.

Of each shift the largest |r| counts, over all units and features, each feature divided by a scale
of its own: a feature that changes seldom has large correlations by chance, and would hide the
others. With S shifts and z = |r| / scale,

    p = (1 + #{s: max_s z ≥ z}) / (1 + S) + near

is the probability of one such finding or more in the whole search. Shifts below a least one are too
near: what two things have in common remains. Left out altogether they would make p too small, as a
chance peak at 0 is as wide as the memory of the values. So `near` is the share of all shifts that
are near and at which the same unit has |r| as large with the same feature; of a true finding it is
0, as r is largest at 0.

Sources: Westfall and Young 1993, Resampling-Based Multiple Testing, section 2.3 (max-T); Harris
2020, "Nonsense correlations in neuroscience", bioRxiv 2020.11.29.402719 (shifts).

Legend: N tokens, U units, F features, S shifts.
"""

import math
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from rnnlab.lm.evaluate import Floats, ShareCallback, unwatched

LEVEL = 0.05
"""Largest probability of any false finding."""

FEWEST_SHIFTS = math.ceil(1 / LEVEL) - 1
"""With fewer, no p is as small as LEVEL."""

AT_A_TIME = 8
"""Shifts in one product of matrices: bounds the memory to that many copies of the features."""

NEAR = 20
"""Near shifts on each side."""

Array = npt.NDArray[Any]


def standardized(values: Array) -> Floats:
    """Return values (N, K) with mean 0 and sum of squares 1 in each column; constant ones as 0."""
    centered = values - values.mean(0, dtype=np.float64)
    norms = np.sqrt((centered**2).sum(0))
    # Rounding leaves a little of a column whose values are all the same.
    vary = norms > 1e-6 * (1e-12 + np.abs(values).max(0)) * math.sqrt(len(values))
    return np.where(vary, centered / np.where(vary, norms, 1), 0)


def correlations(x: Array, y: Array) -> Floats:
    """Return Pearson's r of each column of x (N, U) with each of y (N, F): (U, F)."""
    return standardized(x).T @ standardized(y)


def draw_shifts(tokens: int, count: int, least: int, seed: int) -> npt.NDArray[np.int64]:
    """Draw different shifts (count,) from least .. tokens - least."""
    choices = tokens - 2 * least + 1
    return least + np.random.default_rng(seed).choice(choices, count, replace=False)


def shifted_maxima(
    x: Array,
    y: Array,
    shifts: npt.NDArray[np.int64],
    progress: ShareCallback = unwatched,
) -> Floats:
    """Return the largest |r| over x's columns (N, U) for each shift of each of y's (N, F): (S, F).

    In float32, whose rounding is far below chance.
    """
    own = standardized(x).astype(np.float32).T  # (U, N)
    others = standardized(y).astype(np.float32)  # (N, F)
    found = np.empty((len(shifts), others.shape[1]))
    for begin in range(0, len(shifts), AT_A_TIME):
        now = shifts[begin : begin + AT_A_TIME]
        moved = np.concatenate([np.roll(others, s, axis=0) for s in now.tolist()], axis=1)
        largest = np.abs(own @ moved).max(0)
        found[begin : begin + len(now)] = largest.reshape(len(now), -1)
        progress((begin + len(now)) / len(shifts))
    return found


def near_share(x: Array, y: Array, least: int) -> Floats:
    """Return `near` for each column of x (N, U) with each of y (N, F): (U, F).

    From NEAR shifts on each side, at even distances up to `least`.
    """
    own = standardized(x).astype(np.float32).T
    others = standardized(y).astype(np.float32)
    at_zero = np.abs(own @ others)
    lags = np.unique(np.linspace(1, least, NEAR).round().astype(int))
    reached = np.zeros(at_zero.shape)
    for s in [*lags.tolist(), *(-lags).tolist()]:
        reached += np.abs(own @ np.roll(others, s, axis=0)) >= at_zero
    return reached / (2 * len(lags)) * (2 * least / len(x))


@dataclass(frozen=True)
class Null:
    """The distribution of the largest |r| by chance."""

    scales: Floats  # (F,)
    largest: Floats  # (S,) ascending: of |r| / scale over all units and features

    @classmethod
    def of(cls, maxima: Floats, observed: Floats) -> Self:
        """Make it of the largest |r| of each shift (S, F) and of the text as it is (F,).

        A feature's scale is the 95% quantile of both together.
        """
        together = np.vstack([maxima, observed])
        scales = np.maximum(np.quantile(together, 1 - LEVEL, axis=0), np.finfo(np.float64).tiny)
        return cls(scales, np.sort((maxima / scales).max(1)))

    @property
    def thresholds(self) -> Floats:
        """Return what |r| must exceed for each feature (F,), so that p is at most LEVEL."""
        allowed = math.floor(LEVEL * (1 + len(self.largest)) + 1e-9) - 1
        threshold: Floats = self.largest[-1 - allowed] * self.scales
        return threshold

    def p_values(
        self, r: Floats, feature: npt.NDArray[np.int64], near: Floats | float = 0.0
    ) -> Floats:
        """Return p of correlations (any shape), each with the feature of that number.

        near: see `near_share`, of the same shape.
        """
        z = np.abs(r) / self.scales[feature]
        above = len(self.largest) - np.searchsorted(self.largest, z, side="left")
        p: Floats = np.minimum(1, (1 + above) / (1 + len(self.largest)) + near)
        return p
