"""The page Runs in a browser: what is listed, chosen, grouped and drawn, while runs go on."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
from browser import DESK, PHONE
from command_line import RNNLAB, TINY
from lab_page import lab, violations
from made_up_runs import append, evaluation, held_out_line, lines_of, made_up_run, train_line
from playwright.sync_api import Browser, Locator, Page, expect
from served import Served, serving

from rnnlab.files import try_lock, write_atomically
from rnnlab.lm.baseline_titles import baseline_title

SEEDS = {1: 2.1037, 2: 2.1321, 3: 2.0894, 4: 2.1516, 5: 2.1148}
"""Held-out bits per character of five runs that differ in nothing else."""

COLUMNS = [
    "Name", "Status", "Text", "Cell", "Size", "Held-out bits/char", "Best baseline", "Doctor",
    "Updated",
]  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("lab") / "runs"
    for seed, bits in SEEDS.items():
        made_up_run(root / f"lstm-s{seed}", bits, seed=seed)
    made_up_run(root / "in" / "gru", 2.3, cell="gru", hidden_size=48, dropout=0.2)
    made_up_run(root / "half", 2.2, steps=20, ended="", cell="rnn", num_layers=2)
    return root


@pytest.fixture(scope="module")
def runs(folder: Path) -> Iterator[Served]:
    with serving(str(folder)) as own:
        yield own


@pytest.fixture
def live(tmp_path: Path) -> Iterator[tuple[Served, Path]]:
    """A server whose runs a test changes, and its folder."""
    with serving(str(tmp_path)) as own:
        yield own, tmp_path


def names(page: Page) -> list[str]:
    """The names in the table, in their order, once there is a table."""
    page.locator(".all-runs tbody th").first.wait_for()
    return page.locator(".all-runs tbody th :is(a, button)").all_inner_texts()


def table(page: Page, label: str) -> list[list[str]]:
    """The cells of a table, its headings first, once it is there."""
    rows = page.get_by_role("region", name=label, exact=True).locator("tr")
    rows.first.wait_for()
    return [[text.strip() for text in row] for row in cells_of(rows)]


def cells_of(rows: Locator) -> list[list[str]]:
    found: list[list[str]] = rows.evaluate_all(
        "all => all.map((row) => [...row.children].map((cell) => cell.innerText))"
    )
    return found


def choose(page: Page, *names: str) -> None:
    for name in names:
        page.get_by_label(f"Show the curves of {name}", exact=True).check()


def read_at(page: Page, share: float) -> tuple[float, str]:
    """Point at the plot, 0: its left end, 1: its right end; what x is there, and the rest."""
    over = page.locator(".learning .u-over")
    over.scroll_into_view_if_needed()
    box = over.bounding_box()
    assert box
    page.mouse.move(box["x"] + 5, box["y"] + 50)
    page.mouse.move(box["x"] + share * box["width"], box["y"] + 50)
    x, _, rest = page.locator(".learning .read").inner_text().partition(": ")
    return float(x.replace(",", "")), rest


def drawn(page: Page, series: int) -> None:
    """Wait until the plot has so many series."""
    page.locator(".learning canvas").wait_for()
    page.wait_for_function(
        "count => document.querySelectorAll('.learning .u-cursor-pt').length === count", arg=series
    )


def numbers(page: Page) -> Locator:
    """The curves as numbers, opened."""
    details = page.locator(".learning details")
    if details.get_attribute("open") is None:
        details.locator("summary").click()
    return details.locator("tbody")


def test_runs_are_searched_in_names_and_settings(browser: Browser, runs: Served) -> None:
    with lab(browser, runs) as page:
        search = page.get_by_label("Search the runs")
        expect(page.locator(".count")).to_have_text("7 runs")
        for query, found in (
            ("LSTM", {f"lstm-s{seed}" for seed in SEEDS}),
            ("gru", {"in/gru"}),
            ("cell=rnn", {"half"}),
            ("hidden_size=64 seed=3", {"lstm-s3"}),
            ("hidden_size=6", set()),
            ("interrupted", {"half"}),
        ):
            search.fill(query)
            expect(page.locator(".count")).to_have_text(f"{len(found)} of 7 runs")
            assert set(names(page) if found else ()) == found, query
        search.fill("in/")
        page.reload()
        expect(page.get_by_label("Search the runs")).to_have_value("in/")
        expect(page.locator(".count")).to_have_text("1 of 7 runs")


def test_runs_are_sorted_by_every_column_and_by_keyboard(browser: Browser, runs: Served) -> None:
    with lab(browser, runs) as page:
        page.get_by_label("Search the runs").fill("lstm-")
        heads = page.locator(".all-runs thead th[scope=col]:not(.choice)")
        expect(heads).to_have_text(COLUMNS, use_inner_text=True)
        expect(heads.last).to_have_attribute("aria-sort", "descending")
        for column in COLUMNS:
            head = page.get_by_role("columnheader", name=column)
            head.get_by_role("button").focus()
            directions = ["ascending", "descending"]
            for direction in directions[::-1] if column == "Updated" else directions:
                page.keyboard.press("Enter")
                expect(head).to_have_attribute("aria-sort", direction)
            expect(page.locator("th[aria-sort]")).to_have_count(1)
        page.get_by_role("columnheader", name="Held-out").get_by_role("button").click()
        order = [f"lstm-s{seed}" for seed in sorted(SEEDS, key=lambda seed: SEEDS[seed])]
        assert names(page) == order
        page.reload()
        page.locator(".all-runs").wait_for()
        assert names(page) == order
        page.get_by_role("columnheader", name="Held-out").get_by_role("button").click()
        assert names(page) == order[::-1]


def test_seeds_are_grouped_with_the_t_interval_of_scipy(browser: Browser, runs: Served) -> None:
    values = [*SEEDS.values()]
    low, high = scipy.stats.t.interval(
        0.95, len(values) - 1, np.mean(values), scipy.stats.sem(values)
    )
    with lab(browser, runs) as page:
        page.get_by_label("Group seeds").check()
        row = page.locator(".all-runs tbody tr", has_text="5 runs")
        expect(row.locator("td").nth(5)).to_have_text(
            f"{np.mean(values):.3f} ± {(high - low) / 2:.3f}"
        )
        expect(page.locator(".all-runs tbody th :is(a, button)")).to_have_count(3)
        assert sorted(names(page)) == ["half", "in/gru", "lstm"]
        button = row.get_by_role("button", name="lstm")
        button.focus()
        page.keyboard.press("Enter")
        expect(button).to_have_attribute("aria-expanded", "true")
        inner = page.locator(".all-runs tr.inner th a")
        expect(inner).to_have_count(len(SEEDS))
        assert sorted(inner.all_inner_texts()) == [f"lstm-s{seed}" for seed in SEEDS]
        page.get_by_label("Show the curves of all 5 runs of lstm").check()
        figures = page.get_by_role("region", name="Figures", exact=True)
        expect(figures.locator("tr")).to_have_count(6)
        settings = table(page, "Settings that differ")
        assert [row[0] for row in settings] == ["Setting that differs", "seed"]
        assert settings[1][1:] == [name[-1] for name in settings[0][1:]]
        assert violations(page) == []


def test_quantiles_and_intervals_are_those_of_scipy(browser: Browser, runs: Served) -> None:
    with lab(browser, runs) as page:
        found = page.evaluate(
            """async () => {
              const { quantile } = await import("/page/student.js");
              const degrees = Array.from({ length: 200 }, (_, n) => n + 1);
              return [0.5, 0.95, 0.999].map((p) => degrees.map((n) => quantile(n, p)));
            }"""
        )
        for confidence, own in zip((0.5, 0.95, 0.999), found, strict=True):
            theirs = scipy.stats.t.ppf((1 + confidence) / 2, np.arange(1, 201))
            np.testing.assert_allclose(own, theirs, rtol=1e-9)
        assert page.evaluate(
            """async () => (await import("/page/student.js")).estimate([2.5])"""
        ) == {"mean": 2.5, "half": None}


def test_only_whole_trainings_of_different_seeds_and_the_same_text_make_an_interval(
    browser: Browser, live: tuple[Served, Path]
) -> None:
    server, folder = live
    for seed, bits in ((1, 2.0), (2, 2.2)):
        made_up_run(folder / f"a{seed}", bits, seed=seed)
    made_up_run(folder / "a3", 9.0, seed=3, ended="divergence")
    made_up_run(folder / "a4", 8.0, seed=4, ended="SIGINT")
    made_up_run(folder / "a5", 7.0, seed=5, steps=3, ended="")
    other = made_up_run(folder / "a6", 6.0, seed=6)
    result = json.loads((other / "result.json").read_text())
    for record in result["evaluations"]:
        record["corpus_sha256"] = "11" * 32
    (other / "result.json").write_text(json.dumps(result))
    with lab(browser, server) as page:
        page.get_by_label("Group seeds").check()
        row = page.locator(".all-runs tbody tr")
        expect(row).to_have_count(1)
        half = scipy.stats.t.ppf(0.975, 1) * np.std([2.0, 2.2], ddof=1) / 2**0.5
        expect(row.locator("td").nth(5)).to_have_text(f"2.100 ± {half:.3f}")
        expect(row).to_contain_text(
            "6 runs, mean and 95% interval over the 2 that ended as planned"
        )
        made_up_run(folder / "again", 2.1, seed=2)
        expect(row).to_contain_text("7 runs, the same seed twice")
        expect(row.locator("td").nth(5)).to_have_text("2.100")


def test_chosen_runs_are_laid_over_each_other(browser: Browser, runs: Served) -> None:
    with lab(browser, runs) as page:
        box = page.get_by_label("Show the curves of lstm-s1")
        box.focus()
        page.keyboard.press("Space")
        choose(page, "in/gru", "half")
        page.locator(".learning canvas").wait_for()
        expect(page.locator(".learning .key li")).to_have_text(["lstm-s1", "in/gru", "half"])
        rows = numbers(page).locator("tr")
        expect(rows.nth(2)).to_contain_text("2.500")
        assert cells_of(rows) == [
            ["lstm-s1", "40", "2.204", "2.304", "40", "2.304"],
            ["in/gru", "40", "2.400", "2.500", "40", "2.500"],
            ["half", "20", "2.400", "2.500", "20", "2.500"],
        ]
        expect(page.locator(".learning .note").first).to_have_text(
            "Validation text. The final figure is of the test text."
        )
        label = page.locator(".learning .canvas").get_attribute("aria-label")
        assert label
        assert "lstm-s1: held-out at best 2.304 at step 40. in/gru: " in label
        figures = table(page, "Figures")
        assert figures[1:3] == [
            ["lstm-s1", "2.104", "6-gram, Kneser-Ney: 2.250", "+0.146 ± 0.050",
             "timemachine: test, carried, 8,949 characters, best weights"],
            ["in/gru", "2.300", "6-gram, Kneser-Ney: 2.250", "−0.050 ± 0.050",
             "timemachine: test, carried, 8,949 characters, best weights"],
        ]  # fmt: skip
        assert figures[3] == ["half", "–", "not evaluated yet"]
        settings = {row[0]: row[1:] for row in table(page, "Settings that differ")[1:]}
        assert settings == {
            "cell": ["lstm", "gru", "rnn"], "num_layers": ["1", "1", "2"], "seed": ["1", "0", "0"],
            "hidden_size": ["64", "48", "64"], "dropout": ["0", "0.2", "0"],
        }  # fmt: skip
        page.reload()
        page.locator(".learning canvas").wait_for()
        expect(page.locator(".learning .key li")).to_have_count(3)
        page.get_by_role("button", name="Choose none").click()
        expect(page.locator(".learning")).to_have_count(0)


def test_runs_of_experiments_are_named_by_what_differs(
    browser: Browser, live: tuple[Served, Path]
) -> None:
    server, folder = live
    own_cell = f"Peephole@{'5e' * 32}"
    for number, cell in enumerate(("lstm", "lstm", own_cell, own_cell)):
        name = f"{number}123456789ab"
        made_up_run(folder / "cells" / "runs" / name, 2.1, cell=cell, seed=1 + number % 2)
    made_up_run(folder / "mine", hidden_size=32)
    with lab(browser, server) as page:
        page.get_by_label("Group seeds").check()
        expect(page.locator(".count")).to_have_text("5 runs")
        assert sorted(names(page)) == ["cells: Peephole", "cells: lstm", "mine"]
        row = page.locator(".all-runs tbody tr", has_text="cells: Peephole")
        expect(row.locator("td").nth(3)).to_have_text("Peephole")
        expect(row.locator("td").nth(3)).to_have_attribute("title", own_cell)
        choose(page, "all 2 runs of cells: Peephole", "all 2 runs of cells: lstm", "mine")
        key = page.locator(".learning .key li")
        models = ["b/runs/0123456789ab", "mine", "runs/a", "runs/0123456789ab", "z"]
        order = page.evaluate(
            'async (names) => (await import("/page/parts.js")).ownFirst(names)', models
        )
        assert order == ["mine", "runs/a", "z", "b/runs/0123456789ab", "runs/0123456789ab"]
        expect(key.last).to_have_text("mine")
        words = [text.strip() for text in key.all_inner_texts()]
        runs = [f"cells: {cell}, seed {n}" for cell in ("Peephole", "lstm") for n in (1, 2)]
        assert sorted(words) == sorted([*runs, "mine"])
        assert {row[0] for row in table(page, "Figures")[1:]} == set(words)
        settings = {row[0]: row[1:] for row in table(page, "Settings that differ")}
        assert settings["cell"].count("Peephole 5e5e5e5e") == 2
        assert own_cell not in page.locator("main").inner_text()
        page.get_by_label("Show the curves of all 2 runs of cells: lstm", exact=True).uncheck()
        expect(key).to_have_count(3)
        assert {text.strip() for text in key.all_inner_texts()} == {*runs[:2], "mine"}
        assert violations(page) == []


def test_runs_on_different_texts_are_said_to_be_incomparable(
    browser: Browser, live: tuple[Served, Path]
) -> None:
    server, folder = live
    for name, text in (("a", "timemachine"), ("b", "timemachine"), ("c", "names")):
        run = made_up_run(folder / name, corpus=(text,))
        if text == "names":
            words = (run / "result.json").read_text().replace("84" * 32, "11" * 32)
            (run / "result.json").write_text(words)
    warning = "These runs are measured on different texts; their curves cannot be compared."
    with lab(browser, server, viewport={"width": PHONE, "height": 900}) as page:
        choose(page, "a", "b")
        expect(page.locator(".learning .key li")).to_have_count(2)
        expect(page.get_by_text(warning)).to_have_count(0)
        choose(page, "c")
        expect(page.get_by_text(warning)).to_be_visible()
        assert table(page, "Figures")[3][-1].startswith("names: test, ")
        # On a phone the figures come right after the name, and are seen without scrolling.
        heads = page.locator(".all-runs thead th[scope=col]:not(.choice)").all_inner_texts()
        assert heads[:3] == ["Name", "Held-out bits/char", "Best baseline"]
        assert sorted(heads) == sorted(COLUMNS)
        box = page.locator(".all-runs tbody tr").first.locator("td").nth(2).bounding_box()
        assert box
        assert box["x"] + box["width"] <= PHONE


def test_a_zoom_stays_while_the_curves_move(browser: Browser, live: tuple[Served, Path]) -> None:
    server, folder = live
    run = made_up_run(folder / "a", steps=40, of=400, ended="")
    with try_lock(run / ".lock"), lab(browser, server) as page:
        choose(page, "a")
        drawn(page, 2)

        def step_at_the_middle() -> float:
            step, words = read_at(page, 0.5)
            assert "a, training" in words
            return step

        def grow(first: int, last: int) -> None:
            append(run, *lines_of(first, last, 2.1, 400))
            expect(numbers(page).locator("td").first).to_have_text(str(last))

        before = step_at_the_middle()
        assert before == pytest.approx(20, abs=2)
        grow(41, 80)
        assert step_at_the_middle() == pytest.approx(40, abs=3)  # all is shown
        whole = page.get_by_role("button", name="Whole")
        expect(whole).to_be_disabled()
        box = page.locator(".learning .u-over").bounding_box()
        assert box
        page.mouse.move(box["x"] + box["width"] / 4, box["y"] + 80)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 90, steps=4)
        page.mouse.up()
        expect(whole).to_be_enabled()
        zoomed = step_at_the_middle()
        assert zoomed == pytest.approx(30, abs=3)
        grow(81, 160)
        assert step_at_the_middle() == zoomed
        page.emulate_media(color_scheme="dark")  # the plot is made anew
        page.wait_for_timeout(300)
        assert step_at_the_middle() == zoomed
        whole.focus()
        page.keyboard.press("Enter")
        expect(whole).to_be_disabled()
        assert step_at_the_middle() == pytest.approx(80, abs=5)
        for name in "Closer", "Right", "Farther", "Left", "Whole":
            page.get_by_role("button", name=name).click()
        expect(whole).to_be_disabled()


def test_axes_may_be_logarithmic_and_across_tokens_or_seconds(
    browser: Browser, runs: Served
) -> None:
    with lab(browser, runs) as page:
        choose(page, "lstm-s1", "in/gru")
        drawn(page, 4)
        assert read_at(page, 0.5)[0] == pytest.approx(20, abs=2)
        page.get_by_role("combobox", name="Across").select_option(label="Tokens")
        page.wait_for_timeout(300)
        assert read_at(page, 0.5)[0] == pytest.approx(640 * 20, abs=1_280)
        # An evaluation has no tokens of its own: they are those of training at its step.
        x, words = read_at(page, 0.999)
        assert x == 640 * 40
        assert "lstm-s1, held-out 2.304" in words
        page.get_by_role("combobox", name="Across").select_option(label="Seconds of training")
        page.get_by_label("Logarithmic across").check()
        page.get_by_label("Logarithmic upwards").check()
        page.wait_for_timeout(300)
        assert read_at(page, 0.5)[0] == pytest.approx((0.05 * 2.0) ** 0.5, abs=0.03)
        page.get_by_role("combobox", name="Shown").select_option(label="Training")
        drawn(page, 2)
        assert "held-out" not in read_at(page, 0.999)[1]
        assert violations(page) == []


def colours(page: Page) -> set[str]:
    """The colours of the pixels of the plot."""
    return set(
        page.evaluate(
            """() => {
              const canvas = document.querySelector(".learning canvas");
              const [context, { width, height }] = [canvas.getContext("2d"), canvas];
              const { data } = context.getImageData(0, 0, width, height);
              const found = new Set();
              for (let at = 0; at < data.length; at += 4) {
                if (data[at + 3] === 255) found.add([data[at], data[at + 1], data[at + 2]]
                  .map((part) => part.toString(16).padStart(2, "0")).join(""));
              }
              return [...found];
            }"""
        )
    )


def test_the_plot_has_the_colours_of_the_page_and_changes_with_it(
    browser: Browser, runs: Served
) -> None:
    with lab(browser, runs, expected=("willReadFrequently",)) as page:
        choose(page, "lstm-s1", "in/gru")
        drawn(page, 4)
        light, dark = {"0067a8", "c44d00"}, {"5aaeea", "ef8a4b"}
        assert light <= colours(page)
        page.emulate_media(color_scheme="dark")
        page.wait_for_timeout(300)
        assert dark <= colours(page)
        assert not light & colours(page)


def test_a_run_moves_as_its_lines_come_and_goes_on_after_a_reload(
    browser: Browser, live: tuple[Served, Path]
) -> None:
    server, folder = live
    run = made_up_run(folder / "a", steps=10, of=100, ended="")
    with lab(browser, server) as page:
        row = page.locator(".all-runs tbody tr")
        expect(row.locator("td").nth(1)).to_have_text("interrupted")
        with try_lock(run / ".lock"):
            expect(row.locator("td").nth(1)).to_have_text("training")
            choose(page, "a")
            page.locator(".learning canvas").wait_for()
            bar = row.locator("progress")
            for last in 20, 30, 31:
                append(run, *lines_of(last - 9 if last < 31 else 31, last, 2.0, 100))
                expect(bar).to_have_js_property("value", last / 100)
                expect(numbers(page).locator("td").first).to_have_text(str(last))
            page.reload()
            expect(numbers(page).locator("td").first).to_have_text("31")
            append(run, *lines_of(32, 40, 2.0, 100))
            expect(numbers(page).locator("td").first).to_have_text("40")
            expect(row.locator("td").nth(5)).to_have_text("2.200")  # so far
            alone = "the network alone on validation text, at its last evaluation"
            expect(row.locator(".so-far")).to_have_attribute("title", alone)
            note = page.get_by_text(f"In italics: {alone}.")
            expect(note).to_be_visible()
        expect(row.locator("td").nth(1)).to_have_text("interrupted")
        (run / "result.json").write_text(
            json.dumps(
                {
                    "complete": True, "training": {"stopped_by": "budget", "steps": 40},
                    "evaluations": [evaluation("test", 1.999, "carried")],
                }
            )
        )  # fmt: skip
        expect(row.locator("td").nth(5)).to_have_text("1.999")
        expect(note).to_have_count(0)
        expect(page.locator(".count")).to_have_text("1 run")
        shutil.rmtree(run)
        expect(page.get_by_role("heading", name="No runs yet")).to_be_visible()


def test_the_page_of_a_run_gets_its_figures_when_it_ends(
    browser: Browser, live: tuple[Served, Path]
) -> None:
    server, folder = live
    run = made_up_run(folder / "a", steps=10, of=20, ended="")
    whole = json.loads((made_up_run(folder / "b", steps=20, of=20) / "result.json").read_text())
    with try_lock(run / ".lock"), lab(browser, server, "runs/a") as page:
        expect(page.get_by_text("No final evaluation yet")).to_be_visible()
        expect(page.locator(".run-state").first).to_contain_text("training: lstm 64 on timemachine")
        append(run, *lines_of(11, 20, 2.0, 20))
        expect(numbers(page).locator("td").first).to_have_text("20")
        # A run writes its result first without evaluations.
        unfinished = {**whole, "complete": False, "evaluations": []}
        write_atomically(run / "result.json", json.dumps(unfinished).encode())
        expect(page.locator(".run-state").first).to_contain_text("evaluating: lstm 64")
        write_atomically(run / "result.json", json.dumps(whole).encode())
        expect(page.locator(".headline b").first).to_have_text("2.100")
        expect(page.get_by_role("region", name="Evaluations")).to_be_visible()
        expect(page.locator(".learning .key")).to_contain_text("6-gram, Kneser-Ney: 2.250")


def test_lines_written_anew_by_a_resume_replace_the_old_ones(
    browser: Browser, live: tuple[Served, Path]
) -> None:
    server, folder = live
    run = made_up_run(folder / "a", steps=30, of=100, ended="")
    with lab(browser, server) as page:
        choose(page, "a")
        cells = numbers(page).locator("td")
        expect(cells.first).to_have_text("30")
        (run / "metrics.jsonl").write_text("")
        append(run, train_line(1, 5.0, 100), held_out_line(2, 4.0), train_line(3, 4.5, 100))
        expect(cells.first).to_have_text("3")
        expect(cells).to_have_text(["3", "4.500", "4.000", "2", "4.000"])


def test_a_real_training_is_seen_from_its_first_step_to_its_figures(
    browser: Browser, live: tuple[Served, Path], text_file: Path
) -> None:
    server, folder = live
    with lab(browser, server) as page:
        expect(page.get_by_role("heading", name="No runs yet")).to_be_visible()
        page.get_by_label("Follow the latest")  # only with runs
        training = subprocess.Popen(
            [
                RNNLAB, "train", "--corpus", str(text_file), *TINY, "--num-epochs", "0",
                "--max-seconds", "8", "--run-dir", str(folder / "new"),
            ],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            status = page.locator(".all-runs tbody td").nth(1)
            expect(status).to_contain_text("training", timeout=30_000)
            page.get_by_label("Follow the latest").check()
            bar = page.locator(".all-runs progress")
            seen = set[float]()
            while training.poll() is None and bar.count():
                seen.add(float(bar.evaluate("bar => bar ? bar.value : 0", timeout=2_000)))
                page.wait_for_timeout(150)
                if len(seen) > 2:
                    break
            assert len(seen) > 2
            steps = numbers(page).locator("td").first
            first = int(steps.inner_text().replace(",", ""))
            page.reload()  # goes on by itself
            page.locator(".learning canvas").wait_for()
            expect(status).to_contain_text("ended by budget", timeout=30_000)
            assert int(numbers(page).locator("td").first.inner_text().replace(",", "")) > first
            assert training.wait(60) == 0
        finally:
            training.kill()
            training.wait()
        result = json.loads((folder / "new" / "result.json").read_text())
        bits = next(
            record["bits_per_character"]
            for record in result["evaluations"]
            if (record["split"], record["context"]) == ("test", "carried")
        )
        expect(page.locator(".all-runs tbody td").nth(5)).to_have_text(f"{bits:.3f}")


def test_the_latest_training_is_followed(browser: Browser, live: tuple[Served, Path]) -> None:
    server, folder = live
    old = made_up_run(folder / "old", steps=30, of=100, ended="")
    with try_lock(old / ".lock"), lab(browser, server) as page:
        page.get_by_label("Follow the latest").check()
        legend = page.locator(".learning .key li")
        expect(legend.first).to_have_text("old")
        new = made_up_run(folder / "new", steps=2, of=100, ended="")
        with try_lock(new / ".lock"):
            expect(legend.first).to_have_text("new")
            page.reload()
            expect(legend.first).to_have_text("new")
        expect(legend.first).to_have_text("old")  # which is still trained
        page.get_by_label("Follow the latest").uncheck()
        expect(legend).to_have_count(0)


def test_a_server_that_comes_back_is_taken_up_again(browser: Browser, tmp_path: Path) -> None:
    run = made_up_run(tmp_path / "a", steps=10, of=100, ended="")
    made_up_run(tmp_path / "b")
    with serving(str(tmp_path)) as first:
        port = first.port
        with lab(browser, first, expected=("ERR_", "503")) as page:
            choose(page, "a")
            expect(numbers(page).locator("td").first).to_have_text("10")
            first.ended()
            expect(page.locator(".trouble").first).to_be_visible()
            append(run, *lines_of(11, 20, 2.0, 100))
            shutil.rmtree(tmp_path / "b")
            with serving(str(tmp_path), port=port):
                expect(numbers(page).locator("td").first).to_have_text("20", timeout=15_000)
                expect(page.locator(".trouble")).to_have_count(0)
                assert names(page) == ["a"]


def test_a_lab_without_runs_says_so_and_shows_the_form(
    browser: Browser, live: tuple[Served, Path]
) -> None:
    server, _ = live
    with lab(browser, server) as page:
        expect(page.get_by_role("heading", name="No runs yet")).to_be_visible()
        expect(page.get_by_role("region", name="Start a run").locator("form")).to_be_visible()
        expect(page.locator(".all-runs")).to_have_count(0)
        assert violations(page) == []


def test_a_thousand_rows_are_drawn_a_hundred_at_a_time(
    browser: Browser, live: tuple[Served, Path]
) -> None:
    server, folder = live
    first = made_up_run(folder / "run-0000", seed=0)
    for number in range(1, 1_000):
        run = folder / f"run-{number:04d}"
        run.mkdir()
        text = (first / "config.toml").read_text().replace("seed = 0", f"seed = {number}")
        (run / "config.toml").write_text(text)
    with lab(browser, server) as page:
        expect(page.locator(".count")).to_have_text("1,000 runs", timeout=15_000)
        page.get_by_role("columnheader", name="Name").get_by_role("button").click()
        assert names(page) == [f"run-{n:04d}" for n in range(100)]
        for _ in range(9):
            page.get_by_role("button", name="Next").click()
        expect(page.locator(".pager span")).to_have_text("Rows 901 to 1,000 of 1,000")
        assert names(page)[-1] == "run-0999"
        page.get_by_label("Search the runs").fill("seed=777")
        expect(page.locator(".count")).to_have_text("1 of 1,000 runs")
        assert names(page) == ["run-0777"]


def test_one_run_has_its_figures_findings_samples_and_settings(
    browser: Browser, server: Served, shelf: Path
) -> None:
    result = json.loads((shelf / "pets" / "result.json").read_text())
    findings = server.ask("/api/v1/findings/pets")[1]
    with lab(browser, server, "runs/pets") as page:
        expect(page.locator("h1")).to_have_text("pets")
        page.get_by_role("region", name="Evaluations").wait_for()
        rows = {row[0]: row[1:] for row in table(page, "Evaluations")}
        own = [record["bits_per_character"] for record in result["evaluations"]]
        assert rows["This run"] == [f"{bits:.3f}" for bits in own]
        for name, about in result["evaluations"][0]["baselines"].items():
            cells = rows[baseline_title(name, about)]
            for cell, record in zip(cells, result["evaluations"], strict=True):
                bits = record["baselines"][name]["bits_per_character"]
                ahead = bits - record["bits_per_character"]
                words = f"{bits:.3f} {'−' if ahead < 0 else '+'}{abs(ahead):.3f}"
                if lead := record["leads"].get(name):
                    words += f" ± {(lead['high'] - lead['low']) / 2:.3f}"
                assert cell == words
        caption = page.locator(".learning .note").first
        expect(caption).to_have_text(
            "Validation text, network alone, before its n-grams join it; its baselines are of the "
            "same text. The final figure is of the test text."
        )
        whole = next(
            record["bits_per_character"]
            for record in result["evaluations"]
            if record["split"] == "validation"
        )
        expect(page.locator(".learning .key li", has_text="with its n-grams")).to_have_text(
            f"pets, with its n-grams: {whole:.3f}"
        )
        assert f"pets, with its n-grams {whole:.3f}" in read_at(page, 0.999)[1]
        expect(page.locator(".headline")).to_contain_text("on test text")
        text = page.locator("main").inner_text()
        for finding in findings["findings"]:
            for line in (finding["title"], *finding["evidence"], *finding["advice"]):
                assert line in text
        sample = (shelf / "pets" / "samples.txt").read_text().rpartition("--- step ")[2]
        expect(page.locator(".sample blockquote").first).to_have_text(
            sample.partition("\n")[2].strip("\n")
        )
        for tab in "write", "inside", "score":
            expect(page.locator(f'main a[href="#/{tab}?model=pets"]')).to_have_count(1)
        page.get_by_text(re.compile(r"^All \d+ settings$")).click()
        expect(page.locator(".settings li", has_text="ngram_order")).to_have_text("ngram_order 3")
        assert violations(page) == []


def test_badges_say_what_the_doctor_found(browser: Browser, server: Served) -> None:
    findings = server.ask("/api/v1/findings/pets")[1]["findings"]
    with lab(browser, server) as page:
        words = "healthy" if not findings else f"{len(findings)} findings"
        words = findings[0]["title"] if len(findings) == 1 else words
        expect(page.locator(".badge")).to_have_text(words, timeout=20_000)


def test_a_run_that_is_not_there_is_said(browser: Browser, runs: Served) -> None:
    with lab(browser, runs, "runs/nothing", expected=("404",)) as page:
        expect(page.get_by_role("alert").first).to_contain_text("There is no run of this name")
        page.get_by_role("link", name="All runs").click()
        expect(page.locator("h1")).to_have_text("Runs")


@pytest.mark.parametrize("route", ["runs", "runs/lstm-s1", "runs/half"])
def test_it_fits_and_keeps_the_rules_of_accessibility(
    browser: Browser, runs: Served, route: str
) -> None:
    with lab(browser, runs, route) as page:
        if route == "runs":
            choose(page, "lstm-s1", "half")
        page.locator(".learning canvas").wait_for()
        for scheme, width in (("light", DESK), ("light", 2560), ("dark", PHONE)):
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            page.set_viewport_size({"width": width, "height": 900})
            page.locator("main details:not(.start details)").evaluate_all(
                "all => all.forEach((details) => { details.open = true; })"
            )
            # The plot is made anew, and then has the width of its place.
            page.wait_for_function(
                """() => {
                  const canvas = document.querySelector(".learning canvas");
                  return canvas && canvas.getBoundingClientRect().width <= innerWidth;
                }"""
            )
            assert violations(page) == [], (scheme, width)
            page.wait_for_function(
                "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
            )
