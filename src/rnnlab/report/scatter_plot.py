"""Plots of points: variants by two outcomes, and trials by a setting and an outcome."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup
from matplotlib.markers import TICKDOWN, MarkerStyle
from numpy.typing import NDArray

from rnnlab.report.scales import Scale
from rnnlab.report.svg_plot import INK, MIDDLE, MUTED, TEXT, Plot, series_colour

MARKERS = ("o", "s", "^", "D", "v", "P")
"""By series, from 1."""

RINGS = 12
"""How many rings around a point are searched for a free place for its label."""

LEADER_FROM = 1.9 * TEXT
"""A label farther from its point than this, in pixels, is connected with it by a line."""

SIZE, TRIAL_SIZE, BEST_SIZE, STROKE = 6.0, 5.0, 8.0, 7.0
"""Sizes in pixels: a variant, a trial, the best trial, a trial without a figure."""


@dataclass(frozen=True)
class Mean:
    """A mean and its interval, which has no width if it is of one value."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Point:
    """A variant."""

    number: int
    name: str
    series: int
    x: Mean
    y: Mean


def scatter_plot(name: str, x: Scale, y: Scale, points: Sequence[Point]) -> Markup:
    """Draw points with their intervals into an <svg> element; `name` is unique in the page.

    Points outside of the axes are drawn hollow on their edge.
    """
    plot = Plot(x, y, height=320)
    means = np.array([(point.x.mean, point.y.mean) for point in points])
    shown = np.clip(means, [x.low, y.low], [x.high, y.high])
    for point, place in zip(points, shown, strict=True):
        colour = series_colour(point.series)
        for xs, ys in (((point.x.low, point.x.high), (point.y.mean, point.y.mean)),
                       ((point.x.mean, point.x.mean), (point.y.low, point.y.high))):  # fmt: skip
            plot.axes.plot(x.near(xs), y.near(ys), color=colour, linewidth=0.9)
        inside = is_inside(point, x, y)
        plot.axes.plot(
            *place, MARKERS[point.series - 1], color=colour, markersize=SIZE, clip_on=False,
            fillstyle="full" if inside else "none", markeredgewidth=0 if inside else 1.2,
        )  # fmt: skip
    labels = [str(point.number) for point in points]
    box = plot.axes.bbox
    centres = label_places(
        [plot.pixels(*place) for place in shown], labels, (box.x0, box.y0, box.x1, box.y1)
    )
    for text, (px, py), place in zip(labels, centres, shown, strict=True):
        leader(plot, place, (px, py))
        plot.text(px, py - MIDDLE, text, INK, "middle")
    told = ", ".join(f"{p.name} {p.y.mean:.4g} at {p.x.mean:,.4g}" for p in points)
    return plot.svg(name, f"{y.label} against {x.label}: {told}")


def slice_plot(
    name: str,
    x: Scale,
    y: Scale,
    points: Sequence[tuple[float, float]],
    without_figure: Sequence[float],
    best: int,
) -> Markup:
    """Draw trials by one setting and the outcome into an <svg> element.

    name: unique in the page. points: (setting, outcome) of each trial, `best` is the index of the
    best. Trials above or below the axes are drawn hollow on their edge; those without a figure, of
    which the setting is given, are strokes at the upper edge.
    """
    plot = Plot(x, y, height=220)
    xs, ys = np.array(points).T
    shown = np.clip(ys, y.low, y.high)
    for fillstyle, width, which in (("full", 0, ys == shown), ("none", 1, ys != shown)):
        plot.axes.plot(
            xs[which], shown[which], "o", color=series_colour(1), markersize=TRIAL_SIZE, alpha=0.7,
            fillstyle=fillstyle, markeredgewidth=width, clip_on=False,
        )  # fmt: skip
    plot.axes.plot(
        without_figure, [y.high] * len(without_figure), marker=TICKDOWN, color=MUTED,
        markersize=STROKE, linestyle="none", clip_on=False,
    )  # fmt: skip
    plot.axes.plot(
        xs[best], shown[best], "D", color=series_colour(2), markersize=BEST_SIZE,
        markeredgewidth=0, clip_on=False,
    )  # fmt: skip
    told = f"{ys[best]:.4g} at {x.tick_label(xs[best]) if x.names else format(xs[best], '.6g')}"
    return plot.svg(name, f"{y.label} against {x.label}; the best: {told}")


def is_inside(point: Point, x: Scale, y: Scale) -> bool:
    """Whether a point lies inside of the axes."""
    return x.low <= point.x.mean <= x.high and y.low <= point.y.mean <= y.high


def leader(plot: Plot, place: NDArray[np.float64], centre: tuple[float, float]) -> None:
    """Draw a thin line from a point to its label, if the label is not next to it."""
    px, py = plot.pixels(*place)
    if math.dist((px, py), centre) > LEADER_FROM:
        share = 1 - 0.7 * TEXT / math.dist((px, py), centre)  # it ends in front of the label
        end = px + share * (centre[0] - px), py + share * (centre[1] - py)
        ends = plot.axes.transData.inverted().transform([(px, py), end])
        plot.axes.plot(*ends.T, color=MUTED, linewidth=0.5, zorder=0.5)


def label_places(
    points: Sequence[tuple[float, float]],
    labels: Sequence[str],
    inside: tuple[float, float, float, float] = (-math.inf, -math.inf, math.inf, math.inf),
) -> list[tuple[float, float]]:
    """Find a centre for each label near its point where it covers neither points nor labels.

    Each takes the first free place on rings around its point, nearest first; if none is free, the
    one that covers least. inside: left, bottom, right and top of where labels may be beyond the
    first ring. All in pixels.
    """
    taken: list[Box] = [(px, py, SIZE, SIZE) for px, py in points]
    left, bottom, right, top = inside
    found = []
    for (px, py), text in zip(points, labels, strict=True):
        width, height = 0.62 * TEXT * len(text), TEXT
        boxes: list[Box] = []
        for ring in range(RINGS):
            reach = 1 + 0.8 * ring
            dx, dy = reach * (SIZE + width) / 2 + 2, reach * (SIZE + height) / 2 + 2
            for turn in range(8 + 4 * ring):
                angle = 2 * math.pi * turn / (8 + 4 * ring)
                cx, cy = px + dx * math.cos(angle), py + dy * math.sin(angle)
                if not ring:  # the corners of a square leave more room than a circle
                    cx, cy = px + dx * round(math.cos(angle)), py + dy * round(math.sin(angle))
                if not ring or (left <= cx <= right and bottom <= cy <= top):
                    boxes.append((cx, cy, width, height))
        free = (box for box in boxes if not _covered(box, taken))
        best = next(free, None) or min(boxes, key=lambda box: _covered(box, taken))
        taken.append(best)
        found.append(best[:2])
    return found


def marker_swatch(series: int) -> Markup:
    """Return a series' point, for the key of a plot."""
    marker = MarkerStyle(MARKERS[series - 1])
    path = marker.get_path().transformed(marker.get_transform())
    corners = np.concatenate([np.asarray(polygon) for polygon in path.to_polygons()])
    points = " ".join(f"{6 + 9 * x:.1f},{6 - 9 * y:.1f}" for x, y in corners)
    return Markup(
        f'<svg class="swatch point" viewBox="0 0 12 12" aria-hidden="true">'
        f'<polygon points="{points}" style="fill: var(--series-{series})"/></svg>'
    )


Box = tuple[float, float, float, float]
"""Centre, width, height."""


def _covered(box: Box, others: Sequence[Box]) -> float:
    """Return the area of others that a box covers."""
    area = 0.0
    for other in others:
        width = (box[2] + other[2]) / 2 - abs(box[0] - other[0])
        height = (box[3] + other[3]) / 2 - abs(box[1] - other[1])
        area += max(0.0, width) * max(0.0, height)
    return area
