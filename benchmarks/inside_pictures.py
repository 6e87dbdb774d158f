"""The pictures of inside.py: SVG files that need nothing else, on light and on dark pages."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup, escape

from rnnlab.report import svg_plot
from rnnlab.report.line_plot import spread_out
from rnnlab.report.scales import Scale, scale_for
from rnnlab.report.svg_plot import MUTED, TEXT, Plot, series_colour

WIDTH, ROW, MARGIN = 400, 19, 8
"""In pixels: of every picture, of a row, around a text."""
NAMES, TAIL = 158, 44
"""Pixels to the left and to the right of rows of dots."""
LINE, LETTER, WIDEST = 17, 6.4, 60
"""Height of a line of a text, width of a letter, letters in a line."""
STEPS = 8
"""Strengths of a colour."""

COLOURS = {"lstm": 1, "gru": 3, "rnn": 2}
DASHES: dict[str, tuple[float, ...]] = {"lstm": (), "gru": (3.5, 1.5), "rnn": (1, 1)}

Figures = Mapping[str, Any]


def draw(figures: Figures, shown: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """Return all pictures by name; the same bytes for the same figures."""
    found = dict[str, str]()
    for name, titles in shown.items():
        runs = list(figures[name].values())
        found[f"{name}-follows"] = followed(runs)
        if runs[0]["passage"]["units"]:
            found[f"{name}-costs"] = costs(runs)
            found[f"{name}-units"] = coloured(runs[0]["passage"], titles)
    cells = {cell: list(figures[cell].values()) for cell in COLOURS}
    found["reach-untrained"] = gradients(cells, "untrained_gradient", "before training")
    found["reach-trained"] = gradients(cells, "gradient", "trained")
    found["reach-context"] = contexts(cells)
    return found


def followed(runs: Sequence[Figures]) -> str:
    """Draw for each feature how closely the best unit follows it, with the controls."""
    names = sorted(runs[0]["features"], key=lambda n: -mean(runs, n, "r"))
    rows = []
    for name in names:
        own = [run["features"][name] for run in runs if name in run["features"]]
        rows.append((
            name, [(one["r"], None, "unit" in one) for one in own],
            float(np.mean([one["limit"] for one in own])),
            float(np.mean([one["ngram"] for one in own])),
            f"{sum('unit' in one for one in own)} of {len(own)}",
        ))  # fmt: skip
    return dots(rows, Scale("|r| of the unit that follows the feature most closely", 0, 1))


def costs(runs: Sequence[Figures]) -> str:
    """Draw what it costs to hold the unit that follows a feature most closely."""
    rows = []
    for name in sorted(runs[0]["features"], key=lambda n: -mean(runs, n, "r")):
        own = [one["cost"] for run in runs if "cost" in (one := run["features"].get(name, {}))]
        if own:
            out = [one["at_mean"] - one["half_width"] > max(0, one["limit"]) for one in own]
            dotted = [(c["at_mean"], c["half_width"], o) for c, o in zip(own, out, strict=True)]
            limit = float(np.mean([one["limit"] for one in own]))
            rows.append((name, dotted, limit, None, f"{sum(out)} of {len(own)}"))
    ends = [0.0] + [x for row in rows for v, h, _ in row[1] for x in (v - h, v + h)]
    ends += [row[2] for row in rows]
    return dots(rows, scale_for("bits/character more with the unit held", ends))


def mean(runs: Sequence[Figures], name: str, figure: str) -> float:
    """Return the mean of a figure of a feature over the runs that have it."""
    return float(np.mean([r["features"][name][figure] for r in runs if name in r["features"]]))


def dots(rows: Sequence[tuple[Any, ...]], scale: Scale) -> str:
    """Draw rows: a name, a dot for each seed (value, half of its interval, whether it is found),
    the limit as a line, another control as a cross, and words."""
    height, left, right = ROW * len(rows) + 40, NAMES, WIDTH - TAIL
    bottom = height - 34

    def x(value: float) -> float:
        return left + (right - left) * (value - scale.low) / (scale.high - scale.low)

    parts = [
        Markup('<path class="rule" d="M{:.1f} 4V{}"/>').format(x(tick), bottom)
        + words(x(tick), bottom + 13, scale.tick_label(tick), "muted", "middle")
        for tick in scale.ticks()
    ]
    parts.append(words(right, height - 6, scale.label, "muted", "end"))
    for number, (name, seeds, limit, other, tail) in enumerate(rows):
        y = 6 + ROW * (number + 0.5)
        parts.append(words(left - 8, y + 4, name, "ink", "end"))
        parts.append(words(WIDTH - 2, y + 4, tail, "muted", "end"))
        parts.append(Markup('<path class="limit" d="M{:.1f} {:.1f}v14"/>').format(x(limit), y - 7))
        if other is not None:
            mark = '<path class="other" d="M{:.1f} {:.1f}l6 6m0 -6l-6 6"/>'
            parts.append(Markup(mark).format(x(other) - 3, y - 3))
        for place, (value, half, is_found) in enumerate(seeds):
            at = y + 4 * (place - (len(seeds) - 1) / 2)
            if half is not None:
                line = '<path class="interval" d="M{:.1f} {:.1f}H{:.1f}"/>'
                parts.append(Markup(line).format(x(value - half), at, x(value + half)))
            dot = '<circle class="{}" cx="{:.1f}" cy="{:.1f}" r="3"/>'
            parts.append(Markup(dot).format("found" if is_found else "none", x(value), at))
    return page(height, Markup("").join(parts), f"{scale.label}, by feature")


def coloured(passage: Figures, titles: Mapping[str, str]) -> str:
    """Draw a passage once for each unit: orange where it is above 0, blue below."""
    lines, places = [""], list[tuple[int, int]]()
    for character in passage["text"]:
        if len(lines[-1]) == WIDEST and character != "\n":
            lines.append("")
        places.append((len(lines) - 1, len(lines[-1])))
        if character == "\n":
            lines.append("")
        else:
            lines[-1] += character
    parts, top = list[Markup](), 0
    for name, unit in passage["units"].items():
        title = f"{titles[name]}: unit {unit['unit']} ({unit['part']}), r = {unit['r']:.2f}"
        parts.append(words(MARGIN, top + 16, title, "ink"))
        top += 22
        values = np.array(unit["values"]) / max(1e-9, np.abs(unit["values"]).max())
        strength = np.round(STEPS * values).astype(int)
        begin = 0
        for end in range(1, len(strength) + 1):  # one rectangle for neighbours of one colour
            row, column = places[begin]
            is_same = end < len(strength) and strength[end] == strength[begin]
            if is_same and places[end][0] == row:
                continue
            if strength[begin]:
                rectangle = (
                    '<rect class="{}" x="{:.1f}" y="{}" width="{:.1f}" height="{}" '
                    'fill-opacity="{:.2f}"/>'
                )
                parts.append(Markup(rectangle).format(
                    "up" if strength[begin] > 0 else "down", MARGIN + LETTER * column,
                    top + LINE * row, LETTER * (end - begin), LINE,
                    0.75 * abs(strength[begin]) / STEPS,
                ))  # fmt: skip
            begin = end
        for row, line in enumerate(lines):
            if line.strip():
                text = '<text class="letters" x="{}" y="{}" textLength="{:.1f}">{}</text>'
                parts.append(
                    Markup(text).format(MARGIN, top + LINE * row + 12, LETTER * len(line), line)
                )
        top += LINE * len(lines) + 8
    return page(top + 2, Markup("").join(parts), "a text in the colours of units")


def gradients(cells: Mapping[str, Sequence[Figures]], which: str, when: str) -> str:
    """Draw the norm of the gradient over the lag, relative to that of lag 1, seeds as a band."""
    curves = {
        cell: np.array([run[which] for run in runs]) / [[run[which][0]] for run in runs]
        for cell, runs in cells.items()
    }
    y = Scale(f"gradient, as a share of that at lag 1; {when}", 1e-16, 3, log=True)
    return lines(Plot(Scale("lag k [characters]", 0, 100), y), curves, f"reach-{which}")


def contexts(cells: Mapping[str, Sequence[Figures]]) -> str:
    """Draw what it costs to see only the last k characters."""
    curves = {cell: np.array([run["excess"] for run in runs]) for cell, runs in cells.items()}
    x = np.array(next(iter(cells.values()))[0]["contexts"])
    plot = Plot(
        scale_for("characters seen", x.tolist(), log=True, margin=0),
        scale_for(
            "bits/character more than with all of the text",
            [0.0, float(max(map(np.max, curves.values())))],
        ),
    )
    plot.axes.axhline(0, color=MUTED, linewidth=0.8)
    return lines(plot, curves, "reach-context", x)


def lines(
    plot: Plot, curves: Mapping[str, np.ndarray], name: str, x: np.ndarray | None = None
) -> str:
    """Draw the mean of each cell's curves (seeds, N) and their range; geometric on a log scale."""
    ends = list[tuple[float, float]]()
    for cell, values in curves.items():
        at = np.arange(1, values.shape[1] + 1) if x is None else x
        values = np.maximum(values, plot.y.low / 10) if plot.y.log else values
        middle = np.exp(np.log(values).mean(0)) if plot.y.log else values.mean(0)
        colour = series_colour(COLOURS[cell])
        plot.axes.fill_between(
            at, values.min(0), values.max(0), color=colour, alpha=0.2, linewidth=0
        )
        plot.axes.plot(at, middle, color=colour, linewidth=1.6, linestyle=(0, DASHES[cell] or None))
        inside = np.flatnonzero((middle >= plot.y.low) & (middle <= plot.y.high))
        ends.append(plot.pixels(float(at[inside[-1]]), float(middle[inside[-1]])))
    low, high = plot.axes.bbox.y0 + 4, plot.axes.bbox.y1
    heights = spread_out([up for _, up in ends], TEXT + 1, low, high)
    for cell, (right, _), height in zip(curves, ends, heights, strict=True):
        left = min(right + 5, WIDTH - 29)
        plot.text(left, height - 4, cell.upper(), series_colour(COLOURS[cell]))
    drawn = plot.svg(name, f"{plot.y.label}, for {', '.join(curves)}")
    inner = drawn[drawn.index(">") + 1 : drawn.rindex("</svg>")]
    box = re.search(r'viewBox="0 0 \d+ (\d+)"', drawn)
    assert box
    height = int(box[1])
    return page(height, Markup(inner), f"{plot.y.label}, for {', '.join(curves)}")


def words(x: float, y: float, text: str, kind: str, anchor: str = "start") -> Markup:
    """Return a text at a place."""
    return Markup('<text class="{}" x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>').format(
        kind, x, y, anchor, text
    )


def page(height: float, content: Markup, label: str) -> str:
    """Return a file with the colours of the reports, for light and for dark pages."""
    sheet = (Path(svg_plot.__file__).parent / "report.css").read_text(encoding="utf-8")
    light, dark = re.findall(r":root \{(.*?)\}", sheet, re.DOTALL)[:2]
    colours = [
        " ".join(re.findall(r"--(?:paper|ink|muted|rule|series-\d): #\w+;", block))
        for block in (light, dark)
    ]
    style = (
        f":root {{ {colours[0]} }}\n"
        f"@media (prefers-color-scheme: dark) {{ :root {{ {colours[1]} }} }}\n"
        f"text {{ font: {TEXT}px system-ui, sans-serif }}\n"
        ".letters { font: 10.5px ui-monospace, Menlo, Consolas, monospace; white-space: pre }\n"
        ".ink, .letters { fill: var(--ink) } .muted { fill: var(--muted) }\n"
        ".rule { stroke: var(--rule) } .limit { stroke: var(--ink); stroke-width: 2 }\n"
        ".other { stroke: var(--muted); stroke-width: 1.4; fill: none }\n"
        ".found { fill: var(--series-1) } .interval, .none { stroke: var(--series-1) }\n"
        ".none { fill: var(--paper) } .up { fill: var(--series-2) } .down { fill: var(--series-1) }"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:g}" '
        f'width="{WIDTH}" height="{height:g}" role="img" aria-label="{escape(label)}">\n'
        f"<style>\n{style}\n</style>\n"
        f'<rect width="100%" height="100%" style="fill: var(--paper)"/>\n{content}\n</svg>\n'
    )
