"""Pictures of the course: drawn with matplotlib, readable on a light and on a dark page."""

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb, to_rgba
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.spines import Spine
from matplotlib.text import Text

INK = "#7b7b7b"
"""Of text and axes: as far from white as from black."""

BLUE, ORANGE, GREEN, PURPLE = "#3d85c6", "#d9822b", "#3f9c5a", "#a069c2"
COLOURS = (BLUE, ORANGE, GREEN, PURPLE)
"""Of lines, in their order."""

BLACK = to_rgba("black")


class Picture(Figure):
    """A figure without background, which a notebook shows if it is the last line of a cell."""

    def _repr_svg_(self) -> str:
        """Return the picture; what is black by default gets the colour of ink."""
        for text in self.findobj(Text):
            if isinstance(text, Text) and to_rgba(text.get_color()) == BLACK:
                text.set_color(INK)
        for line in self.findobj(Line2D):
            if isinstance(line, Line2D) and to_rgba(line.get_color()) == BLACK:
                line.set_color(INK)
        for spine in self.findobj(Spine):
            if isinstance(spine, Spine):
                spine.set_edgecolor(INK)
        for legend in self.findobj(Legend):
            if isinstance(legend, Legend):
                legend.set_frame_on(False)
        buffer = io.StringIO()
        with rc_context({"svg.hashsalt": "rnnlab", "svg.fonttype": "path"}):
            self.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
        return buffer.getvalue()


def picture(
    title: str, x: str, y: str, width: float = 7.0, height: float = 2.8
) -> tuple[Picture, Axes]:
    """Return a picture and its axes, with a title and what the axes show; sizes in inches."""
    figure = Picture(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    axes.set_prop_cycle(color=COLOURS)
    axes.set_title(title, loc="left", fontsize=10)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(color=INK)
    return figure, axes


def heat_map(
    axes: Axes, values: npt.ArrayLike, rows: Sequence[str], columns: Sequence[str]
) -> None:
    """Draw values between -1 and 1, (rows, columns): orange above 0, blue below, clear at 0."""
    shown: npt.NDArray[Any] = np.asarray(values, float)
    colours = np.empty((*shown.shape, 4))
    colours[..., :3] = np.where((shown > 0)[..., None], to_rgb(ORANGE), to_rgb(BLUE))
    colours[..., 3] = np.clip(np.abs(shown), 0, 1)
    axes.imshow(colours, aspect="auto", interpolation="nearest")
    axes.set_yticks(range(len(rows)), rows)
    axes.set_xticks(range(len(columns)), columns)
    axes.tick_params(length=0)
