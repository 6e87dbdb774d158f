"""The HTML page as text: what it says, and that nothing in it runs."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from made_up_records import VARIANTS, made_up_plan, made_up_records

from rnnlab.experiments.comparison import ClaimVerdict
from rnnlab.experiments.records import Records
from rnnlab.experiments.verdicts import judge_claims
from rnnlab.report.figures import draw_figures
from rnnlab.report.outcome_table import outcome_table
from rnnlab.report.pages import html_page
from rnnlab.report.report import make_report

VOID = {"meta", "link"}


def page_of(records: Records) -> str:
    """The HTML page of these records."""
    report = make_report(records, judge_claims(records))
    return html_page(report, draw_figures(records, report.search))


class Outline(HTMLParser):
    """Check that elements are closed in order; keep text, ids and table rows."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.anchors: list[str] = []
        self.elements: list[str] = []
        self.text = ""
        self.rows: list[list[str]] = []
        self.words: list[tuple[str, str]] = []
        """Text, and the class of the element that it stands in."""
        self._class = ""
        self.feed(page)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.ids += [value for name, value in attrs if name == "id" and value]
        self.anchors += [v[1:] for n, v in attrs if n == "href" and v and v.startswith("#")]
        self._class = dict(attrs).get("class") or ""
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        self._class = ""

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += data
            self.words.append((data, self._class))
        if {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data


@pytest.fixture(scope="module")
def page(written: tuple[Path, Path]) -> str:
    return written[0].read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def outline(page: str) -> Outline:
    return Outline(page)


def test_every_verdict_and_its_numbers_are_there(
    outline: Outline, verdicts: list[ClaimVerdict]
) -> None:
    for claim in verdicts:
        assert claim.text in outline.text
        assert claim.note in outline.text
        assert all(compared.sentence in outline.text for compared in claim.compared)
    words = [words for words, inside in outline.words if "verdict" in inside]
    assert words == [claim.verdict for claim in verdicts]


def test_every_figure_stands_in_its_row(outline: Outline, records: Records) -> None:
    rows = [row for row in outline.rows if len(row) == 7][1:]
    expected = [row for _, members in outcome_table(records).groups for row in members]
    for (name, *cells), row in zip(rows, expected, strict=True):
        about = (str(row.number or ""), row.name, row.change, row.note, row.runs)
        assert name == "".join(about)
        for text, cell in zip(cells, row.cells, strict=True):
            figures = " ".join(filter(None, (cell.mean, cell.spread))) if cell else ""
            best = " best" if cell and cell.best else ""
            assert text == figures + best + "".join(cell.notes if cell else ())


def test_ids_are_unique_and_anchors_lead_somewhere(outline: Outline) -> None:
    assert len(outline.ids) == len(set(outline.ids))
    assert set(outline.anchors) <= set(outline.ids)


def test_samples_settings_machine_and_command_are_there(outline: Outline) -> None:
    for words in (
        "time traveller", "learning_rate = 1", "AMD EPYC 9B45", "torch 2.13.0+cpu", "4f0c9d1b7a20",
        "rnnlab experiment experiments/small_lstm/experiment.toml", "2025-11-10 to 2025-11-15",
        "loss is nan after step 1,204", "5 of 6 seeds finished; 1 diverged", "reported 298,764",
        "the course's lab report", "All variants see the same number of characters",
    ):  # fmt: skip
        assert words in outline.text
    assert all(name in outline.text for name, *_ in VARIANTS)


def test_nothing_is_fetched_and_nothing_runs(page: str, outline: Outline) -> None:
    assert "http://" not in page
    assert "https://" not in page
    assert not re.search(r"""(?:src|href)=["'](?!#|data:)|@import|url\((?!#)""", page)
    assert "script" not in outline.elements
    assert "default-src 'none'" in page


def test_text_from_files_and_models_is_escaped() -> None:
    evil = "<script>alert('x')</script><img src=x onerror=y>&amp;\"]]>"
    plan = made_up_plan(
        title=evil, question=evil, source=evil, note=evil, phrases=[evil],
        variant=[{"name": evil, "group": evil, "note": evil}, {"name": "other"}],
        claim=[{"text": evil, "note": evil, "comparison": [
            {"variant": evil, "against": "other", "outcome": "training_perplexity"}]}],
        seeds=2,
    )  # fmt: skip
    made = made_up_records(plan, points=3)
    diverged = replace(
        made.runs[0], status="diverged", reason=evil, environment={"cpu": evil, "date": "2025"}
    )
    made = replace(made, runs=[diverged, *made.runs[1:]], command=evil)
    page = page_of(made)
    outline = Outline(page)
    assert not {"script", "img"} & set(outline.elements)
    assert outline.text.count(evil) >= 12
    assert "onerror=y>" not in page


@pytest.mark.parametrize("what", ["one seed", "nothing run", "no timings", "nothing but runs"])
def test_a_report_of_incomplete_records_is_still_a_page(records: Records, what: str) -> None:
    match what:
        case "one seed":
            made = made_up_records(made_up_plan(seeds=1))
        case "nothing run":
            missing = [
                replace(run, status="missing", outcomes={}, curves={}, gradient_flow={}, texts=[],
                        environment={}, baselines={})
                for run in records.runs
            ]  # fmt: skip
            made = replace(records, runs=missing, timings=[], timing_environment={}, command="")
        case "no timings":
            made = replace(records, timings=[], timing_environment={})
        case _:
            bare = [replace(r, curves={}, gradient_flow={}, texts=[]) for r in records.runs]
            made = replace(records, runs=bare)
    outline = Outline(page_of(made))
    assert set(outline.anchors) <= set(outline.ids)
    assert all(name in outline.text for name, *_ in VARIANTS)
    assert ("svg" in outline.elements) == (what != "nothing run")
    if what == "nothing run":
        assert outline.text.count("missing") >= 12


def test_a_search_that_has_not_begun_has_a_report_too() -> None:
    search = {"settings": {"hidden_size": {"low": 16, "high": 256}}}
    plan = made_up_plan(variant=[], claim=[], search=search, timing=None, seeds=1)
    made = made_up_records(plan)
    outline = Outline(page_of(made))
    assert "0 variants, 1 seed each; 0 runs: 0 finished" in outline.text
    assert "verdicts" not in outline.ids
