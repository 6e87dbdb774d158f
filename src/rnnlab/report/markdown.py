"""Filters for the Markdown template: escaped text, folded prose, aligned tables, fenced text.

`prose` and `aligned` return whole lines, since Jinja drops the line end after {% endfilter %}.
"""

import re
import textwrap
from collections.abc import Sequence

from markupsafe import Markup

LINE = 100
"""Length of a line of prose."""


def escaped(value: object) -> Markup:
    """Return a value as one line that Markdown shows as it is; `Markup` is already Markdown."""
    if isinstance(value, Markup):
        return value
    line = " ".join(str(value).split())
    line = re.sub(r"[\\`*~$|]|<(?=[\w/!?])|&(?=#?\w+;)|\](?=[(\[:])", r"\\\g<0>", line)
    return Markup(re.sub(r"(?<![^\W_])_|_(?![^\W_])", r"\\_", line))


def prose(markdown: str, mark: str = "") -> Markup:
    """Fold Markdown behind a mark such as "- ", and escape what would begin a block on a line."""
    width = LINE - len(mark)
    lines = textwrap.wrap(str(markdown), width, break_long_words=False, break_on_hyphens=False)
    lines = [re.sub(r"^(?=[-+#=:]+(\s|$)|>)", r"\\", line) for line in lines]
    lines = [re.sub(r"^(\d+)(?=[.)](\s|$))", r"\1\\", line) for line in lines]
    return Markup(mark + f"\n{' ' * len(mark)}".join(lines) + "\n")


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Markup:
    """Return rows of words as a table; what is not in the first column stands at the right."""
    lines: list[Sequence[str]] = [list(map(escaped, head)), ["---", *["---:"] * (len(head) - 1)]]
    lines += [list(map(escaped, row)) for row in rows]
    return aligned("\n".join(f"| {' | '.join(line)} |" for line in lines))


def aligned(table: str) -> Markup:
    """Pad the cells of a Markdown table, given with its row of rules, so that its columns align."""
    lines = [line.strip() for line in str(table).strip().splitlines()]
    rows = [
        [" ".join(cell.split()) for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines
    ]
    rules = rows.pop(1)
    right = [rule.endswith(":") for rule in rules]
    widths = [max(3, *map(len, column)) for column in zip(*rows, strict=True)]
    rules = ["-" * (w - 1) + ":" if end else "-" * w for w, end in zip(widths, right, strict=True)]
    rows.insert(1, rules)
    padded = (
        [c.rjust(w) if end else c.ljust(w) for c, w, end in zip(row, widths, right, strict=True)]
        for row in rows
    )
    return Markup("".join(f"| {' | '.join(row)} |\n" for row in padded))


def fenced(lines: Sequence[str], language: str = "text") -> Markup:
    """Return lines as a block of code, in a fence that none of them can end."""
    text = "\n".join(lines)
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return Markup(f"{fence}{language}\n{text}\n{fence}")
