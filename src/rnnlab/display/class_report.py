"""What the terminal shows of the runs of a class."""

from collections.abc import Sequence
from pathlib import Path

from rich.box import SIMPLE
from rich.table import Table
from rich.text import Text

from rnnlab.comparison.class_overview import ClassText
from rnnlab.console import visible
from rnnlab.display.plain_console import PlainConsole
from rnnlab.report.class_page import ClassReport, spread_rows, table, text_words, titles

FIGURES = ("seed", "training\nperplexity", "held-out\nbits/char", "lead\n± 95%", "seconds")
"""Heads of the columns at the right of a run."""

PLACES = (3, 4, 5, 7, 9)
"""Of these among the columns of the page."""

NARROWEST = 20
"""Of the column with names, settings and findings, in letters."""


def write_class(found: ClassReport, file: Path) -> None:
    """Print the tables and the warnings, and where the page is."""
    console, overview = PlainConsole(highlight=False), found.overview
    console.tell(overview.name, overview.extent, len(overview.name) + 2)
    for title, text in zip(titles(overview), overview.texts, strict=True):
        console.print()
        console.tell(f"{title}:", text_words(text), len(title) + 2)
        console.print(_runs(text))
        if spreads := spread_rows(text):
            console.print(_spreads(spreads))
    for warning in overview.warnings:
        console.tell("warning", warning)
    for title, why in overview.unread.items():
        console.tell("not read", f"{title}: {why}")
    console.tell("page", str(file))


def _runs(text: ClassText) -> Table:
    """Return a table in which settings and findings stand below the name of a run."""
    shown = Table(box=SIMPLE, padding=(0, 1), pad_edge=False)
    shown.add_column("", justify="right", no_wrap=True)
    shown.add_column("run, unusual settings, doctor", vertical="bottom", min_width=NARROWEST)
    for head in FIGURES:
        shown.add_column(head, justify="right", vertical="bottom", no_wrap=True)
    for row, cells in zip(text.rows, table(text), strict=True):
        lines = [row.run.title, *([cells[2]] if row.change else []), cells[8]]
        shown.add_row(
            str(row.place or ""), Text(visible("\n  ".join(lines))), *(cells[at] for at in PLACES)
        )
    return shown


def _spreads(rows: Sequence[Sequence[str]]) -> Table:
    shown = Table(box=SIMPLE, padding=(0, 1), pad_edge=False)
    for head in ("equal settings", "seeds", "bits/char ± 95%", "runs"):
        shown.add_column(head, vertical="bottom", no_wrap=head.startswith("bits"))
    for row in rows:
        shown.add_row(*(Text(visible(cell)) for cell in row))
    return shown
