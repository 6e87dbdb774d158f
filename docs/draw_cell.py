# ruff: noqa: E501  (coordinates and their texts stay on one line)
"""Draws docs/lstm-cell.svg, the LSTM cell with its gates: python docs/draw_cell.py

The picture follows the reader's colour scheme by itself, on a page and in a README.
"""

from pathlib import Path

FILE = Path(__file__).parent / "lstm-cell.svg"
WIDTH, HEIGHT = 890, 430

STYLE = """
svg { color-scheme: light dark; font: 15px system-ui, sans-serif; }
text { fill: #1c1b19; } .muted { fill: #65625b; font-size: 13px; } .sign { font-size: 19px; }
.serif { font: italic 18px Georgia, "DejaVu Serif", serif; } tspan { font-size: 70%; }
path { fill: none; stroke: #1c1b19; stroke-width: 1.6; } .cell { stroke-width: 4; stroke: #c44d00; }
.frame { fill: #65625b; fill-opacity: 0.06; stroke: #8b877f; stroke-dasharray: 5 4; }
.gate { fill: #fdfcf9; stroke: #0067a8; stroke-width: 1.8; } .node { fill: #fdfcf9; stroke: #1c1b19; stroke-width: 1.6; }
.head { fill: #1c1b19; stroke: none; } .cell-head { fill: #c44d00; stroke: none; }
@media (prefers-color-scheme: dark) {
  text { fill: #e3e0d9; } .muted { fill: #a09c94; }
  path { stroke: #e3e0d9; } .cell { stroke: #ef8a4b; }
  .frame { fill: #a09c94; fill-opacity: 0.08; stroke: #7f7c76; }
  .gate { fill: #151719; stroke: #5aaeea; } .node { fill: #151719; stroke: #e3e0d9; }
  .head { fill: #e3e0d9; } .cell-head { fill: #ef8a4b; }
}
"""

TOP, BUS, GATES = 110, 335, 250
"""Height of the line of the cell state, of the line of what comes in, and of the gates."""

COLUMNS = {
    "f": (215, "σ", "forget", "what to keep"),
    "i": (345, "σ", "input", "what to let in"),
    "g": (465, "tanh", "candidate", "what is new"),
    "o": (595, "σ", "output", "what to show"),
}
"""Gates from left to right: x, function, name, and what it decides."""


def text(x: float, y: float, content: str, kind: str = "", anchor: str = "middle") -> str:
    """Return text; _t is set as an index."""
    for index in ("t−1", "t"):
        content = content.replace(
            f"_{index}", f'<tspan dy="4">{index}</tspan><tspan dy="-4"> </tspan>'
        )
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}" class="{kind}">{content}</text>'


def line(*points: tuple[float, float], kind: str = "", arrow: bool = True) -> str:
    """Return a line through points, with an arrow at its end."""
    path = "M" + " L".join(f"{x} {y}" for x, y in points)
    if not arrow:
        return f'<path class="{kind}" d="{path}"/>'
    head = f"url(#{'cell-arrow' if kind == 'cell' else 'arrow'})"
    return f'<path class="{kind}" d="{path}" marker-end="{head}"/>'


def node(x: float, y: float, sign: str) -> str:
    """Return a circle in which two values meet."""
    return f'<circle class="node" cx="{x}" cy="{y}" r="15"/>' + text(x, y + 6, sign, "sign")


def gate(name: str) -> list[str]:
    """Return a gate with its name above the line of what comes in."""
    x, function, title, decides = COLUMNS[name]
    return [
        line((x, BUS), (x, GATES + 20)),
        f'<rect class="gate" x="{x - 30}" y="{GATES - 18}" width="60" height="36" rx="5"/>',
        text(x, GATES + 5, function, "serif"),
        text(x, BUS + 26, title),
        text(x, BUS + 45, decides, "muted"),
    ]


def picture() -> str:
    """Return the SVG."""
    f, i, g, o = (COLUMNS[name][0] for name in "figo")
    join, squash, out = (i + g) / 2, 685, GATES - 60
    parts = [
        '<rect class="frame" x="125" y="60" width="620" height="340" rx="14"/>',
        # The cell state, from left to right.
        line((60, TOP), (f - 17, TOP), kind="cell"),
        line((f + 15, TOP), (join - 17, TOP), kind="cell"),
        line((join + 15, TOP), (800, TOP), kind="cell"),
        text(60, TOP - 14, "c_t−1", "serif"), text(810, TOP - 14, "c_t", "serif"),
        text(134, TOP - 14, "cell state", "muted", "start"),
        # What comes in.
        line((60, BUS), (o, BUS), arrow=False), line((95, 400), (95, BUS), arrow=False),
        text(60, BUS - 12, "h_t−1", "serif"), text(95, 420, "x_t", "serif"),
        *(part for name in COLUMNS for part in gate(name)),
        # f · c, and i · g added to it.
        line((f, GATES - 18), (f, TOP + 17)), node(f, TOP, "×"),
        text(f + 10, GATES - 45, "f_t", "serif", "start"),
        line((i, GATES - 18), (i, out), (join - 17, out)), text(i - 10, GATES - 45, "i_t", "serif", "end"),
        line((g, GATES - 18), (g, out), (join + 17, out)), text(g + 10, GATES - 45, "g_t", "serif", "start"),
        node(join, out, "×"), line((join, out - 15), (join, TOP + 17)), node(join, TOP, "+"),
        # o · tanh c.
        line((squash, TOP), (squash, 142)),
        f'<rect class="node" x="{squash - 30}" y="144" width="60" height="32" rx="16"/>',
        text(squash, 165, "tanh", "serif"), line((squash, 176), (squash, GATES - 17)),
        line((o + 30, GATES), (squash - 17, GATES)), text((o + squash) / 2 + 8, GATES - 9, "o_t", "serif"),
        node(squash, GATES, "×"),
        line((squash, GATES + 15), (squash, BUS), (800, BUS)), text(810, BUS - 12, "h_t", "serif"),
        text(760, BUS + 26, "to the output", "muted", "start"),
        text(760, BUS + 43, "and the next step", "muted", "start"),
        text(125, 42, "c_t = f_t · c_t−1 + i_t · g_t", "serif", "start"),
        text(745, 42, "h_t = o_t · tanh c_t", "serif", "end"),
    ]  # fmt: skip
    arrows = "".join(
        f'<marker id="{name}" viewBox="0 0 10 10" refX="8" refY="5" markerUnits="userSpaceOnUse" '
        f'markerWidth="{size}" markerHeight="{size}" orient="auto"><path class="{kind}" '
        'd="M0 0 L10 5 L0 10 z"/></marker>'
        for name, kind, size in (("arrow", "head", 11), ("cell-arrow", "cell-head", 15))
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">'
        "<title>An LSTM cell: three gates and a candidate read x and h, and decide what the cell "
        f"state keeps, takes in and shows</title><style>{STYLE}</style><defs>{arrows}</defs>"
        + "\n".join(parts)
        + "</svg>\n"
    )


if __name__ == "__main__":
    FILE.write_text(picture(), encoding="utf-8")
