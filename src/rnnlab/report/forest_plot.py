"""A forest plot: the difference on each text with its interval, and over all at the bottom."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from rnnlab.report.formatting import shortened
from rnnlab.report.scales import Scale, scale_for
from rnnlab.report.svg_plot import BOTTOM, INK, MUTED, RIGHT, RULE, TOP, WIDTH, Plot, series_colour

ROW = 32
"""Height of a row [CSS pixels]: a line of text above its interval."""

CHARACTERS = 30
"""Longest name of a text that leaves room for its figures."""


@dataclass(frozen=True)
class ForestRow:
    """A difference, or a ratio, and its interval; the interval may be missing."""

    name: str
    estimate: float
    low: float | None
    high: float | None
    figures: str
    """Estimate and interval in words."""
    pooled: bool = False
    """Whether it is of all texts."""


@dataclass(frozen=True)
class _Rows(Scale):
    """Rows from top to bottom, without ticks."""

    def ticks(self) -> list[float]:
        return []


def forest_plot(
    name: str, title: str, label: str, rows: Sequence[ForestRow], *, ratio: bool, margin: float
) -> Markup:
    """Return the plot as an <svg> element.

    name: unique in the page. title: what is compared. label: of the axis. margin: drawn on both
    sides of equality, 0: none; a factor above 1 if `ratio`.
    """
    equal = 1.0 if ratio else 0.0
    limits = ([1 / margin, margin] if ratio else [-margin, margin]) if margin > equal else []
    ends = [end for row in rows for end in (row.low, row.high, row.estimate) if end is not None]
    x = scale_for(label, [*ends, *limits, equal], log=ratio, margin=0.08)
    plot = Plot(x, _Rows(title, 0, len(rows)), TOP + BOTTOM + ROW * len(rows))
    for number, row in enumerate(rows):
        middle = len(rows) - number - 0.5
        line, words = middle - 0.25, middle + 0.02
        colour = INK if row.pooled else series_colour(1)
        if limits:
            low, high = limits
            plot.axes.broken_barh(
                [(low, high - low)], (line - 0.17, 0.34), color=plot.colour(RULE), zorder=0
            )
        plot.axes.vlines(
            equal, line - 0.2, line + 0.2, colors=plot.colour(MUTED), linewidth=1, zorder=1
        )
        if row.pooled:
            top = middle + 0.5
            plot.axes.axhline(top, color=plot.colour(RULE), linewidth=0.8, zorder=0)
        if row.low is not None and row.high is not None:
            low, high = x.near([row.low, row.high])
            plot.axes.plot(
                [low, high], [line, line], color=plot.colour(colour), linewidth=1.8,
                solid_capstyle="butt", zorder=2,
            )  # fmt: skip
        (place,) = x.near([row.estimate])
        plot.axes.plot(
            [place], [line], marker="D" if row.pooled else "o", color=plot.colour(colour),
            markersize=7 if row.pooled else 5.5, linestyle="none", zorder=3,
        )  # fmt: skip
        height = plot.pixels(x.low, words)[1]
        plot.text(0, height, shortened(row.name, CHARACTERS), INK)
        plot.text(WIDTH - RIGHT, height, row.figures, INK if row.pooled else MUTED, "end")
    told = "; ".join(f"{row.name} {row.figures}" for row in rows)
    return plot.svg(name, f"{title}, {label}: {told}")
