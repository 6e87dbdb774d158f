"""Lines with bands, each labelled at its end by the number of its variant."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup
from matplotlib.collections import LineCollection, PolyCollection

from rnnlab.report.bands import Band
from rnnlab.report.plot_frame import MIDDLE, TEXT, Frame, Scale
from rnnlab.report.svg import MUTED, series_colour

LINE_WIDTH = 1.5
DASHES: tuple[tuple[float, ...], ...] = (
    (), (), (3.5, 1.5), (1, 1), (5, 1.5, 1, 1.5), (7, 2), (2, 1),
)  # fmt: skip
"""By series, in widths of the line: colour is never all that tells two lines apart."""

LABEL_GAP = TEXT + 0.5
"""Least distance of two labels, in pixels."""


@dataclass(frozen=True)
class Line:
    """One variant in a plot."""

    number: int
    name: str
    series: int
    """0: what all plots repeat, drawn thinner and without its band."""
    band: Band


@dataclass(frozen=True)
class Rule:
    """A horizontal line with its name."""

    value: float
    label: str


def line_plot(
    name: str, x: Scale, y: Scale, lines: Sequence[Line], rule: Rule | None = None
) -> Markup:
    """Draw lines into an <svg> element; `name` is unique in the page."""
    frame = Frame(x, y)
    bands = [line for line in lines if line.series and np.isfinite(line.band.low).all()]
    outlines = [
        np.concatenate([frame.place(b.x, b.low), frame.place(b.x, b.high)[::-1]])
        for b in (line.band for line in bands)
    ]
    colours = [series_colour(line.series) for line in bands]
    shaded = PolyCollection(outlines, facecolors=colours, alpha=0.16, linewidths=0)
    frame.add(shaded, clip=True)
    if rule:
        (left, height), (right, _) = frame.place([x.low, x.high], [rule.value] * 2)
        level = [[(left, height), (right, height)]]
        frame.lines(level, colors=MUTED, linewidths=1, linestyles=[(0, (2, 2))])
        frame.text(left + 3, height + 4, rule.label, MUTED)
    paths = [frame.place(line.band.x, line.band.middle) for line in lines]
    drawn = LineCollection(
        paths,
        colors=[series_colour(line.series) for line in lines],
        linewidths=[LINE_WIDTH if line.series else 1 for line in lines],
        linestyles=[(0, DASHES[line.series] or None) for line in lines],
    )
    frame.add(drawn, clip=True)
    low, high = frame.box.y0, frame.box.y1
    ends = [float(np.clip(path[-1, 1], low, high)) for path in paths]
    heights = spread_out(ends, LABEL_GAP, low, high)
    for line, path, height in zip(lines, paths, heights, strict=True):
        colour = series_colour(line.series)
        frame.text(path[-1, 0] + 4, height - MIDDLE, str(line.number), colour)
    return frame.svg(name, _in_words(x, y, lines, rule))


def spread_out(positions: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Move positions apart to at least `gap`, in their order, and as little as possible.

    Least squares: positions minus their rank times `gap` must not fall, which is isotonic
    regression; neighbours that do are pooled until none does (pool adjacent violators). All of it
    stays between `low` and `high` as far as there is room.
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
    """A piece of a series' line, for the key of a plot."""
    dashes = " ".join(f"{length * LINE_WIDTH:g}" for length in DASHES[series])
    style = f"stroke: var(--series-{series}); stroke-dasharray: {dashes or 'none'}"
    return Markup(
        f'<svg class="swatch" viewBox="0 0 26 10" aria-hidden="true">'
        f'<path d="M0 5H26" style="{style}"/></svg>'
    )


def _in_words(x: Scale, y: Scale, lines: Sequence[Line], rule: Rule | None) -> str:
    ends = [f"{line.name} {line.band.middle[-1]:.4g}" for line in lines]
    beside = [rule.label] if rule else []
    return f"{y.label} against {x.label}; at the end: {', '.join([*ends, *beside])}"
