"""Lines with bands, each labelled at its end with the number of its variant."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup
from matplotlib.collections import LineCollection, PolyCollection

from rnnlab.report.curve_bands import Band, Values
from rnnlab.report.svg_plot import MIDDLE, MUTED, TEXT, Plot, series_colour

LINE_WIDTH = 1.5
DASHES: tuple[tuple[float, ...], ...] = (
    (), (), (3.5, 1.5), (1, 1), (5, 1.5, 1, 1.5), (7, 2), (2, 1),
)  # fmt: skip
"""By series, in widths of the line: colour is not the only difference between two lines."""

LABEL_GAP = TEXT + 0.5
"""Least distance between two labels, in pixels."""


@dataclass(frozen=True)
class Line:
    """One variant in a plot."""

    number: int
    name: str
    series: int
    """0: the reference that all plots repeat, drawn thinner and without its band."""
    band: Band


@dataclass(frozen=True)
class Level:
    """A dashed horizontal line with its label."""

    value: float
    label: str


def line_plot(name: str, plot: Plot, lines: Sequence[Line], level: Level | None = None) -> Markup:
    """Draw lines on an empty plot and return its <svg> element; `name` is unique in the page."""
    x, y = plot.x, plot.y
    if level:
        plot.axes.axhline(level.value, color=MUTED, linewidth=1, dashes=(2, 2))
        left, height = plot.pixels(x.low, level.value)
        plot.text(left + 3, height + 4, level.label, MUTED)
    shaded = [line for line in lines if line.series and np.isfinite(line.band.low).all()]
    outlines = [
        np.concatenate([_points(b.x, y.near(b.low)), _points(b.x, y.near(b.high))[::-1]])
        for b in (line.band for line in shaded)
    ]
    colours = [series_colour(line.series) for line in shaded]
    bands = PolyCollection(outlines, facecolors=colours, alpha=0.16, linewidths=0)
    plot.axes.add_collection(bands, autolim=False)
    middles = LineCollection(
        [_points(line.band.x, y.near(line.band.middle)) for line in lines],
        colors=[series_colour(line.series) for line in lines],
        linewidths=[LINE_WIDTH if line.series else 1 for line in lines],
        linestyles=[(0, DASHES[line.series] or None) for line in lines],
    )
    plot.axes.add_collection(middles, autolim=False)
    last = [(line.band.x[-1], np.clip(line.band.middle[-1], y.low, y.high)) for line in lines]
    ends = [plot.pixels(*point) for point in last]
    box = plot.axes.bbox
    heights = spread_out([height for _, height in ends], LABEL_GAP, box.y0, box.y1)
    for line, (right, _), height in zip(lines, ends, heights, strict=True):
        plot.text(right + 4, height - MIDDLE, str(line.number), series_colour(line.series))
    told = [f"{line.name} {line.band.middle[-1]:.4g}" for line in lines]
    told += [level.label] if level else []
    return plot.svg(name, f"{y.label} against {x.label}; at the end: {', '.join(told)}")


def spread_out(positions: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Move positions apart to at least `gap`, in their order, and as little as possible.

    Least squares: positions minus their rank times `gap` must not fall, which is isotonic
    regression; neighbours that do are pooled until none does (pool adjacent violators). All
    positions stay between `low` and `high` if there is room.
    """
    order = sorted(range(len(positions)), key=lambda i: positions[i])
    pools: list[tuple[float, int]] = []  # mean and size
    for rank, i in enumerate(order):
        mean, size = positions[i] - rank * gap, 1
        while pools and pools[-1][0] > mean:
            other, count = pools.pop()
            mean, size = (mean * size + other * count) / (size + count), size + count
        pools.append((mean, size))
    top = max(low, high - (len(order) - 1) * gap)
    levels = [min(max(mean, low), top) for mean, size in pools for _ in range(size)]
    placed = {i: levels[rank] + rank * gap for rank, i in enumerate(order)}
    return [placed[i] for i in range(len(positions))]


def line_swatch(series: int) -> Markup:
    """Return a piece of a series' line, for the key of a plot."""
    dashes = " ".join(f"{length * LINE_WIDTH:g}" for length in DASHES[series])
    style = f"stroke: var(--series-{series}); stroke-dasharray: {dashes or 'none'}"
    return Markup(
        f'<svg class="swatch" viewBox="0 0 26 10" aria-hidden="true">'
        f'<path d="M0 5H26" style="{style}"/></svg>'
    )


def _points(x: Values, y: Values) -> Values:
    return np.column_stack([x, y])
