"""One outcome of each variant against another, each point labelled by its variant's number."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup
from matplotlib.collections import PathCollection
from matplotlib.markers import MarkerStyle
from matplotlib.transforms import Affine2D

from rnnlab.report.plot_frame import MIDDLE, TEXT, Frame, Scale
from rnnlab.report.svg import INK, series_colour

MARKERS = (
    ("o", "M6 1.5a4.5 4.5 0 1 0 .01 0z"), ("s", "M2 2h8v8h-8z"), ("^", "M6 1l5 9h-10z"),
    ("D", "M6 .8l5.2 5.2l-5.2 5.2l-5.2-5.2z"), ("v", "M6 11l5-9h-10z"),
    ("P", "M4 1h4v3h3v4h-3v3h-4v-3h-3v-4h3z"),
)  # fmt: skip
"""By series, from 1: for matplotlib, and as a path in a box of 12 pixels."""

SIZE = 6.0
"""Of a point, in pixels."""


@dataclass(frozen=True)
class Mean:
    """A mean and its interval, which has no width where it is one value."""

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

    What lies beyond the axes is drawn hollow on their edge.
    """
    frame = Frame(x, y, height=320)
    means = frame.place([p.x.mean for p in points], [p.y.mean for p in points])
    places = np.clip(means, frame.box.p0, frame.box.p1)
    for point, mean, place in zip(points, means, places, strict=True):
        colour = series_colour(point.series)
        ends = frame.place(
            [point.x.low, point.x.high, point.x.mean, point.x.mean],
            [point.y.mean, point.y.mean, point.y.low, point.y.high],
        )
        bars = [ends[:2], ends[2:]]
        frame.lines(bars, clip=True, colors=colour, linewidths=0.9)
        marker = MarkerStyle(MARKERS[point.series - 1][0])
        shape = marker.get_path().transformed(marker.get_transform())
        shape = shape.transformed(Affine2D().scale(SIZE).translate(*place))
        inside = bool((mean == place).all())
        fill, edge = (colour, 0) if inside else ("none", 1.2)
        frame.add(PathCollection([shape], facecolors=fill, edgecolors=colour, linewidths=edge))
    labels = [str(point.number) for point in points]
    for text, (px, py) in zip(labels, label_places(places.tolist(), labels), strict=True):
        frame.text(px, py - MIDDLE, text, INK, "middle")
    return frame.svg(name, _in_words(x, y, points))


def label_places(
    points: Sequence[tuple[float, float]], labels: Sequence[str]
) -> list[tuple[float, float]]:
    """Find a centre for each label beside its point where it covers neither points nor labels.

    Each takes the first free place of those around its point, nearest first; where none is free,
    the one that covers least. All in pixels.
    """
    taken: list[Box] = [(px, py, SIZE, SIZE) for px, py in points]
    found = []
    for (px, py), text in zip(points, labels, strict=True):
        width, height = 0.62 * TEXT * len(text), TEXT
        places = []
        for reach in (1.0, 1.7, 2.6):
            dx, dy = reach * (SIZE + width) / 2 + 2, reach * (SIZE + height) / 2 + 2
            places += [
                (px + dx, py), (px - dx, py), (px, py + dy), (px, py - dy),
                (px + dx, py + dy), (px + dx, py - dy), (px - dx, py + dy), (px - dx, py - dy),
            ]  # fmt: skip
        boxes = [(cx, cy, width, height) for cx, cy in places]
        free = (box for box in boxes if not _covered(box, taken))
        best = next(free, None) or min(boxes, key=lambda box: _covered(box, taken))
        taken.append(best)
        found.append(best[:2])
    return found


def marker_swatch(series: int) -> Markup:
    """A series' point, for the key of a plot."""
    path, style = MARKERS[series - 1][1], f"fill: var(--series-{series})"
    return Markup(
        f'<svg class="swatch point" viewBox="0 0 12 12" aria-hidden="true">'
        f'<path d="{path}" style="{style}"/></svg>'
    )


Box = tuple[float, float, float, float]
"""Centre, width, height."""


def _covered(box: Box, others: Sequence[Box]) -> float:
    """Area of others that a box covers."""
    area = 0.0
    for other in others:
        width = (box[2] + other[2]) / 2 - abs(box[0] - other[0])
        height = (box[3] + other[3]) / 2 - abs(box[1] - other[1])
        area += max(0.0, width) * max(0.0, height)
    return area


def _in_words(x: Scale, y: Scale, points: Sequence[Point]) -> str:
    pairs = ", ".join(f"{p.name} {p.y.mean:.4g} at {p.x.mean:,.4g}" for p in points)
    return f"{y.label} against {x.label}: {pairs}"
