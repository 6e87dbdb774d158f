"""Curves of several seeds summarised: a middle line and a band around it."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rnnlab.experiments.records import Points
from rnnlab.experiments.statistics import estimate_mean
from rnnlab.report.scales import HUGE

Values = NDArray[np.float64]

MAX_POINTS = 60
"""A plot of this size does not show more."""

LARGEST = 700.0
"""Natural logarithm of the largest figure that is drawn."""


@dataclass(frozen=True)
class Band:
    """The band of one variant, all of shape (N,)."""

    x: Values
    middle: Values
    low: Values
    high: Values
    """low and high are NaN for one seed, which gives no interval."""


Summary = Callable[[Values], tuple[Values, Values, Values]]
"""From values (seeds, N) to middle, low and high, each (N,)."""


def band(curves: Sequence[Points], summary: Summary) -> Band | None:
    """Summarise the curves of several seeds at each x where all have values; None if none has.

    x are those of the first curve; the others are interpolated linearly. Points that are not finite
    are dropped, values beyond `HUGE` are clipped to it.
    """
    tables = [np.array(curve, dtype=np.float64).reshape(-1, 2) for curve in curves]
    finite = [table[np.isfinite(table).all(axis=1)] for table in tables]
    points = [np.clip(table, -HUGE, HUGE) for table in finite if len(table)]
    if not points:
        return None
    start = max(table[0, 0] for table in points)
    end = min(table[-1, 0] for table in points)
    x = points[0][:, 0]
    x = x[(start <= x) & (x <= end)]
    if not len(x):
        return None
    if len(x) > MAX_POINTS:
        x = x[np.linspace(0, len(x) - 1, MAX_POINTS).round().astype(int)]
    values = np.stack([np.interp(x, table[:, 0], table[:, 1]) for table in points])
    # Between two points that nearly coincide, the slope overflows.
    values = np.nan_to_num(values, posinf=HUGE, neginf=-HUGE)
    return Band(x, *summary(values))


def t_band(values: Values) -> tuple[Values, Values, Values]:
    """Return the mean and its 95% t interval."""
    estimates = [estimate_mean(column) for column in values.T.tolist()]
    middle = np.array([estimate.mean for estimate in estimates])
    half = np.array([math.nan if e.half is None else e.half for e in estimates])
    return middle, middle - half, middle + half


def geometric_t_band(logarithms: Values) -> tuple[Values, Values, Values]:
    """Return the geometric mean, and the t interval of the logarithms."""
    middle, low, high = t_band(logarithms)
    return _exp(middle), _exp(low), _exp(high)


def geometric_range(logarithms: Values) -> tuple[Values, Values, Values]:
    """Return the geometric mean, the smallest and the largest value."""
    middle, low, high = logarithms.mean(axis=0), logarithms.min(axis=0), logarithms.max(axis=0)
    return _exp(middle), _exp(low), _exp(high)


def _exp(logarithms: Values) -> Values:
    return np.exp(np.minimum(logarithms, LARGEST))
