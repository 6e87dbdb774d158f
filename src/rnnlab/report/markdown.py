"""The report as Markdown, which reads well as plain text too."""

import re
import textwrap
from collections.abc import Iterable, Sequence

from rnnlab.experiments.verdicts import ClaimVerdict
from rnnlab.report import captions
from rnnlab.report.content import Content, Sample
from rnnlab.report.formatting import sentence
from rnnlab.report.protocol import ProtocolRows
from rnnlab.report.tables import Cell, OutcomeRow, OutcomeTable

OPEN = "<details><summary>All samples</summary>"

LINE = 100
"""Length of a line of prose."""


def markdown_page(report: Content) -> str:
    """Lay the report out; all text in it is escaped, but for that of `report.sections`."""
    parts = [
        f"# {escaped(report.title)}",
        _prose(f"*{escaped(report.question).strip()}*"),
        _prose(f"{report.extent}."),
    ]
    if report.warning:
        parts.insert(1, _prose(f"**{report.warning}**"))
    if report.verdicts:
        parts += ["## Verdicts", report.tally, *map(_claim, report.verdicts)]
    parts += ["## Outcomes", _prose(escaped(" ".join(report.remarks))), _outcomes(report.table)]
    if notes := _notes(report.table):
        parts.append(notes)
    if report.illustrated:
        parts.append(captions.ELSEWHERE)
    for section in report.sections:
        parts += [f"## {escaped(section.title)}", section.markdown.strip()]
    if report.samples_caption:
        parts += ["## Samples", _prose(report.samples_caption)]
    if report.samples:
        parts += [OPEN, *map(_sample, report.samples), "</details>"]
    if report.unfinished:
        rows = [
            [escaped(words) for words in (each.variant, each.seeds, each.status, each.reason)]
            for each in report.unfinished
        ]
        header = ["variant", "seeds", "status", "reason"]
        parts += ["## Runs that did not finish", _table(header, rows, "llll")]
    parts += ["## Protocol", _facts(report.protocol)]
    if report.machine:
        parts += ["### Machine", _facts(report.machine)]
    if report.command:
        parts += ["### To make it again", _verbatim([report.command])]
    named = [f"{name} = {value}" for name, value, named in report.base_settings if named]
    others = [f"{name} = {value}" for name, value, named in report.base_settings if not named]
    parts += ["### Settings that all runs share", _verbatim([*named, "", *others])]
    return "\n\n".join(parts) + "\n"


def escaped(text: str) -> str:
    """Text that Markdown shows as it is, on one line; only what would be markup is escaped."""
    line = " ".join(text.split())
    line = re.sub(r"[\\`*~$|]|<(?=[\w/!?])|&(?=#?\w+;)|\](?=[(\[:])", r"\\\g<0>", line)
    return re.sub(r"(?<![^\W_])_|_(?![^\W_])", r"\\_", line)


def _claim(claim: ClaimVerdict) -> str:
    head = _prose(f"**{claim.verdict}**: {escaped(claim.text)}", "- ")
    note = [_prose(escaped(claim.note), "  ")] if claim.note.strip() else []
    return "\n".join([head, *note, *(_prose(escaped(c.sentence), "  - ") for c in claim.compared)])


def _outcomes(table: OutcomeTable) -> str:
    header = ["", "variant", "changes", *(column.label for column in table.columns)]
    rows = []
    for title, members in table.groups:
        if title:
            rows.append(["", f"**{escaped(sentence(title))}**", *[""] * (len(header) - 2)])
        rows += [_outcome_row(row) for row in members]
    return _table(header, rows, "rll" + "r" * len(table.columns))


def _outcome_row(row: OutcomeRow) -> list[str]:
    names = [str(row.number or ""), escaped(row.name), escaped(row.change)]
    return [*names, *(_cell(cell) for cell in row.cells)]


def _notes(table: OutcomeTable) -> str:
    """What the page shows under a variant's name."""
    rows = [row for _, rows in table.groups for row in rows if row.note or row.runs]
    return "\n".join(
        _prose(f"{row.number} {escaped(row.name)}: {escaped(words)}", "- ")
        for row in rows
        for words in ["; ".join(filter(None, (row.note, row.runs)))]
    )


def _cell(cell: Cell | None) -> str:
    if cell is None:
        return ""
    mean = f"**{cell.mean}**" if cell.best else cell.mean
    notes = f"({', '.join(cell.notes)})" if cell.notes else ""
    return " ".join(filter(None, (mean, cell.spread, notes)))


def _sample(sample: Sample) -> str:
    lines = [f"{phrase}{rest}" for phrase, rest in sample.texts]
    return f"{sample.number} {escaped(sample.variant)}, seed {sample.seed}\n\n{_verbatim(lines)}"


def _facts(facts: ProtocolRows) -> str:
    return "\n".join(_prose(f"**{term}**: {escaped(words)}", "- ") for term, words in facts)


def _table(header: Sequence[str], rows: Iterable[Sequence[str]], align: str) -> str:
    """A GitHub table whose columns line up as text; its cells are Markdown."""
    lines = [header, *rows]
    widths = [max(3, *(len(line[i]) for line in lines)) for i in range(len(header))]
    rules = [
        "-" * (w - 1) + ":" if side == "r" else "-" * w
        for side, w in zip(align, widths, strict=True)
    ]

    def laid(line: Sequence[str]) -> str:
        cells = (
            c.rjust(w) if side == "r" else c.ljust(w)
            for c, side, w in zip(line, align, widths, strict=True)
        )
        return f"| {' | '.join(cells)} |"

    return "\n".join([laid(lines[0]), f"| {' | '.join(rules)} |", *map(laid, lines[1:])])


def _verbatim(lines: Sequence[str]) -> str:
    """A block of code, within a fence that no line can end."""
    text = "\n".join(lines)
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text}\n{fence}"


def _prose(text: str, mark: str = "") -> str:
    """Fold Markdown behind a mark; nothing that begins a line may begin a block."""
    lines = textwrap.wrap(text, LINE - len(mark), break_long_words=False, break_on_hyphens=False)
    lines = [re.sub(r"^(?=[-+#=:]+(\s|$)|>)", r"\\", line) for line in lines]
    lines = [re.sub(r"^(\d+)(?=[.)](\s|$))", r"\1\\", line) for line in lines]
    return mark + f"\n{' ' * len(mark)}".join(lines)
