"""The frame of a plot: two scales, their ticks, a few thin lines.

Artists are placed on the figure in CSS pixels, without matplotlib's axes: laying those out takes
most of the time of a small plot.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from markupsafe import Markup
from matplotlib.collections import Collection, LineCollection
from matplotlib.figure import Figure
from matplotlib.ticker import Locator, LogLocator, MaxNLocator
from matplotlib.transforms import Bbox, IdentityTransform
from numpy.typing import ArrayLike, NDArray

from rnnlab.report.svg import INK, MUTED, RULE, Anchor, inline_svg, svg_text

WIDTH, HEIGHT = 400, 280
LEFT, RIGHT, TOP, BOTTOM = 46, 30, 34, 38
"""Of a plot and its margins, in CSS pixels."""

TEXT = 11
"""Font size, likewise; the page's style sheet says the same."""

MIDDLE = 0.36 * TEXT
"""Half the height of a digit."""

CROWDED = 0.14
"""Share of an axis within which two ticks have no room for their labels."""

HUGE, TINY = 1e100, 1e-100
"""What is larger or smaller has no place of its own on any axis."""

SAME = 1e-9
"""Relative difference that is none."""

FLAT = 0.05
"""Share of an axis in which points are a line."""

OUTSIDE = 9.0
"""How far beyond an axis, in its length, anything is placed."""

SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True)
class Scale:
    """One axis: what it shows, from where to where."""

    label: str
    low: float
    high: float
    kind: Literal["linear", "log"] = "linear"

    def share(self, values: ArrayLike) -> NDArray[np.float64]:
        """Where values lie between both ends: 0 at the low one, 1 at the high one.

        What lies far outside, 0 and infinity included, is placed `OUTSIDE` lengths from an end.
        """
        low, high = self.low, self.high
        at = np.clip(np.asarray(values, dtype=np.float64), -(HUGE**2), HUGE**2)
        if self.kind == "log":
            low, high = np.log([low, high])
            at = np.log(np.maximum(at, TINY**2))
        return np.asarray(np.clip((at - low) / (high - low), -OUTSIDE, 1 + OUTSIDE))

    def ticks(self) -> list[float]:
        """A handful of round values between the ends."""
        decades = np.log10(self.high / self.low) if self.kind == "log" else 0
        if decades < 1:
            locator: Locator = MaxNLocator(5, steps=[1, 2, 2.5, 5, 10])
        else:
            subs = (1, 2, 5) if decades < 2 else (1, 3) if decades < 3 else (1,)
            locator = LogLocator(subs=subs, numticks=7)
        values = locator.tick_values(self.low, self.high)
        found: list[float] = []
        for value in (float(v) for v in values if self.low <= v <= self.high):
            if not found or self.share(value) - self.share(found[-1]) > CROWDED:
                found.append(value)
        return found

    def words(self, value: float) -> str:
        """A tick's label: on a logarithmic axis very small and large ones as powers of ten."""
        if self.kind == "log" and not 1e-3 <= value < 1e7:
            exponent = int(np.floor(np.log10(value) + 1e-9))
            factor = value / 10**exponent
            power = f"10{str(exponent).translate(SUPERSCRIPTS)}"
            return power if abs(factor - 1) < 1e-6 else f"{factor:.6g}·{power}"
        return f"{float(f'{value:.12g}'):,}".removesuffix(".0")


def linear(label: str, values: Sequence[float], margin: float = 0.04) -> Scale:
    """A linear scale on which all `values` have their place, with some room at both ends.

    Both kinds of scale end at `HUGE`, and are not made for less than is told apart: `SAME`.
    """
    low, high = (min(max(end(values), -HUGE), HUGE) for end in (min, max))
    size = max(abs(low), abs(high))
    room = 0.05 * size if size > SAME else 1.0
    if high - low > SAME * max(size, 1):
        room = margin * (high - low)
    return Scale(label, low - room, high + room)


def logarithmic(label: str, values: Sequence[float], margin: float = 0.06) -> Scale:
    """A logarithmic scale on which all `values` that are above 0 have their place."""
    low, high = (min(max(end(values), TINY), HUGE) for end in (min, max))
    room = (high / low) ** margin if high > (1 + SAME) * low else 1.2
    return Scale(label, low / room, high * room, "log")


def near(values: Sequence[float], *, log: bool = False) -> list[float]:
    """Values that an axis is made for: all, or without those that would squash the others.

    Left out is what is far from the median (by twice its size, on a logarithmic axis by a factor of
    a hundred), where the others, two at least, would take less than `FLAT` of the axis.
    """
    places = np.clip(values, TINY if log else -HUGE, HUGE)
    places = np.log(places) if log else places
    middle = np.sort(places)[(len(places) - 1) // 2]
    kept = np.abs(places - middle) <= (np.log(100) if log else 2 * abs(middle))
    squashed = kept.sum() > 1 and np.ptp(places[kept]) < FLAT * np.ptp(places)
    return [value for value, keep in zip(values, kept, strict=True) if keep or not squashed]


class Frame:
    """A figure with its frame drawn; everything else is placed on it in pixels from lower left."""

    def __init__(self, x: Scale, y: Scale, height: int = HEIGHT) -> None:
        self.x, self.y, self.height = x, y, height
        self._texts: list[Markup] = []
        self._figure = Figure(figsize=(WIDTH / 72, height / 72), dpi=72)
        self._figure.patch.set_visible(False)
        self.box = Bbox([[LEFT, BOTTOM], [WIDTH - RIGHT, height - TOP]])
        columns = [(tick, px) for tick in x.ticks() for (px, _) in self.place([tick], [y.low])]
        rows = [(tick, py) for tick in y.ticks() for (_, py) in self.place([x.low], [tick])]
        left, bottom, right = self.box.x0, self.box.y0, self.box.x1
        self.lines([[(left, py), (right, py)] for _, py in rows], colors=RULE, linewidths=0.8)
        marks = [[(px, bottom), (px, bottom - 4)] for _, px in columns]
        axis = [[(left, bottom), (right, bottom)], *marks]
        self.lines(axis, colors=MUTED, linewidths=0.8)
        for tick, py in rows:
            self.text(left - 7, py - MIDDLE, y.words(tick), MUTED, "end")
        for tick, px in columns:
            self.text(px, bottom - 7 - TEXT, x.words(tick), MUTED, "middle")
        self.text(0, height - 12, y.label, INK)
        self.text(right, 3, x.label, MUTED, "end")

    def place(self, x: ArrayLike, y: ArrayLike) -> NDArray[np.float64]:
        """Pixels of points, shape (N, 2)."""
        shares = np.column_stack([self.x.share(x), self.y.share(y)])
        return np.asarray(self.box.p0 + shares * self.box.size)

    def lines(self, segments: Sequence[ArrayLike], *, clip: bool = False, **style: Any) -> None:
        """Draw polylines, each of shape (N, 2); `clip`: not beyond the frame."""
        self.add(LineCollection([np.asarray(s) for s in segments], **style), clip=clip)

    def add(self, artist: Collection, *, clip: bool = False) -> None:
        """Draw what has been placed already; `clip`: not beyond the frame."""
        artist.set_transform(IdentityTransform())
        self._figure.add_artist(artist)
        artist.set_clip_path(None)
        artist.set_clip_box(self.box if clip else None)

    def text(self, x: float, y: float, words: str, colour: str, anchor: Anchor = "start") -> None:
        """Write words on a baseline; MIDDLE below what they are to be level with."""
        self._texts.append(svg_text(x, self.height - y, words, colour, anchor))

    def svg(self, name: str, label: str) -> Markup:
        """All of it, see `inline_svg`."""
        return inline_svg(self._figure, self._texts, name, label)
