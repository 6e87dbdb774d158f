"""The section about several texts: its tables, its picture, its page, its protocol."""

import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from browser import DESK, PHONE, opened
from made_up_comparisons import PERPLEXITY, plan, plan_on_texts, records_on_texts
from playwright.sync_api import Browser

from rnnlab.experiments.records import Records
from rnnlab.experiments.verdicts import judge_claims
from rnnlab.report.outcome_table import outcome_table
from rnnlab.report.pages import write_report
from rnnlab.report.texts_section import forest, texts_section

CLAIMS = [{"expect": "not higher", "margin": 0.02}, {"against": 2.5, "expect": "lower"}]


def figures(texts: int = 4) -> np.ndarray:
    """(2 variants, texts, 3 seeds)."""
    rng = np.random.default_rng(0)
    found = 2 + rng.normal(0, 0.2, (1, texts, 1)) + rng.normal(0, 0.01, (2, texts, 3))
    found[1] += np.linspace(-0.2, 0.02, texts)[:, None]
    return found


@pytest.fixture(scope="module")
def found() -> Records:
    return records_on_texts(plan_on_texts(CLAIMS, 4, 3), figures())


def test_each_text_has_a_row_and_all_of_them_one_below(found: Records) -> None:
    section = texts_section(found, judge_claims(found))
    assert section is not None
    first, fixed = section.comparisons
    assert first.title == "v1 against v0: held-out bits/character, last weights"
    assert (fixed.title[:15], fixed.against_name) == ("v1 against 2.5:", "fixed value")
    assert [row.name for row in first.rows] == ["t0", "t1", "t2", "t3", "on texts like these"]
    values = figures()
    for row, own, against in zip(first.rows, values[1], values[0], strict=False):
        assert (row.own, row.against) == (f"{own.mean():.3f}", f"{against.mean():.3f}")
        assert row.difference == f"{own.mean() - against.mean():+.3f}"
        assert re.fullmatch(r"[+-]\d\.\d{3} to [+-]\d\.\d{3}", row.interval)
    pooled = first.rows[-1]
    assert pooled.pooled
    assert pooled.pairs == 12
    assert pooled.difference == f"{(values[1] - values[0]).mean():+.3f}"


def test_the_picture_has_a_point_for_each_text_and_a_diamond_for_all(found: Records) -> None:
    picture = forest(found, judge_claims(found))
    assert picture is not None
    assert "the shaded band is the margin" in picture.caption
    first = ElementTree.fromstring(picture.plots[0])
    words = [text.text for text in first.iter("text")]
    assert {"t0", "t1", "t2", "t3", "on texts like these"} <= set(words)
    assert "difference in held-out bits/character, last weights" in words
    told = first.attrib["aria-label"]
    assert told.count("(") == 5
    assert told.startswith("v1 against v0, difference in held-out bits/character")


def test_ratios_are_drawn_on_a_logarithmic_axis() -> None:
    made = plan_on_texts([{"outcome": PERPLEXITY, "expect": "lower", "margin": 1.05}], 3, 3)
    records = records_on_texts(made, np.exp(figures(3)), PERPLEXITY)
    picture = forest(records, judge_claims(records))
    assert picture is not None
    assert "ratio of training perplexity" in picture.plots[0]
    assert not re.search(r'aria-label="[^"]*[+]', picture.plots[0])


def test_one_text_has_no_such_section(records: Records) -> None:
    verdicts = judge_claims(records)
    assert texts_section(records, verdicts) is None
    assert forest(records, verdicts) is None


def test_the_table_of_outcomes_has_the_mean_and_each_text(found: Records) -> None:
    rows = outcome_table(found).rows
    assert [row.name for row in rows[:5]] == ["v0", "t0", "t1", "t2", "t3"]
    assert [row.number for row in rows[:6]] == [1, 0, 0, 0, 0, 2]
    values = figures()[0]
    means = [values.mean(), *values.mean(1)]
    assert [row.cells[0].mean for row in rows[:5]] == [f"{mean:.3f}" for mean in means]


def test_the_pages_say_what_verdicts_are_about(
    found: Records, tmp_path: Path, browser: Browser
) -> None:
    html, markdown = write_report(found, judge_claims(found), tmp_path)
    words = " ".join(markdown.read_text(encoding="utf-8").split())
    for expected in (
        "2 variants, 4 texts, 3 seeds each",
        "**supported**, on texts like these: v1",
        "The row of a variant is the mean over the 4 texts, the rows below it are of single texts.",
        "**Texts**: verdicts are about texts like these, by a t test over the means of the 4 texts",
        "from one text to the next 100,000 is added to each",
        "Some texts are made of the same corpus. A verdict about texts like these takes them for "
        "independent ones, and is too certain.",
        "**Text 't2'**: python-reference, preprocessing none; the first 1,002 tokens",
    ):
        assert expected in words
    assert "One text" not in words
    for width in (PHONE, DESK):
        with opened(browser, html, viewport={"width": width, "height": 800}) as page:
            page.eval_on_selector_all("details", "all => all.forEach(d => d.open = true)")
            assert page.evaluate("document.documentElement.scrollWidth") == width
            assert page.locator("section[aria-labelledby=texts] .plot").count() == 2
            assert page.locator(".verdict .about").first.inner_text() == "on texts like these"
            inside = page.locator("section[aria-labelledby=texts] .plot").first.evaluate(
                """plot => [...plot.querySelectorAll('text')].every(t => {
                    const own = t.getBoundingClientRect(), all = plot.getBoundingClientRect();
                    return own.left >= all.left - 1 && own.right <= all.right + 1;
                })"""
            )
            assert inside, "all words of the picture lie within it"


def test_folds_and_these_texts_have_their_own_words(tmp_path: Path) -> None:
    for keys, expected in (
        ({"folds": 4}, "a corrected resampled t test over the means of the 4 folds"),
        ({"about": "these texts"}, "whose error is that of the seeds within each"),
    ):
        made = plan_on_texts(CLAIMS, 4, 3, **keys)
        records = records_on_texts(made, figures())
        _, markdown = write_report(records, judge_claims(records), tmp_path)
        assert expected in " ".join(markdown.read_text(encoding="utf-8").split())


def test_texts_of_different_corpora_and_folds_are_not_warned_of(tmp_path: Path) -> None:
    named = ["timemachine", "tinyshakespeare", "python-reference"]
    for keys in ({"texts": named, "base": {"num_epochs": 1}}, {"folds": 3}):
        records = records_on_texts(plan(CLAIMS, 3, **keys), figures(3))
        _, markdown = write_report(records, judge_claims(records), tmp_path)
        assert "same corpus" not in markdown.read_text(encoding="utf-8")
