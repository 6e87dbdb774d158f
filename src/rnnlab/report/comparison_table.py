"""A comparison as rows of words: settings that differ, figures, gaps; as plain text and as CSV."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rnnlab.comparison.comparison import Comparison
from rnnlab.comparison.figures import BITS, FigureRow, Value
from rnnlab.comparison.groups import Group
from rnnlab.comparison.leads import Gap, Tested
from rnnlab.console import counted
from rnnlab.experiments.wording import p_words
from rnnlab.report.formatting import factor_words, number, setting, shortened

DIGITS = 3
"""Of bits per character."""

UNKNOWN = "–"
"""In place of a figure or a setting that is not known."""

WIDTH = 100
"""Of plain text, in characters."""

COLUMNS = (
    "kind", "name", "group", "run", "seed", "value", "low", "high", "interval", "p", "adjusted_p",
)  # fmt: skip
"""Of the CSV file."""


@dataclass(frozen=True)
class Row:
    """A line of the table."""

    kind: str
    """setting, data, machine, figure or gap."""
    label: str
    cells: tuple[str, ...]
    """In the order of the groups."""
    name: str = ""
    """Of a figure; of a gap, over the text, over seeds or p."""


def rows(found: Comparison) -> list[Row]:
    """Return all rows of the table; gaps follow the figure that they are about."""
    made = [
        Row(row.kind, row.name, tuple(UNKNOWN if v is None else setting(v) for v in row.values))
        for row in found.differences
    ]
    if found.has_seeds:
        made.append(Row("setting", "runs", tuple(str(len(g.members)) for g in found.groups)))
    for figure in found.figures:
        cells = tuple(_cell(figure, value) for value in figure.values)
        made.append(Row("figure", figure.label, cells, figure.name))
        if figure.name == BITS:
            made += _gap_rows(found)
    return made


def figure_words(value: Value, digits: int, *, is_ratio: bool = False) -> tuple[str, str]:
    """Return a figure and its uncertainty, such as `2.817` and `± 0.046`, or "" without one."""
    mean = number(value.mean, digits)
    if value.low is None or value.high is None:
        return mean, ""
    if is_ratio:
        return mean, factor_words(value.high / value.mean)
    return mean, f"± {number((value.high - value.low) / 2, digits)}"


def gap_words(tested: Tested) -> str:
    """Return a difference and half of its interval."""
    half = (tested.high - tested.low) / 2
    return f"{tested.difference:+.{DIGITS}f} ± {half:.{DIGITS}f}"


def by_group(found: Comparison) -> list[Gap | None]:
    """Return the gap of each group, None for the one that the others are compared with."""
    gaps = {gap.name: gap for gap in found.gaps}
    return [gaps.get(name) for name in found.names]


def about_figures(found: Comparison) -> list[str]:
    """Say on which text models were measured, and what the intervals are; nothing without."""
    sentences = []
    if found.text:
        sums = {m.corpus_sha256[:12] for group in found.groups for m in group.members} - {""}
        known = f", SHA-256 of the corpus {sums.pop()}..." if len(sums) == 1 else ""
        sentences.append(
            f"Held-out figures are of {found.text} ({counted(found.characters, 'character')}"
            f"{known}), with the state carried through it."
        )
    seeds, text = (
        "over seeds (Student's t)",
        "over texts of the same kind and length (block bootstrap)",
    )
    bits = next((figure for figure in found.figures if figure.name == BITS), None)
    alone = bits is not None and any(
        value is not None and value.low is not None and len(group.members) == 1
        for group, value in zip(found.groups, bits.values, strict=True)
    )
    if alone and found.has_seeds:
        over = f"of single models {text}, of several runs {seeds}"
    elif found.has_seeds:
        over = f"{seeds} unless stated otherwise"
    else:
        over = text
    if alone or found.has_seeds:
        sentences.append(f"After ±: half of a 95% interval, {over}.")
    return sentences


def plain(found: Comparison, width: int = WIDTH) -> str:
    """Return the comparison as plain text, columns side by side as far as they fit."""
    made = rows(found)
    lines = list[str]()
    for title, kinds in (
        ("differs", ("setting", "data", "machine")),
        ("figures", ("figure", "gap")),
    ):
        own = [row for row in made if row.kind in kinds]
        if own:
            lines += [*_aligned(title, found.names, own, width), ""]
        elif title == "differs":
            lines += ["No setting differs.", ""]
    if about := about_figures(found):
        lines += [" ".join(about), ""]
    lines += [*found.findings, *(f"Note: {note}" for note in found.notes)]
    return "\n".join(lines).rstrip()


def to_csv(found: Comparison) -> str:
    """Return the comparison as CSV, a row for each value; see `COLUMNS`.

    kind: setting, data, machine; figure (of a group), run (the same of one run), baseline, or gap:
    the group minus the one that it is compared with. interval: text or seeds.
    """
    written = io.StringIO()
    table = csv.DictWriter(written, COLUMNS, restval="", lineterminator="\n")
    table.writeheader()
    table.writerows(_values(found))
    return written.getvalue()


def _values(found: Comparison) -> Iterator[dict[str, Any]]:
    for row in found.differences:
        for name, value in zip(found.names, row.values, strict=True):
            words = "" if value is None else setting(value)
            yield {"kind": row.kind, "name": row.name, "group": name, "value": words}
    for figure in found.figures:
        for group, figure_value in zip(found.groups, figure.values, strict=True):
            if figure_value is not None:
                yield _figure_values(figure, group, figure_value)
    compared = {figure.name for figure in found.figures}
    for group in found.groups:
        for member in group.members:
            for name, number_ in member.figures.items():
                if name in compared:
                    yield {
                        "kind": "run", "name": name, "group": group.name, "run": member.name,
                        "seed": member.seed, "value": number_,
                    }  # fmt: skip
    for gap in found.gaps:
        line = {"kind": "gap", "name": BITS, "group": gap.name}
        if gap.over_text is None:
            yield {**line, "value": gap.difference}
        for interval, test in (("text", gap.over_text), ("seeds", gap.seeds_test)):
            if test is not None:
                yield {
                    **line, "interval": interval, "value": test.difference, "low": test.low,
                    "high": test.high, "p": test.p, "adjusted_p": test.adjusted_p,
                }  # fmt: skip


def _figure_values(figure: FigureRow, group: Group, value: Value) -> dict[str, Any]:
    if figure.name == "baseline":
        return {
            "kind": "baseline", "name": figure.label, "group": group.name, "value": value.mean,
        }  # fmt: skip
    over = "seeds" if len(group.members) > 1 else "text"
    return {
        "kind": "figure", "name": figure.name, "group": group.name, "value": value.mean,
        "low": value.low, "high": value.high, "interval": "" if value.low is None else over,
    }  # fmt: skip


def _cell(figure: FigureRow, value: Value | None) -> str:
    if value is None:
        return UNKNOWN
    words = figure_words(value, figure.digits, is_ratio=figure.is_ratio)
    return " ".join(filter(None, words))


def _gap_rows(found: Comparison) -> Iterator[Row]:
    """Yield rows for the differences: over the text, and over seeds."""
    gaps = by_group(found)
    p_name = "Holm-adjusted p" if len(found.gaps) > 1 else "p"
    for where, tests in (
        ("over the text", [gap and gap.over_text for gap in gaps]),
        ("over seeds", [gap and gap.seeds_test for gap in gaps]),
    ):
        if any(tests):
            cells = tuple(gap_words(test) if test else UNKNOWN for test in tests)
            yield Row("gap", f"minus {shortened(found.against)}, {where}", cells, where)
            chances = (p_words(test.adjusted_p).removeprefix("p ").removeprefix("= ") if test
                       else UNKNOWN for test in tests)  # fmt: skip
            yield Row("gap", p_name, tuple(chances), "p")


def _aligned(title: str, names: Sequence[str], made: Sequence[Row], width: int) -> list[str]:
    """Return rows in columns; those that do not fit follow in further blocks."""
    columns = [[name, *(row.cells[at] for row in made)] for at, name in enumerate(names)]
    labels = [title, *(row.label for row in made)]
    first, widths = max(map(len, labels)), [max(map(len, column)) for column in columns]
    lines, at = list[str](), 0
    while at < len(columns):
        end, used = at + 1, first + 2 + widths[at]
        while end < len(columns) and used + 2 + widths[end] <= width:
            used, end = used + 2 + widths[end], end + 1
        for number_, label in enumerate(labels):
            cells = (columns[n][number_].rjust(widths[n]) for n in range(at, end))
            lines.append("  ".join([label.ljust(first), *cells]).rstrip())
        lines += [""] * (end < len(columns))
        at = end
    return lines
