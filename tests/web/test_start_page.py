"""Starting, stopping and resuming runs on the page, as a person does it."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import DESK, PHONE
from command_line import made_up_text
from lab_page import lab, overflows, violations
from lab_runs import LONG, SOON, TINY, empty_lab, process_of, wait_for
from made_up_runs import made_up_run
from playwright.sync_api import Browser, Locator, Page, Route, expect
from served import Served, serving

from rnnlab.data.named_corpora import NAMES
from rnnlab.files import read_json, try_lock
from rnnlab.runs.state_saver import newest_state

NEW_TEXT = "A new text: paste it, or choose a file"
MILLISECONDS = 1_000 * SOON


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, Path]]:
    """A lab in which nothing was trained, and its folder."""
    folder = tmp_path_factory.mktemp("lab")
    with serving(cwd=folder) as server:
        yield server, folder


def text_choice(page: Page) -> Locator:
    return page.locator(".start select").first


def field(page: Page, name: str) -> Locator:
    return page.locator(f".start [name={name}]")


def put(page: Page, settings: dict[str, Any]) -> None:
    """Open all settings, and fill in some; the rest keeps its defaults."""
    if not page.locator(".all-settings[open]").count():
        page.locator(".all-settings > summary").press("Enter")
    for name, value in settings.items():
        field(page, name).fill(str(value))
    page.get_by_label("Choose what is left open").set_checked(False)


def epochs_had(directory: Path) -> int:
    """The epochs of the last state that a run has saved."""
    return newest_state(directory).facts.trainer.counters.epoch


def test_from_an_empty_folder_to_a_model_and_on(browser: Browser, tmp_path: Path) -> None:
    text = made_up_text(600)
    with (
        empty_lab(tmp_path, with_text=False) as server,
        lab(browser, server, expected=("400",)) as page,
    ):
        expect(page.get_by_role("button", name="Start the first run")).to_be_enabled()
        text_choice(page).select_option(label=NEW_TEXT)
        expect(page.get_by_role("button", name="Start the first run")).to_be_disabled()
        page.get_by_placeholder("Paste a text").fill(text)
        page.get_by_label("Name of the text").fill("pets")
        page.get_by_label("Training time").fill("")
        settings = {**TINY, "num_epochs": LONG, "sample_length": 0}
        put(page, settings)
        assert violations(page) == []
        assert not (tmp_path / "runs").exists()

        page.reload()  # nothing typed is lost
        expect(page.get_by_placeholder("Paste a text")).to_have_value(text)
        expect(page.get_by_label("Name of the text")).to_have_value("pets")
        expect(page.get_by_label("Training time")).to_have_value("")
        words = "; given: embedding size, batch size, num steps, num epochs, sample length, threads"
        summary = page.locator(".all-settings > summary")
        found = summary.inner_text().removeprefix("All settings; given: ").split(", ")
        assert sorted(found) == sorted(words.removeprefix("; given: ").split(", "))
        summary.press("Enter")
        for name, value in settings.items():
            expect(field(page, name)).to_have_value(str(value))
        expect(page.get_by_label("Choose what is left open")).not_to_be_checked()

        page.get_by_label("Training time").press("Enter")
        controls = page.get_by_role("region", name="Training")
        stop = controls.get_by_role("button", name="Stop", exact=True)
        stop.wait_for(timeout=MILLISECONDS)
        assert page.url.endswith("#/runs/pets-lstm16-001")
        assert (tmp_path / "runs/texts/pets.txt").read_text() == text
        directory = tmp_path / "runs/pets-lstm16-001"
        expect(controls.get_by_role("progressbar")).to_be_visible()
        expect(controls.get_by_role("status")).to_have_text("Training.")
        assert violations(page) == []
        wait_for("a line of metrics", lambda: (directory / "metrics.jsonl").exists())
        stop.press("Enter")
        resume = controls.get_by_role("button", name="Resume")
        resume.wait_for(timeout=MILLISECONDS)
        assert read_json(directory / "result.json")["training"]["stopped_by"] == "SIGINT"
        expect(stop).to_have_count(0)
        epochs = controls.get_by_label("Epochs in all")
        expect(epochs).to_have_value(str(LONG))
        assert violations(page) == []

        resume.press("Enter")
        status = controls.get_by_role("status")
        expect(status).to_have_text("Training.", timeout=MILLISECONDS)
        os.kill(process_of(directory), signal.SIGKILL)
        expect(controls.get_by_role("alert")).to_have_text(
            "training was ended by SIGKILL; what it had saved is kept", timeout=MILLISECONDS
        )
        had = epochs_had(directory)
        epochs.fill(str(had + 2))
        resume.press("Enter")
        more = controls.get_by_role("button", name="Train on")
        more.wait_for(timeout=MILLISECONDS)
        expect(controls.get_by_role("alert")).to_have_count(0)
        expect(epochs).to_have_value(str(2 * (had + 2)))
        expect(controls.get_by_text(f"{had + 2:,} used")).to_be_visible()
        epochs.fill("1")
        more.press("Enter")
        expect(controls.get_by_role("alert")).to_have_text(
            f"num_epochs must be more than the {had + 2:,} epochs that were used, not 1",
            timeout=MILLISECONDS,
        )
        page.get_by_role("link", name="Write with it").click()
        expect(page.locator("h1")).to_have_text("Write")
        page.goto(f"{server.url}/#/runs")
        page.get_by_text("Start a run").wait_for()
        assert json.loads(page.evaluate("localStorage['rnnlab:start']"))["text"] == "stored/pets"


def sent(page: Page, path: str, answer: dict[str, Any], status: int = 200) -> list[Any]:
    """Answer the next requests in place of the server; return what they ask."""
    bodies: list[Any] = []

    def reply(route: Route) -> None:
        if route.request.method != "POST":
            route.fallback()
            return
        bodies.append(route.request.post_data_json)
        route.fulfill(status=status, json=answer)

    page.route(f"**{path}", reply)
    return bodies


def test_the_first_run_is_one_click_away(browser: Browser, empty: tuple[Served, Path]) -> None:
    """With a known text that needs no network, chosen settings and half a minute."""
    server, _ = empty
    texts = server.ask("/api/v1/texts")[1]["texts"]
    first = next(text for text in texts if text["here"])
    with lab(browser, server) as page:
        expect(page.locator(".start .lead")).to_have_text(
            f"The first run takes 30 seconds on {first['name']}; then the model writes."
        )
        bodies = sent(page, "/api/v1/runs", {"name": "one", "state": "waiting", "error": None}, 202)
        page.get_by_role("button", name="Start the first run").click()
        expect(page.get_by_role("button", name="Start the first run")).to_be_enabled()
        page.wait_for_timeout(100)
    assert bodies == [
        {"name": "", "text": first["id"], "settings": {}, "budget": "30s", "automatic": True}
    ]
    assert first["id"] in [f"corpus/{name}" for name in NAMES]


def test_what_is_wrong_is_said_where_it_is(browser: Browser, empty: tuple[Served, Path]) -> None:
    server, folder = empty
    with lab(browser, server, expected=("400",)) as page:
        put(page, {"hidden_size": "many", "dropout": ""})
        page.get_by_role("button", name="Start the first run").click()
        alert = page.locator(".start").get_by_role("alert")
        expect(alert).to_have_text("hidden_size must be a whole number, not 'many'")
        expect(field(page, "hidden_size")).to_have_attribute("aria-invalid", "true")
        field(page, "hidden_size").fill("")
        put(page, {"dropout": "1"})
        page.locator(".all-settings > summary").click()
        page.get_by_role("button", name="Start the first run").click()
        expect(alert).to_have_text("dropout must be less than 1, not 1")
        expect(field(page, "dropout")).to_be_visible()
        page.get_by_label("Search among the settings").fill("gate bias")
        expect(page.locator(".settings-grid label > span")).to_have_text(["forget bias"])
        page.get_by_label("Search among the settings").fill("no such thing")
        expect(page.get_by_text("Nothing fits.")).to_be_visible()
        page.get_by_role("button", name="Leave everything open").click()
        expect(page.locator(".all-settings > summary")).to_have_text("All settings")
    assert not (folder / "runs").exists()


def test_a_file_is_chosen_or_dropped(browser: Browser, empty: tuple[Served, Path]) -> None:
    server, folder = empty
    stored = folder / "runs/texts"
    with lab(browser, server, expected=("409",)) as page:
        text_choice(page).select_option(label=NEW_TEXT)
        file = {"name": "My Pets (1).txt", "mimeType": "text/plain"}
        page.get_by_label("Or a file").set_input_files([{**file, "buffer": b"\xffnot UTF-8"}])
        expect(page.locator(".new-text").get_by_role("alert")).to_have_text(
            "My Pets (1).txt is not plain text in UTF-8. Save it as that, or put it into a folder "
            "and start rnnlab serve --texts FOLDER: then the setting encoding says how it is read."
        )
        page.get_by_label("Or a file").set_input_files([{**file, "buffer": "Die Kätze".encode()}])
        expect(text_choice(page)).to_have_value("stored/my-pets-1")
        text_choice(page).select_option(label=NEW_TEXT)
        page.get_by_label("Or a file").set_input_files([{**file, "buffer": b"Another one"}])
        expect(text_choice(page)).to_have_value("stored/my-pets-1-2")
        text_choice(page).select_option(label=NEW_TEXT)
        data = page.evaluate_handle(
            "() => { const data = new DataTransfer();"
            "data.items.add(new File(['Dropped text'], 'dropped.txt')); return data; }"
        )
        page.locator(".new-text").dispatch_event("drop", {"dataTransfer": data})
        expect(text_choice(page)).to_have_value("stored/dropped")
    assert {file.name: file.read_text() for file in stored.iterdir()} == {
        "my-pets-1.txt": "Die Kätze", "my-pets-1-2.txt": "Another one",
        "dropped.txt": "Dropped text",
    }  # fmt: skip


def test_the_queue_is_shown_and_can_be_left(browser: Browser, empty: tuple[Served, Path]) -> None:
    server, _ = empty
    listed = {
        "trainings": [
            {"name": "a", "state": "training", "error": None},
            {"name": "b", "state": "waiting", "error": None},
            {"name": "c", "state": "waiting", "error": None},
            {"name": "d", "state": "failed", "error": "text too short"},
        ],
        "others": [],
    }
    with lab(browser, server) as page:
        page.route("**/api/v1/trainings", lambda route: route.fulfill(json=listed))
        bodies = sent(page, "/api/v1/runs/c/stop", {"name": "c", "state": "ended"})
        items = page.locator(".trainings li")
        expect(items).to_have_count(3, timeout=MILLISECONDS)
        expect(items).to_have_text(
            ["b waits for aDo not start b", "c waits for bDo not start c",
             "d did not begin: text too short"]
        )  # fmt: skip
        assert violations(page) == []
        page.get_by_role("button", name="Do not start c").press("Enter")
        page.wait_for_timeout(100)
    assert bodies == [{}]


def test_an_empty_time_says_what_is_used_and_a_run_that_waits_says_so(
    browser: Browser, empty: tuple[Served, Path]
) -> None:
    server, _ = empty
    with lab(browser, server, expected=("404",)) as page:
        time = page.get_by_label("Training time")
        time.fill("")
        expect(page.locator(".start .lead")).to_contain_text("The first run takes 120 seconds on")
        expect(
            page.get_by_text("empty: 120 seconds, unless epochs or tokens are given")
        ).to_be_visible()
        put(page, {"num_epochs": "3"})
        expect(page.locator(".start .lead")).to_contain_text("The first run takes some time on")
        listed = {
            "trainings": [
                {"name": "a", "state": "training", "error": None},
                {"name": "b", "state": "waiting", "error": None},
            ],
            "others": [],
        }
        page.route("**/api/v1/trainings", lambda route: route.fulfill(json=listed))
        sent(page, "/api/v1/runs", {"name": "b", "state": "waiting", "error": None}, 202)
        begin = page.get_by_role("button", name="Start the first run")
        last = page.locator(".start form :is(input, select, button)").last
        assert last.inner_text() == begin.inner_text(), "after all that it uses"
        begin.press("Enter")
        expect(page.locator(".begin").get_by_role("status")).to_have_text("b waits for a.")
        assert violations(page) == []
        page.goto(f"{server.url}/#/runs/b")
        expect(page.locator("main").get_by_role("status")).to_have_text(
            "It waits for a, and begins by itself."
        )
        expect(page.get_by_role("button", name="Do not start")).to_be_visible()
        assert violations(page) == []


def test_how_far_a_run_is_and_how_it_ended_is_said_in_plain_words(
    browser: Browser, tmp_path: Path
) -> None:
    made_up_run(tmp_path / "stopped", ended="SIGINT")
    made_up_run(tmp_path / "left", ended="SIGTERM")
    run = made_up_run(tmp_path / "now", steps=10, of=20, ended="", max_seconds=60.0)

    def answered(page: Page, name: str, state: str) -> None:
        told = {"name": name, "state": state, "error": None, "resumable": True, "refused": None}
        page.route(f"**/api/v1/trainings/{name}", lambda route: route.fulfill(json=told))

    with serving(str(tmp_path)) as server, lab(browser, server) as page:
        answered(page, "stopped", "stopping")  # its process has not ended yet
        page.goto(f"{server.url}/#/runs/stopped")
        controls = page.get_by_role("region", name="Training")
        expect(page.locator(".run-state").first).to_contain_text("stopped by you: ")
        expect(controls.get_by_role("status")).to_have_text("Its last files are written.")
        expect(controls.get_by_role("button", name="Stop")).to_have_count(0)
        assert violations(page) == []
        bodies = sent(
            page, "/api/v1/runs/stopped/again",
            {"name": "left", "state": "training", "error": None}, 201,
        )  # fmt: skip
        controls.get_by_role("button", name="Train again with another seed").press("Enter")
        expect(page.locator("main h1")).to_have_text("left")
        assert bodies == [{}]
        expect(page.locator(".run-state").first).to_contain_text("stopped when the server ended: ")
        answered(page, "now", "training")
        with try_lock(run / ".lock"):
            page.goto(f"{server.url}/#/runs/now")
            expect(page.locator(".progress")).to_have_text("30 of 60 s, 50 %")


def test_a_server_that_only_reads_says_so(browser: Browser, shelf: Path) -> None:
    words = "rnnlab serve was started with --read-only: nothing is started, stopped or stored."
    with serving(str(shelf), "--read-only") as server:
        with lab(browser, server) as page:
            page.get_by_text("Start a run").click()
            expect(page.locator(".start .note")).to_have_text(
                f"No run can be started here: {words}"
            )
        with lab(browser, server, "runs/pets") as page:
            controls = page.get_by_role("region", name="Training")
            expect(controls).to_have_text(words)
            expect(controls.get_by_role("button")).to_have_count(0)


def test_the_form_keeps_the_rules_everywhere(browser: Browser, empty: tuple[Served, Path]) -> None:
    server, _ = empty
    with lab(browser, server) as page:
        text_choice(page).select_option(label=NEW_TEXT)
        page.locator(".all-settings > summary").click()
        for scheme, width in (("dark", DESK), ("light", PHONE), ("light", 2560)):
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            page.set_viewport_size({"width": width, "height": 900})
            assert (violations(page), overflows(page)) == ([], 0), (scheme, width)
