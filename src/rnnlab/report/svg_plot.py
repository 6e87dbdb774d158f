"""A plot on matplotlib's axes that becomes an <svg> element of the page, in the page's colours.

The same plot can become a file of its own, see `Plot.save`.
"""

import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from markupsafe import Markup
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.markers import TICKDOWN
from matplotlib.patheffects import withStroke

from rnnlab.errors import unknown
from rnnlab.report.scales import Scale

SERIES = 6
"""Lines that one plot can tell apart."""

INK, MUTED, RULE = "#0000e1", "#0000e2", "#0000e3"
COLOURS = {
    INK: "var(--ink)", MUTED: "var(--muted)", RULE: "var(--rule)",
    **{f"#0000a{i}": f"var(--series-{i})" for i in range(SERIES + 1)},
}  # fmt: skip
"""Colours to draw in, and the CSS variables that replace them."""

WIDTH, HEIGHT = 400, 280
LEFT, RIGHT, TOP, BOTTOM = 46, 30, 34, 38
"""Size and margins of a plot, in CSS pixels."""

TEXT = 11
"""Font size in CSS pixels; the style sheet sets the same."""

MIDDLE = 0.36 * TEXT
"""Half the height of a digit."""


ANCHORS = {"start": "left", "middle": "center", "end": "right"}
"""matplotlib's names for where a text is held."""

FORMATS = ("png", "pdf", "svg")
"""Of files."""

FILE_DPI = 200
"""Of a file of pixels: 1,111 of them across."""

KEY_GAP, KEY_LETTER = 14, 6.3
"""Between the entries of a key, and the width of a letter in them, in CSS pixels."""


Colours = dict[str, str] | None
"""For a file, what is drawn in place of each colour of the page."""


def check_format(kind: str) -> None:
    """Raise UsageError unless files can have this format."""
    if kind not in FORMATS:
        raise unknown("figure format", kind, FORMATS)


def series_colour(index: int) -> str:
    """Return the colour to draw a series in: 1 to SERIES, or 0 for what all plots repeat."""
    return f"#0000a{index}"


def colours_on_paper() -> dict[str, str]:
    """Return for each colour to draw in what the page has in its place in print and by day."""
    style = (Path(__file__).parent / "report.css").read_text(encoding="utf-8")
    by_day = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", style[: style.index("@media")]))
    return {drawn: by_day[name[len("var(--") : -1]] for drawn, name in COLOURS.items()}


class Plot:
    """Axes with grid, tick labels and names of both scales; others draw on `axes`.

    Text is written in CSS pixels from the lower left, and not by matplotlib: that would measure it,
    in a font that is not the page's, which takes most of the time of a small plot.

    left: margin, in CSS pixels; names on the y axis need more than numbers.
    """

    def __init__(
        self,
        x: Scale,
        y: Scale,
        height: int = HEIGHT,
        colours: Colours = None,
        left: int = LEFT,
    ) -> None:
        self.x, self.y = x, y
        self._height, self._colours, self._left = height, colours or {}, left
        self._texts = list[tuple[float, float, str, str, str]]()
        self._figure = Figure(figsize=(WIDTH / 72, height / 72), dpi=72, frameon=False)
        inside = (left, BOTTOM, WIDTH - left - RIGHT, height - TOP - BOTTOM)
        sides = np.divide(inside, [WIDTH, height, WIDTH, height]).tolist()
        self.axes = self._figure.add_axes(sides, xscale=x.kind, yscale=y.kind)
        self.axes.set(xlim=(x.low, x.high), ylim=(y.low, y.high), autoscale_on=False)
        self.axes.set_axis_off()
        rows, columns = y.ticks(), x.ticks()
        muted, rule = self.colour(MUTED), self.colour(RULE)
        self.axes.hlines([y.low, *rows], x.low, x.high, colors=[muted] + [rule] * len(rows),
                         linewidth=0.8, zorder=0, clip_on=False)  # fmt: skip
        self.axes.plot(columns, [y.low] * len(columns), marker=TICKDOWN, markersize=4, color=muted,
                       linestyle="none", markeredgewidth=0.8, zorder=0, clip_on=False)  # fmt: skip
        for tick in rows:
            self.text(
                left - 7, self.pixels(x.low, tick)[1] - MIDDLE, y.tick_label(tick), MUTED, "end"
            )
        for tick in columns:
            self.text(
                self.pixels(tick, y.low)[0], BOTTOM - 7 - TEXT, x.tick_label(tick), MUTED, "middle"
            )
        self.text(0, height - 12, y.label, INK)
        self.text(WIDTH - RIGHT, 3, x.label, MUTED, "end")
        self._empty = set(self.axes.get_children()), len(self._texts)

    def colour(self, drawn: str) -> str:
        """Return what to draw in, for a colour of the page."""
        return self._colours.get(drawn, drawn)

    def pixels(self, x: float, y: float) -> tuple[float, float]:
        """Return the place of a point."""
        left, up = self.axes.transData.transform((x, y)).tolist()
        return left, up

    def text(self, x: float, y: float, words: str, colour: str, anchor: str = "start") -> None:
        """Write on a baseline that has its start, middle or end (`anchor`) at (x, y)."""
        self._texts.append((x, y, words, colour, anchor))

    def key(self, entries: Sequence[tuple[str, str]]) -> None:
        """Write what each colour stands for, as (words, colour), left of the name of the x axis."""
        left = 0.0
        for words, colour in entries:
            self.text(left, 3, words, colour)
            left += KEY_LETTER * len(words) + KEY_GAP

    def save(self, file: Path) -> None:
        """Write the plot into a file; its ending is the format, such as .png, .pdf or .svg."""
        halo = withStroke(linewidth=3, foreground="white")
        for x, y, words, colour, anchor in self._texts:
            is_inside = self._left <= x <= WIDTH - RIGHT and BOTTOM <= y <= self._height - TOP
            self._figure.text(
                x / WIDTH, y / self._height, words, color=self.colour(colour), fontsize=TEXT,
                ha=ANCHORS[anchor], va="baseline", parse_math=False,
                path_effects=[halo] if is_inside else None,
            )  # fmt: skip
        no_date = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}.get(file.suffix)
        # The same plot becomes the same file.
        with rc_context({"svg.hashsalt": file.stem, "pdf.fonttype": 42}):
            self._figure.savefig(file, dpi=FILE_DPI, facecolor="white", metadata=no_date)

    def svg(self, name: str, label: str) -> Markup:
        """Return the plot as an <svg> element for an HTML page, and empty its axes.

        They can be drawn on again: making new ones takes half of the time of a small plot.
        name: unique in the page, begins every id in the element. label: what the plot shows, for
        screen readers.
        """
        buffer = io.StringIO()
        with rc_context({"svg.hashsalt": name}):  # the same plot gets the same ids
            self._figure.savefig(buffer, format="svg")
        text = buffer.getvalue()
        text = text[text.index(">", text.index("<svg")) + 1 : text.rindex("</svg>")]
        text = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", text, flags=re.DOTALL)
        text = re.sub(r'<g id="[^"]*"', "<g", text)
        text = re.sub(r'( id="|url\(#|href="#)', rf"\g<1>{name}-", text)
        text = re.sub(r"(?<=\d\.\d)\d+(?=\s)", "", text)  # paths to a tenth of a pixel
        text = re.sub("|".join(COLOURS), lambda match: COLOURS[match[0]], text)
        opening = Markup('<svg class="plot" viewBox="0 0 {} {}" role="img" aria-label="{}">')
        drawn = Markup(" ".join(text.replace("xlink:href", "href").split()))
        words = Markup("").join(
            Markup(
                '<text x="{:.1f}" y="{:.1f}" text-anchor="{}" style="fill: {}">{}</text>'
            ).format(x, self._height - y, anchor, COLOURS[colour], text)
            for x, y, text, colour, anchor in self._texts
        )
        svg = opening.format(WIDTH, self._height, label) + drawn + words + Markup("</svg>")
        for artist in set(self.axes.get_children()) - self._empty[0]:
            artist.remove()
        del self._texts[self._empty[1] :]
        return svg


class Picture(NamedTuple):
    """One plot of a result that may have several."""

    part: str
    """Which of several it is, such as a gate; "": the only one."""
    plot: Plot
    label: str
    """What it shows, for screen readers."""
