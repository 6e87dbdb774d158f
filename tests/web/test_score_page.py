"""The page Score, as a person uses it; its numbers are those of the library and the command."""

import csv
import io
import math
from pathlib import Path

import numpy as np
import pytest
from browser import PHONE
from command_line import Cli, made_up_text
from lab_page import lab, overflows, violations
from playwright.sync_api import Browser, Page, expect
from served import Served

import rnnlab
from rnnlab.lm.baseline_titles import baseline_title

TEXT = made_up_text(40, seed=5) + "A fish ☃.\n"
NAMES = 'fade\nbead\n\nxyz\nabba\r\ndeaf, "cab"\nfade\n'


def figures(page: Page, table: str) -> list[list[str]]:
    """The cells of a table, row by row."""
    rows = page.locator(f"table.{table} tbody tr")
    expect(rows.first).to_be_visible()
    found: list[list[str]] = rows.evaluate_all(
        "all => all.map((row) => [...row.children].map((cell) => cell.innerText))"
    )
    return found


def test_a_text_is_scored_next_to_simple_methods(
    browser: Browser, server: Served, shelf: Path, tmp_path: Path
) -> None:
    file = tmp_path / "text.txt"
    file.write_text(TEXT, encoding="utf-8")
    with lab(browser, server, "score?model=pets") as page:
        page.get_by_label("Text", exact=True).fill(TEXT)
        page.get_by_label("more/bytes").check()
        page.get_by_role("button", name="Score").click()
        expect(page.locator("tr.baseline")).not_to_have_count(0, timeout=60_000)
        found = {row[0]: row for row in figures(page, "scores")}
        for name in ("pets", "more/bytes"):
            own = rnnlab.load(shelf / name).score(TEXT)
            assert found[name][1] == f"{own.bits_per_character:.3f}"
            assert found[name][3] == f"{math.exp(own.nats / own.tokens):.3f}"
        unknown = rnnlab.load(shelf / "pets").tokenizer.unknown_parts(TEXT)
        assert sum(unknown.values()) > 1
        assert found["pets"][4].split()[0] == str(sum(unknown.values()))
        assert found["more/bytes"][4] == "0"
        (record,), _ = rnnlab.evaluate(shelf / "pets", [file], contexts=["carried"])
        for name, own_figures in record.baselines.items():
            row = found[baseline_title(name, own_figures)]
            assert row[1] == f"{own_figures['bits_per_character']:.3f}"
        for name, part in record.parts.items():
            title = {"network": "its network alone", "ngram": "its n-gram alone"}[name]
            assert found[f"pets, {title}"][1] == f"{part['bits_per_character']:.3f}"
        bits = [float(row[1]) for row in figures(page, "scores")]
        assert bits == sorted(bits)
        assert len(bits) == 2 + len(record.parts) + len(record.baselines)
        assert violations(page) == []


def test_the_text_has_the_colours_of_its_surprise(
    browser: Browser, server: Served, shelf: Path
) -> None:
    nats = rnnlab.load(shelf / "pets").score(TEXT).target_nats
    with lab(browser, server, "score?model=pets") as page:
        page.get_by_label("Text", exact=True).fill(TEXT)
        page.get_by_label("Simple methods on the same text, too").uncheck()
        page.get_by_role("button", name="Score").click()
        letters = page.locator("#surprise span")
        expect(letters).to_have_count(len(TEXT))
        strengths = [
            float(strength)
            for strength in letters.evaluate_all(
                "spans => spans.map((span) => span.style.getPropertyValue('--a'))"
            )
        ]
        wanted = np.minimum(1, np.concatenate([[0], nats]) / math.log(2) / 10)
        assert strengths == pytest.approx(wanted.tolist(), abs=1e-3)
        page.locator("#surprise").focus()
        for _ in range(3):
            page.keyboard.press("ArrowRight")
        said = page.locator("section", has_text="Where it is surprised").get_by_role("status")
        expect(said).to_contain_text(f"{nats[2] / math.log(2):.2f} bits")
        assert page.locator("tr.baseline").count() == 0


def test_windows_start_from_a_state_of_zeros(browser: Browser, server: Served, shelf: Path) -> None:
    with lab(browser, server, "score?model=more/bytes") as page:
        page.get_by_label("Text", exact=True).fill(TEXT)
        page.get_by_label("State").select_option("windows")
        page.get_by_label("Tokens of a window").fill("20")
        page.get_by_role("button", name="Score").click()
        own = rnnlab.load(shelf / "more/bytes").score(TEXT, "windows:20")
        row = page.locator("table.scores tbody tr.model td").first
        expect(row).to_have_text(f"{own.bits_per_character:.3f}")
        expect(page.locator("#surprise span").first).to_be_visible()


def test_lines_are_ranked_as_the_command_ranks_them(
    browser: Browser, server: Served, shelf: Path, cli: Cli, tmp_path: Path
) -> None:
    file = tmp_path / "names.txt"
    file.write_text(NAMES, encoding="utf-8", newline="")
    done = cli("score", str(shelf / "more/names"), str(file), "--csv")
    wanted = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [row["line"] for row in wanted] == ["1", "2", "4", "5", "6", "7"]
    with lab(browser, server, "score?model=more/names") as page:
        page.get_by_label("Lines, each by itself").check()
        page.get_by_label("Lines", exact=True).fill(NAMES)
        page.get_by_role("button", name="Score 6 lines").click()
        expect(page.locator("form [role=status]")).to_have_text("6 lines scored with more/names.")
        ranked = sorted(wanted, key=lambda row: -float(row["bits_per_character"]))
        found = figures(page, "lines")
        assert [row[0] for row in found] == [row["line"] for row in ranked]
        assert [row[1] for row in found] == [
            f"{float(row['bits_per_character']):.3f}" for row in ranked
        ]
        assert found[0][2] == "xyz"
        assert found[0][5] == "100%"
        page.get_by_label("Order").select_option("text")
        with page.expect_download() as download:
            page.get_by_role("button", name="Save as CSV").click()
        saved = list(csv.DictReader(io.StringIO(Path(download.value.path()).read_text("utf-8"))))
        assert [list(row) for row in saved] == [[*row, "bits"] for row in wanted]
        for row, own in zip(saved, wanted, strict=True):
            assert row["text"] == own["text"]
            assert float(row["bits"]) == pytest.approx(float(own["nats"]) / math.log(2), abs=1e-3)
            for key in own.keys() - {"text"}:
                assert float(row[key]) == pytest.approx(float(own[key]), abs=2e-4), key
        page.get_by_label("Order").select_option("least")
        page.get_by_label("Lines with").fill("FADE")
        expect(page.locator("table.lines tbody tr")).to_have_count(2)
        assert [row[0] for row in figures(page, "lines")] == ["1", "7"]
        assert violations(page) == []
        page.reload()
        expect(page.get_by_label("Lines", exact=True)).to_have_value(NAMES.replace("\r\n", "\n"))
        expect(page.locator("table.lines tbody tr")).to_have_count(2)
        assert [row[0] for row in figures(page, "lines")] == ["1", "7"]


def test_many_lines_can_be_stopped(browser: Browser, server: Served) -> None:
    lines = "The cat sees the dog and the bird.\n" * 57_000
    with lab(browser, server, "score?model=pets") as page:
        page.get_by_label("Lines, each by itself").check()
        page.get_by_label("Or a file").set_input_files(
            {"name": "lines.txt", "mimeType": "text/plain", "buffer": lines.encode()}
        )
        expect(page.locator(".file")).to_contain_text("lines.txt, 1,995,000 characters")
        page.get_by_role("button", name="Score 57,000 lines").click()
        expect(page.locator("table.lines")).to_be_visible(timeout=60_000)
        page.get_by_role("button", name="Stop").click()
        said = page.locator("form [role=status]")
        expect(said).to_contain_text(" of 57,000 lines scored with pets.")
        assert 0 < int(said.inner_text().split()[0].replace(",", "")) < 57_000
        page.get_by_role("button", name="Type a text instead").click()
        expect(page.get_by_label("Lines", exact=True)).to_have_value("")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a" * 2_000_001, "it.txt has 2,000,001 characters; a text may have 2,000,000."),
        (b"caf\xe9", "it.txt is not text in UTF-8."),
    ],
)
def test_files_that_cannot_be_read_are_refused(
    browser: Browser, server: Served, content: bytes, message: str
) -> None:
    with lab(browser, server, "score") as page:
        page.get_by_label("Text", exact=True).fill("kept")
        page.get_by_label("Or a file").set_input_files(
            {"name": "it.txt", "mimeType": "text/plain", "buffer": content}
        )
        expect(page.get_by_role("alert")).to_have_text(message)
        expect(page.get_by_label("Text", exact=True)).to_have_value("kept")
        page.get_by_label("Text", exact=True).fill("other")
        expect(page.get_by_role("alert")).to_have_count(0)


def test_what_the_server_refuses_is_said_for_each_model(browser: Browser, server: Served) -> None:
    with lab(browser, server, "score?model=more/letters", expected=("422",)) as page:
        page.get_by_label("Text", exact=True).fill("☃☃")
        page.get_by_role("button", name="Score").click()
        expect(page.get_by_role("alert").first).to_have_text(
            "more/letters: a text of 0 tokens has nothing to predict; it needs 2"
        )
        page.get_by_label("Text", exact=True).fill("another text")
        expect(page.get_by_role("alert")).to_have_count(0)


def test_the_keyboard_alone_suffices_and_nothing_typed_is_lost(
    browser: Browser, server: Served
) -> None:
    with lab(browser, server, "score?model=more/bytes") as page:
        page.get_by_label("A text").focus()
        page.keyboard.press("Tab")
        page.keyboard.type("The cat.")
        for _ in range(30):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.textContent") == "Score":
                break
        page.keyboard.press("Enter")
        expect(page.locator("tr.model")).to_have_count(1)
        bits = page.locator("tr.model td").first.inner_text()
        page.reload()
        expect(page.get_by_label("Text", exact=True)).to_have_value("The cat.")
        expect(page.locator("tr.model td").first).to_have_text(bits)
        expect(page.get_by_label("Scores", exact=True)).to_contain_text("Lower is better.")
        expect(page.get_by_label("more/bytes")).to_be_checked()


def test_it_fits_a_phone(browser: Browser, server: Served) -> None:
    phone = {"width": PHONE, "height": 800}
    with lab(browser, server, "score?model=pets", viewport=phone) as page:
        page.get_by_label("Text", exact=True).fill(TEXT)
        page.get_by_role("button", name="Score").click()
        expect(page.locator("#surprise span").first).to_be_visible()
        assert overflows(page) == 0
        assert violations(page) == []
