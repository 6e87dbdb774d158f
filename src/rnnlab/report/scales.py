"""Scales of plots: where an axis begins and ends, and its ticks."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.ticker import Locator, LogLocator, MaxNLocator
from numpy.typing import ArrayLike, NDArray

CROWDED = 0.14
"""Share of an axis that the label of a tick needs."""

HUGE, TINY = 1e100, 1e-100
"""No axis reaches farther, and no logarithmic axis farther down."""

SAME = 1e-9
"""Values with a smaller relative difference are the same."""

FLAT = 0.05
"""Points within this share of an axis look like a line."""

FAR = 9.0
"""Values farther outside of an axis than this, in its lengths, are brought closer."""

SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True)
class Scale:
    """What an axis shows, and from where to where."""

    label: str
    low: float
    high: float
    log: bool = False
    names: tuple[str, ...] = ()
    """Of the values 0, 1, ... of a scale of choices."""

    @property
    def kind(self) -> str:
        """Return matplotlib's name for it."""
        return "log" if self.log else "linear"

    def ticks(self) -> list[float]:
        """Return a handful of round values between the ends, none too close to the one before."""
        if self.names:
            return [float(index) for index in range(len(self.names))]
        decades = float(np.log10(self.high) - np.log10(self.low)) if self.log else 0.0
        if decades < 1:
            locator: Locator = MaxNLocator(5, steps=[1, 2, 2.5, 5, 10])
        else:
            subs = (1, 2, 5) if decades < 2 else (1, 3) if decades < 3 else (1,)
            locator = LogLocator(subs=subs, numticks=7)
        values = np.asarray(locator.tick_values(self.low, self.high))
        values = values[(self.low <= values) & (values <= self.high)]
        length = decades if self.log else self.high - self.low
        places = (np.log10(values) if self.log else values) / length
        kept: list[int] = []
        for index, place in enumerate(places):
            if not kept or place - places[kept[-1]] > CROWDED:
                kept.append(index)
        return [float(values[index]) for index in kept]

    def tick_label(self, value: float) -> str:
        """Return a tick's label: on a log scale, very small and large values as powers of ten."""
        if self.names:
            return self.names[round(value)]
        if self.log and not 1e-3 <= value < 1e7:
            exponent = int(np.floor(np.log10(value) + 1e-9))
            factor = value / 10**exponent
            power = f"10{str(exponent).translate(SUPERSCRIPTS)}"
            return power if abs(factor - 1) < 1e-6 else f"{factor:.6g}·{power}"
        return f"{float(f'{value:.12g}'):,}".removesuffix(".0")

    def near(self, values: ArrayLike) -> NDArray[np.float64]:
        """Bring values closer that lie too far outside for matplotlib, such as infinity."""
        low, high = np.log10([self.low, self.high]) if self.log else (self.low, self.high)
        ends = np.array([low, high]) + FAR * (high - low) * np.array([-1, 1])
        if self.log:
            ends = 10.0 ** np.clip(ends, -300, 300)
        return np.clip(np.asarray(values, dtype=np.float64), *ends)


def scale_for(
    label: str, values: Sequence[float], *, log: bool = False, margin: float = 0.05
) -> Scale:
    """Return a scale that shows all `values`; on a log scale, those that are positive.

    margin: room at both ends, as a share of the distance between the smallest and largest value.
    """
    ends = np.clip([min(values), max(values)], TINY if log else -HUGE, HUGE)
    low, high = np.log(ends) if log else ends
    size = max(abs(low), abs(high))
    if high - low > SAME * max(size, 1):
        room = margin * (high - low)
    elif log:
        room = np.log(1.2)
    else:
        room = 0.05 * size if size > SAME else 1.0
    ends = np.array([low - room, high + room])
    low, high = (np.exp(ends) if log else ends).tolist()
    return Scale(label, low, high, log)


def without_outliers(values: Sequence[float], *, log: bool = False) -> list[float]:
    """Return the values that an axis should show: all, or all but those that squash the others.

    Those are far from the median (by twice its size, on a log scale by a factor of a hundred), and
    the others, at least two, would take less than `FLAT` of the axis.
    """
    places = np.clip(values, TINY if log else -HUGE, HUGE)
    places = np.log(places) if log else places
    middle = np.sort(places)[(len(places) - 1) // 2]
    kept = np.abs(places - middle) <= (np.log(100) if log else 2 * abs(middle))
    squashed = kept.sum() > 1 and np.ptp(places[kept]) < FLAT * np.ptp(places)
    return [value for value, keep in zip(values, kept, strict=True) if keep or not squashed]
