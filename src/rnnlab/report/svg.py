"""A matplotlib figure becomes part of a page: its colours and fonts are the page's."""

import io
import re
from collections.abc import Iterable
from typing import Literal

from markupsafe import Markup
from matplotlib import rc_context
from matplotlib.figure import Figure

Anchor = Literal["start", "middle", "end"]

SERIES = 6
"""Lines that one plot tells apart."""

INK, MUTED, RULE = "#0000e1", "#0000e2", "#0000e3"
COLOURS = {
    INK: "var(--ink)", MUTED: "var(--muted)", RULE: "var(--rule)",
    **{f"#0000a{i}": f"var(--series-{i})" for i in range(SERIES + 1)},
}  # fmt: skip
"""What to draw in, and the CSS variable that it becomes. Series 0 is what all plots repeat."""


def series_colour(index: int) -> str:
    """The colour to draw a series in, 0 to SERIES."""
    return f"#0000a{index}"


def svg_text(x: float, y: float, words: str, colour: str, anchor: Anchor = "start") -> Markup:
    """Words whose baseline begins, or is centred, or ends at (x, y), pixels from upper left.

    Written without matplotlib, which would measure them in a font that is not the page's.
    """
    where = Markup('<text x="{:.1f}" y="{:.1f}" text-anchor="{}"').format(x, y, anchor)
    return where + Markup(' style="fill: {}">{}</text>').format(COLOURS[colour], words)


def inline_svg(figure: Figure, texts: Iterable[Markup], name: str, label: str) -> Markup:
    """Return the figure with its texts as an <svg> element for an HTML page.

    name: unique in the page, begins every id in the element. label: what the picture shows, for
    those who do not see it.
    """
    buffer = io.StringIO()
    with rc_context({"svg.hashsalt": name}):  # ids that are the same each time
        figure.savefig(buffer, format="svg")
    text = buffer.getvalue()
    (box,) = re.findall(r'viewBox="([^"]*)"', text)
    text = text[text.index(">", text.index("<svg")) + 1 : text.rindex("</svg>")]
    text = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", text, flags=re.DOTALL)
    text = re.sub(r'<g id="[^"]*"', "<g", text)
    text = re.sub(r'( id="|url\(#|href="#)', rf"\g<1>{name}-", text).replace("xlink:href", "href")
    text = re.sub(r"(?<=\d\.\d)\d+(?=\s)", "", text)  # paths to a tenth of a pixel
    text = re.sub("|".join(COLOURS), lambda match: COLOURS[match[0]], text)
    opening = Markup('<svg class="plot" viewBox="{}" role="img" aria-label="{}">').format(
        box, label
    )
    return opening + Markup(" ".join(text.split())) + Markup("").join(texts) + Markup("</svg>")
