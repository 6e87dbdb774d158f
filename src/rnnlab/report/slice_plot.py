"""An outcome against one setting of a search."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup
from matplotlib.collections import PathCollection
from matplotlib.markers import MarkerStyle
from matplotlib.path import Path
from matplotlib.transforms import Affine2D

from rnnlab.experiments.settings import Range
from rnnlab.report.formatting import setting
from rnnlab.report.plot_frame import Frame, Scale, linear, logarithmic
from rnnlab.report.svg import MUTED, series_colour

SIZE, BEST_SIZE, STROKE = 5.0, 8.0, 7.0
"""Of a point, of the best one, of what has no figure; in pixels."""


@dataclass(frozen=True)
class Choices(Scale):
    """A scale of names, side by side."""

    names: tuple[str, ...] = ()

    def ticks(self) -> list[float]:
        """One a name."""
        return [float(index) for index in range(len(self.names))]

    def words(self, value: float) -> str:
        """The name itself."""
        return self.names[round(value)]


def slice_plot(
    name: str,
    label: str,
    span: Range,
    outcome: Scale,
    points: Sequence[tuple[Any, float]],
    without: Sequence[Any],
    best: int,
) -> Markup:
    """Draw into an <svg> element.

    name: unique in the page. points: the setting's value and the outcome, of which `best` is marked
    as the best; what lies beyond the scale is drawn hollow on its edge. without: values of runs
    that have no outcome, which stand at the top edge.
    """
    scale = setting_scale(label, span)
    frame = Frame(scale, outcome, height=220)
    at = frame.place(
        [position(value, span) for value, _ in points], [figure for _, figure in points]
    )
    places = np.clip(at, [-np.inf, frame.box.y0], [np.inf, frame.box.y1])
    inside = (at == places).all(axis=1)
    for fill, width, chosen in ((series_colour(1), 0, inside), ("none", 1, ~inside)):
        dots = [_shape("o", SIZE, place) for place in places[chosen]]
        frame.add(
            PathCollection(
                dots, facecolors=fill, edgecolors=series_colour(1), linewidths=width, alpha=0.7
            )
        )
    if without:
        top = [outcome.high] * len(without)
        ends = frame.place([position(value, span) for value in without], top)
        strokes = [[(x, y), (x, y - STROKE)] for x, y in ends]
        frame.lines(strokes, colors=MUTED, linewidths=1)
    frame.add(
        PathCollection(
            [_shape("D", BEST_SIZE, places[best])], facecolors=series_colour(2), linewidths=0
        )
    )
    value, figure = points[best]
    words = f"{outcome.label} against {label}; the best: {figure:.4g} at {setting(value)}"
    return frame.svg(name, words)


def setting_scale(label: str, span: Range) -> Scale:
    """The scale of a searched setting, all of its range."""
    if span.choices:
        names = tuple(setting(choice) for choice in span.choices)
        return Choices(label, -0.5, len(names) - 0.5, names=names)
    make = logarithmic if span.log else linear
    return make(label, span.bounds, 0.03)


def position(value: Any, span: Range) -> float:
    """Where a value is on that scale."""
    return float(span.choices.index(value)) if span.choices else float(value)


def _shape(marker: str, size: float, place: Sequence[float]) -> Path:
    style = MarkerStyle(marker)
    path = style.get_path().transformed(style.get_transform())
    return path.transformed(Affine2D().scale(size).translate(*place))
