"""The learning curves of a comparison, in the widths of a paper's columns."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rnnlab.comparison.comparison import Comparison
from rnnlab.comparison.groups import Group
from rnnlab.console import visible
from rnnlab.errors import UsageError
from rnnlab.report.curve_bands import Band, band, t_band
from rnnlab.report.line_plot import DASHES
from rnnlab.report.scales import Scale, scale_for, without_outliers
from rnnlab.report.svg_plot import INK, MUTED, RULE, SERIES, colours_on_paper, series_colour

Across = Literal["tokens", "seconds", "epochs"]
"""What the curves are drawn over."""

ACROSS: dict[Across, str] = {
    "tokens": "tokens trained on", "seconds": "training [s]", "epochs": "epochs",
}  # fmt: skip

WIDTHS = {"": 3.4, "-wide": 7.0}
"""Of one column of a paper and of two, in inches, by what the name of the file ends in."""

HEIGHT = 2.5
"""In inches, without the key."""

FONT = 8
"""In points, as small print is in a paper."""

DPI = 300
"""Of a file of pixels."""

MARKERS = ("o", "s", "^", "D", "v", "P")
"""By series: in black and white, lines differ by dashes and by these."""

MARKED = 6
"""Markers on each line."""

ROOM = 0.02
"""Right of the last point, as a share of the axis."""

EARLY = 0.05
"""Figures of this first share of training may lie outside of the axes."""

KEY_LETTER, KEY_LINE, KEY_GAP = 0.6, 4.0, 1.2
"""In the key, widths of a letter, of a piece of line, and between entries, in font sizes."""


class _Line(NamedTuple):
    group: Group
    band: Band


def comparison_figure(found: Comparison, across: Across = "tokens", suffix: str = "") -> Figure:
    """Draw validation bits per character over what training used, with 95% t bands over seeds.

    suffix: a name in `WIDTHS`. Raises UsageError if there are no curves to compare.
    """
    lines = _lines(found, across)
    if not lines:
        raise UsageError("no learning curves: the runs have none that can be compared")
    last = max(float(line.band.x[-1]) for line in lines)
    x = scale_for(ACROSS[across], [0.0, last * (1 + ROOM)], margin=0)
    y = scale_for("validation bits/character", without_outliers(_late(lines, last)), margin=0.06)
    colours, width = colours_on_paper(), WIDTHS[suffix]
    names = [_name(line.group) for line in lines]
    columns = _columns(names, width)
    with rc_context({"font.size": FONT, "axes.linewidth": 0.6, "text.parse_math": False}):
        key_rows = -(-len(lines) // columns)
        height = HEIGHT + 0.16 * key_rows
        figure = Figure(figsize=(width, height), layout="constrained")
        axes = figure.subplots()
        for number, (group, each) in enumerate(lines):
            series = 1 + number % SERIES
            dash = DASHES[1 + (number + number // SERIES) % SERIES]
            colour = colours[series_colour(series)]
            if len(group.members) > 1:
                axes.fill_between(
                    each.x, each.low, each.high, color=colour, alpha=0.18, linewidth=0
                )
            axes.plot(
                each.x, y.near(each.middle), color=colour, linewidth=1.1,
                linestyle=(0, dash or None), marker=MARKERS[series - 1], markersize=3.2,
                markerfacecolor="white", markeredgewidth=0.8, label=names[number],
                markevery=_marked(each, number, last),
            )  # fmt: skip
        _dress(axes, x, y, colours)
        figure.legend(
            loc="outside lower left", ncols=columns, frameon=False, fontsize=FONT,
            handlelength=3.2, columnspacing=KEY_GAP, borderaxespad=0,
        )  # fmt: skip
    return figure


def save_curves(
    found: Comparison, folder: Path, kinds: Sequence[str], across: Across
) -> list[Path]:
    """Write curves.KIND and curves-wide.KIND for each kind into a folder; return the files."""
    files = []
    for suffix in WIDTHS:
        figure = comparison_figure(found, across, suffix)
        for kind in kinds:
            files.append(folder / f"curves{suffix}.{kind}")
            no_date = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(kind)
            # The same figure becomes the same file, and its text stays text.
            with rc_context({"svg.hashsalt": "rnnlab", "pdf.fonttype": 42}):
                figure.savefig(files[-1], dpi=DPI, metadata=no_date)
    return files


def curves_svg(found: Comparison, across: Across) -> str:
    """Return the figure as an <svg> element for a page."""
    buffer = io.StringIO()
    figure = comparison_figure(found, across)
    with rc_context({"svg.hashsalt": "rnnlab-page"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue().partition("<svg ")[1] + buffer.getvalue().partition("<svg ")[2]


def _lines(found: Comparison, across: Across) -> list[_Line]:
    """Return the curve of each group that has one, with its band."""
    if not found.has_curves:
        return []
    lines = []
    for group in found.groups:
        curves = [
            [(float(getattr(point, across)), point.bits_per_character) for point in member.curve]
            for member in group.members
            if member.curve
        ]
        if curves and (made := band(curves, t_band)):
            lines.append(_Line(group, made))
    return lines


def _name(group: Group) -> str:
    seeds = f" ({len(group.members)} seeds)" if len(group.members) > 1 else ""
    return visible(group.name) + seeds


def _columns(names: Sequence[str], width: float) -> int:
    """Return how many entries of the key stand side by side, in a width in inches."""
    entry = FONT * (KEY_LINE + KEY_LETTER * max(map(len, names)) + KEY_GAP)
    return max(1, min(len(names), int(72 * width / entry)))


def _late(lines: Sequence[_Line], last: float) -> list[float]:
    """Return the figures that the axis shows: not those of the first steps."""
    shown = list[float]()
    for _, each in lines:
        late = (each.x >= EARLY * last) | (each.x == each.x[-1])
        for values in (each.middle, each.low, each.high):
            shown += [float(v) for v in values[late] if np.isfinite(v)]
    return shown


def _marked(each: Band, number: int, last: float) -> list[int]:
    """Return the points that get a marker: at even places of the axis, a little apart by line."""
    wanted = (np.arange(MARKED) + 0.5 + 0.12 * (number % SERIES)) * last / MARKED
    near = {int(np.abs(each.x - place).argmin()) for place in wanted}
    return sorted({*near, len(each.x) - 1})


def _dress(axes: Axes, x: Scale, y: Scale, colours: dict[str, str]) -> None:
    """Set limits, ticks and labels as the plots of reports have them."""
    axes.set(xlim=(x.low, x.high), ylim=(y.low, y.high), xlabel=x.label, ylabel=y.label)
    axes.set_xticks(x.ticks(), [x.tick_label(tick) for tick in x.ticks()])
    axes.set_yticks(y.ticks(), [y.tick_label(tick) for tick in y.ticks()])
    axes.tick_params(length=2.5, width=0.6, color=colours[MUTED], labelcolor=colours[INK])
    axes.grid(axis="y", color=colours[RULE], linewidth=0.5)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
