"""The page of a class: complete, escaped, and readable in a real browser and on paper."""

import re
from pathlib import Path

import pytest
from browser import DESK, PHONE, opened, overflows, violations
from bs4 import BeautifulSoup
from made_up_runs import made_up_run
from playwright.sync_api import Browser

from rnnlab.comparison.class_overview import read_class
from rnnlab.errors import UsageError
from rnnlab.report.class_page import COLUMNS, ClassReport, titles

NBSP = "\u00a0"
A4 = 673
"""Width between the margins, in CSS pixels."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("class") / "class <4b>"
    made_up_run(folder / "ada & co" / "run", 2.1, seed=1)
    made_up_run(folder / "ben" / "<i>best</i>", 2.3, seed=2)
    made_up_run(folder / "cyd" / "run", 2.5, hidden_size=512)
    made_up_run(folder / "dee" / "run", 1.8, preprocessing="letters")
    made_up_run(folder / "eve" / "run", ended="", steps=9)
    (made_up_run(folder / "fay" / "run") / "result.json").write_text("{")
    return folder


@pytest.fixture(scope="module")
def found(folder: Path) -> ClassReport:
    return ClassReport(read_class(folder))


@pytest.fixture(scope="module")
def page(found: ClassReport) -> BeautifulSoup:
    return BeautifulSoup(found.to_html(), "html.parser")


def rows(page: BeautifulSoup, label: str) -> list[list[str]]:
    (table,) = page.find_all("table", attrs={"aria-label": label})
    lines = table.select("tbody tr")
    return [[cell.get_text(" ", strip=True) for cell in line.select("th, td")] for line in lines]


def test_every_run_is_a_row_of_its_text(page: BeautifulSoup) -> None:
    assert rows(page, "Runs on timemachine, test split") == [
        ["1 ada & co", "run", "–", "1", "4.000", "2.100", "2.250", f"+0.150{NBSP}±{NBSP}0.050",
         "nothing found, 6 of 11 looked for", "2.0"],
        ["2 ben", "<i>best</i>", "–", "2", "4.000", "2.300", "2.250", f"-0.050{NBSP}±{NBSP}0.050",
         "nothing found, 6 of 11 looked for", "2.0"],
        ["3 cyd", "run", "hidden_size = 512", "0", "4.000", "2.500", "2.250",
         f"-0.250{NBSP}±{NBSP}0.050", "nothing found, 6 of 11 looked for", "2.0"],
    ]  # fmt: skip
    assert [row[0] for row in rows(page, "Runs on timemachine, test split (2)")] == ["1 dee"]
    ((name, *_, end, seconds),) = rows(page, "Runs on Nothing held out, or not evaluated")
    assert (name, seconds) == ("eve", "–")
    assert end.startswith("has not ended; ")
    assert [head.get_text() for head in page.select("thead")[0].select("th")] == list(COLUMNS)


def test_the_spread_of_equal_settings(page: BeautifulSoup) -> None:
    """Of 2.1 and 2.3: a mean of 2.2, and 12.706 · 0.1414 / √2 = 1.271."""
    ((settings, seeds, spread, names),) = rows(page, "Spread over seeds on timemachine, test split")
    assert (settings, seeds) == ("the usual settings", "2 seeds")
    assert spread == f"2.200{NBSP}±{NBSP}1.271"
    assert names == "ada & co/run and ben/<i>best</i>"


def test_who_is_ahead_is_counted_in_students(page: BeautifulSoup) -> None:
    words = [paragraph.get_text() for paragraph in page.select("section > p")]
    assert words[0] == (
        "8,949 characters, context carried, weights: best. 1 of 3 students has a model that "
        "predicts them better than the n-gram (6-gram, Kneser-Ney 2.250 bits per character)."
    )
    assert "1 of 1 student has a model" in words[1]


def test_names_are_escaped_and_what_cannot_be_read_is_told(
    page: BeautifulSoup, found: ClassReport
) -> None:
    assert not page.select("main i")
    assert "<i>best" not in found.to_html()
    assert page.h1
    assert page.h1.get_text() == "class <4b>"
    unread = page.select("section[aria-labelledby=unread] li")
    assert [each.get_text().partition(": ")[0] for each in unread] == ["fay/run"]
    assert not re.search(r"(src|href)=\"(?!data:|#)", found.to_html())
    assert "timemachine, test split (2)" in titles(found.overview)
    assert "class <4b>: 5 students, 5 runs, 2 held-out texts" in repr(found)
    assert found._repr_html_().startswith("<iframe srcdoc=")


def test_the_page_in_a_browser(browser: Browser, found: ClassReport, tmp_path: Path) -> None:
    file = found.save(tmp_path / "class.html")
    for scheme in ("light", "dark"):
        with opened(
            browser, file, color_scheme=scheme, viewport={"width": DESK, "height": 900}
        ) as shown:
            assert violations(shown) == []
            assert overflows(shown) == 0
    with opened(browser, file, viewport={"width": PHONE, "height": 844}) as shown:
        assert overflows(shown) == 0
    with opened(browser, file, viewport={"width": A4, "height": 1000}) as shown:
        shown.emulate_media(media="print")
        assert overflows(shown) == 0
        assert shown.locator("table").first.is_visible()


def test_a_page_that_cannot_be_written(found: ClassReport, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"^the page cannot be written to .*: .*No such file"):
        found.save(tmp_path / "nowhere" / "class.html")
