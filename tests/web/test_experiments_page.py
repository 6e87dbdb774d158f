"""The page Experiments, as a person uses it: from a question to the run behind a point."""

import re
import shutil
from pathlib import Path
from statistics import geometric_mean, mean

from browser import DESK, PHONE
from lab_page import lab, overflows, violations
from playwright.sync_api import Browser, Page, expect
from served import Served, serving

FIGURE = "held_out_bits_per_character"


def opened(page: Page) -> None:
    """Go from the list to the experiment by keyboard."""
    page.get_by_role("link", name="Which cell").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator(".points")).to_be_visible()


def test_from_the_question_to_the_run_behind_a_point(browser: Browser, experiments: Served) -> None:
    _, told, _ = experiments.ask("/api/v1/experiments/cells")
    with lab(browser, experiments, "experiments") as page:
        questions = page.locator(".experiments .question")
        expect(questions).to_have_text(["Does a GRU learn more?", "Is <b> bold?"])
        assert violations(page) == []
        opened(page)
        expect(page.locator("h1")).to_have_text("Which cell")
        (claim,) = told["claims"]
        expect(page.locator(".claims .verdict")).to_have_text(claim["verdict"])
        page.get_by_text("How it was decided").click()
        expect(page.locator(".claims details li")).to_have_text(claim["sentences"])
        assert violations(page) == []
        strips = page.get_by_role("img")
        expect(strips).to_have_count(2)
        for number, cell in enumerate(("lstm", "gru")):
            values = [
                run["outcomes"][FIGURE] for run in told["runs"] if run["variant"] == f"cell={cell}"
            ]
            label = strips.nth(number).get_attribute("aria-label")
            assert label == (
                f"2 runs, mean {mean(values):.3f}, from {min(values):.3f} to {max(values):.3f}"
            )
        points = strips.first.locator(".point")
        expect(points).to_have_count(2)
        points.nth(1).hover()
        said = page.locator(".points .now")
        run = next(r for r in told["runs"] if (r["variant"], r["seed"]) == ("cell=lstm", 1))
        expect(said).to_have_text(f"cell=lstm, seed 1: {run['outcomes'][FIGURE]:.3f}")
        points.nth(1).click()
        expect(page.locator("main h1")).to_contain_text(run["id"])
        assert page.evaluate("location.hash") == f"#/runs/cells/runs/{run['id']}"


def test_the_table_leads_to_every_run_by_keyboard(browser: Browser, experiments: Served) -> None:
    _, told, _ = experiments.ask("/api/v1/experiments/cells")
    with lab(browser, experiments, "experiments/cells") as page:
        rows = page.locator(".runs-table tbody tr")
        expect(rows).to_have_count(4)
        cells = rows.evaluate_all(
            "all => all.map((row) => [...row.children].map((cell) => cell.innerText))"
        )
        assert [row[:4] for row in cells] == [
            [run["id"], run["variant"], str(run["seed"]), f"{run['outcomes'][FIGURE]:.3f}"]
            for run in told["runs"]
        ]
        assert [row[4] for row in cells] == ["lstm", "gru", "lstm", "gru"]
        page.get_by_role("button", name="held-out bits/character").click()
        values = sorted(f"{run['outcomes'][FIGURE]:.3f}" for run in told["runs"])
        expect(page.locator(".runs-table td:nth-child(4)")).to_have_text(values)
        page.get_by_label("Figure").select_option("tokens_per_second")
        expect(page.locator(".how").first).to_contain_text("Higher is better")
        speeds = [
            run["outcomes"]["tokens_per_second"]
            for run in told["runs"]
            if run["variant"] == "cell=lstm"
        ]
        low, middle, high = min(speeds), geometric_mean(speeds), max(speeds)
        strip = page.get_by_role("img").first
        label = f"2 runs, mean {middle:,.0f}, from {low:,.0f} to {high:,.0f}"
        expect(strip).to_have_attribute("aria-label", label)
        page.reload()
        expect(page.get_by_label("Figure")).to_have_value("tokens_per_second")
        page.locator(".runs-table a").first.focus()
        page.keyboard.press("Enter")
        expect(page.locator("main h1")).to_contain_text(re.compile(r"[0-9a-f]{12}"))


def test_the_report_is_shown_in_a_frame_where_nothing_runs(
    browser: Browser, experiments: Served, of_experiments: Path
) -> None:
    with lab(browser, experiments, "experiments/cells") as page:
        page.get_by_role("button", name="Show the report").click()
        frame = page.frame_locator("iframe")
        expect(frame.locator("h1")).to_have_text("Which cell")
        style = frame.locator("h1").evaluate("(h) => getComputedStyle(h).fontWeight")
        assert style == "600"  # its own styles are allowed
        assert page.locator("iframe").get_attribute("sandbox") == ""
        page.get_by_role("button", name="Close the report").click()
        expect(page.locator("iframe")).to_have_count(0)


def test_an_experiment_that_has_not_run_says_how_it_would(
    browser: Browser, experiments: Served
) -> None:
    with lab(browser, experiments, "experiments/idle") as page:
        expect(page.locator(".question")).to_have_text("Is <b> bold?")
        expect(page.get_by_text("No run has this figure yet.")).to_be_visible()
        expect(page.get_by_text("There is none yet")).to_be_visible()


def test_where_there_is_nothing_the_page_says_what_would_be(
    browser: Browser, tmp_path: Path
) -> None:
    (tmp_path / "runs").mkdir()
    with serving(str(tmp_path / "runs")) as server:
        with lab(browser, server, "experiments") as page:
            expect(page.locator(".empty")).to_contain_text("experiment.toml")
        with lab(browser, server, "experiments/gone", expected=("404",)) as page:
            expect(page.get_by_role("alert")).to_contain_text("unknown experiment 'gone'")


def test_it_fits_a_phone_and_the_dark(browser: Browser, experiments: Served) -> None:
    with lab(browser, experiments, "experiments/cells") as page:
        expect(page.locator(".points")).to_be_visible()
        for scheme, width in (("light", PHONE), ("dark", DESK)):
            page.set_viewport_size({"width": width, "height": 800})
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            assert overflows(page) == 0
            assert violations(page) == []


def test_a_plan_that_cannot_be_read_hides_nothing_else(
    browser: Browser, of_experiments: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "copied"
    shutil.copytree(of_experiments / "cells", folder, ignore=shutil.ignore_patterns("runs"))
    file = folder / "experiment.toml"
    file.write_text(file.read_text().replace('"gru"]', '"../away.py:Own"]'))
    with serving(str(tmp_path)) as server, lab(browser, server, "experiments/copied") as page:
        expect(page.locator(".warning")).to_contain_text(
            "its runs and its report are as they were written. experiment.toml: cell "
            "'../away.py:Own'"
        )
        expect(page.locator(".points")).to_be_visible()
        expect(page.locator(".runs-table tbody tr")).to_have_count(4)
        expect(page.get_by_role("button", name="Show the report")).to_be_visible()
        assert violations(page) == []
