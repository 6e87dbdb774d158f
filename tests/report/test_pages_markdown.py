"""The Markdown report, read by a Markdown parser."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up_records import made_up_plan, made_up_records
from markdown_it import MarkdownIt
from markdown_it.token import Token

from rnnlab.experiments.comparison import ClaimVerdict
from rnnlab.experiments.outcomes import OUTCOMES
from rnnlab.experiments.records import Records
from rnnlab.experiments.verdicts import judge_claims
from rnnlab.report.markdown import LINE, escaped
from rnnlab.report.outcome_table import outcome_table
from rnnlab.report.pages import markdown_page
from rnnlab.report.report import make_report

PARSER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
MARKUP = st.sampled_from("ab1_*`[](){}<>#|~!&;:-+.$\\ \n\"'=/^@")
TEXT = st.text(MARKUP | st.characters(exclude_categories=["C"]), max_size=40)
"""Mostly characters with a meaning in Markdown."""


def tables(markdown: str) -> list[list[list[str]]]:
    """All tables as rows of the text of their cells."""
    found: list[list[list[str]]] = []
    for token, content in pairwise(PARSER.parse(markdown)):
        if token.type == "table_open":
            found.append([])
        elif token.type == "tr_open":
            found[-1].append([])
        elif token.type in ("td_open", "th_open"):
            found[-1][-1].append(plain(content))
    return found


def plain(token: Token) -> str:
    """The text of an inline token, which may contain only text and bold."""
    assert {child.type for child in token.children or ()} <= {
        "text", "text_special", "strong_open", "strong_close", "softbreak",
    }  # fmt: skip
    parts = (" " if c.type == "softbreak" else c.content for c in token.children or ())
    return "".join(parts)


@pytest.fixture(scope="module")
def page(written: tuple[Path, Path]) -> str:
    return written[1].read_text(encoding="utf-8")


def test_every_verdict_and_its_numbers_are_there(page: str, verdicts: list[ClaimVerdict]) -> None:
    items = [
        plain(token) for token in PARSER.parse(page) if token.type == "inline" if token.level > 2
    ]
    for claim in verdicts:
        said = " ".join(filter(None, (f"{claim.verdict}: {claim.text}", claim.note)))
        assert said in items
        assert all(compared.sentence in items for compared in claim.compared)


def test_every_figure_stands_in_its_row(page: str, records: Records) -> None:
    header, *rows = tables(page)[0]
    labels = [OUTCOMES[name].label for name in records.plan.settings.outcomes]
    assert header == ["", "variant", "changes", *labels]
    expected = [row for _, members in outcome_table(records).groups for row in members]
    found = [row for row in rows if any(row[2:])]
    assert len(found) == len(expected)
    for got, row in zip(found, expected, strict=True):
        assert got[:3] == [str(row.number or ""), row.name, row.change]
        for text, cell in zip(got[3:], row.cells, strict=True):
            parts = [cell.mean, cell.spread, *cell.notes] if cell else []
            assert all(part in text for part in parts)
            assert bool(text) == bool(parts)


def test_the_best_is_bold(page: str) -> None:
    rows = [line for line in page.splitlines() if line.startswith("|") and "**" in line]
    assert [row.split("|")[2].strip() for row in rows if "±" in row] == ["512 units"]


def test_columns_line_up_as_text(page: str) -> None:
    lines = [line for line in page.splitlines() if line.startswith("|")]
    for table in ([line for line in lines if line.count("|") == n] for n in (10, 5)):
        bars = {tuple(i for i, c in enumerate(line) if c == "|") for line in table}
        assert len(bars) == 1


def test_prose_is_folded(page: str) -> None:
    verbatim = False
    for line in page.splitlines():
        verbatim ^= line.startswith("```")
        assert verbatim or line.startswith("|") or len(line) <= LINE


@given(TEXT)
def test_escaped_text_is_read_as_it_was(text: str) -> None:
    words = " ".join(text.split())
    for token in PARSER.parse(f"x{escaped(text)}x"):
        if token.type == "inline":
            assert plain(token) == f"x{words}x"


@settings(max_examples=50)
@given(
    name=TEXT.filter(lambda text: text.strip()),
    sentence=TEXT,
    phrase=TEXT,
    reason=TEXT,
    source=TEXT,
)
def test_no_text_breaks_the_page(
    name: str, sentence: str, phrase: str, reason: str, source: str
) -> None:
    """The page keeps its structure, whatever an experiment file or a model contains."""
    plan = made_up_plan(
        variant=[{"name": name, "group": sentence, "note": reason}, {"name": f"{name} 2"}],
        claim=[{"text": f"a {sentence}", "note": reason, "comparison": [{
            "variant": name, "against": f"{name} 2", "outcome": "training_perplexity"}]}],
        phrases=[phrase], seeds=2, timing=None, source=source, note=reason,
        question=f"a {sentence} b {source} c {reason} " * 3,
    )  # fmt: skip
    made = made_up_records(plan, points=2)
    diverged = replace(made.runs[0], status="diverged", reason=reason)
    made = replace(made, runs=[diverged, *made.runs[1:]], command=f"rnnlab {phrase}")
    markdown = markdown_page(make_report(made, judge_claims(made)))
    tokens = PARSER.parse(markdown)
    headings = [t.content for o, t in pairwise(tokens) if o.type == "heading_open"]
    assert headings[1:] == [
        "Verdicts", "Outcomes", "Samples", "Runs that did not finish", "Protocol", "Machine",
        "To make it again", "Settings that all runs share",
    ]  # fmt: skip
    outcomes, unfinished = tables(markdown)
    assert {len(row) for row in outcomes} == {9}
    assert {len(row) for row in unfinished} == {4}
    assert [t.type for t in tokens if "html" in t.type or "code_block" in t.type] == [
        "html_block"
    ] * 2
    kinds = {c.type for t in tokens for c in t.children or ()}
    assert kinds <= {
        "text", "text_special", "softbreak", "strong_open", "strong_close", "em_open", "em_close",
    }  # fmt: skip


def test_a_quick_version_and_figures_elsewhere_are_mentioned(records: Records, page: str) -> None:
    assert "Figures, such as learning curves, are in report.html." in page
    quick = markdown_page(make_report(replace(records, command="rnnlab experiment f --quick"), []))
    assert quick.splitlines()[2].startswith("**Quick version: 6 seeds")
