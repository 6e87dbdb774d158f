"""Runs that are started, stopped and resumed over HTTP, whatever is killed meanwhile."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import command_line
import pytest
from command_line import Cli
from interrupted import fingerprint
from lab_runs import TINY, empty_lab, process_of, reached, started, state_of, trained, wait_for
from refusal import check
from served import Served, random_model

from rnnlab.data.tokenizer import ByteTokenizer
from rnnlab.files import lock_owner, read_json
from rnnlab.runs.files import LOCK


def test_one_run_trains_while_another_waits_and_both_can_be_stopped(
    shelf: Path, tmp_path: Path
) -> None:
    """Of several folders, runs are made in the first that is a folder of runs."""
    runs = tmp_path / "own"
    runs.mkdir()
    with empty_lab(tmp_path / "lab", str(shelf / "pets"), str(runs)) as server:
        first = started(server)
        assert first == {
            "name": "own/pets-lstm16-001", "state": "training", "error": None, "status": 201
        }  # fmt: skip
        listed = server.ask("/api/v1/runs")[1]["runs"]
        assert [run["name"] for run in listed] == ["own/pets-lstm16-001", "pets"]
        assert listed[0]["settings"]["corpus"] == [str(runs / "texts/pets.txt")]
        assert listed[0]["settings"] | TINY == listed[0]["settings"]
        second, third = started(server), started(server, name="third")
        assert (second["name"], second["state"], second["status"]) == (
            "own/pets-lstm16-002", "waiting", 202
        )  # fmt: skip
        assert third["state"] == "waiting"
        assert not (runs / "third").exists()
        for name in "third", "pets-lstm16-001":
            assert server.refused("/api/v1/runs", {"text": "stored/pets", "name": name}) == (
                409, f"name: {name!r} is taken; choose another one, or resume it", None,
                "name_taken",
            )  # fmt: skip
        ended = server.ask("/api/v1/runs/own/third/stop", {})[1]
        assert ended == {"name": "own/third", "state": "ended"}
        directory = runs / "pets-lstm16-001"
        assert server.refused("/api/v1/runs/own/pets-lstm16-001/resume", {})[:2] == (
            409, f"own/pets-lstm16-001 is being trained by {lock_owner(directory / LOCK)}"
        )  # fmt: skip
        stopped = server.ask("/api/v1/runs/own/pets-lstm16-001/stop", {})[1]
        assert stopped == {"name": "own/pets-lstm16-001", "state": "stopping"}
        reached(server, "own/pets-lstm16-001", "ended")
        result = read_json(directory / "result.json")
        assert result["training"]["stopped_by"] == "SIGINT"
        assert result["evaluations"], "as after Ctrl-C"
        assert not (directory / "errors.txt").exists()
        reached(server, "own/pets-lstm16-002", "training")
        states = server.ask("/api/v1/trainings")[1]["trainings"]
        assert {one["name"]: one["state"] for one in states} == {
            "own/pets-lstm16-001": "ended", "own/pets-lstm16-002": "training",
            "own/third": "ended",
        }  # fmt: skip
        directory = runs / "pets-lstm16-002"
        wait_for("a line of metrics", lambda: (directory / "metrics.jsonl").exists())
        code, printed, errors = server.ended(signal.SIGINT)
    assert (code, errors) == (130, "")
    assert printed == "kept      own/pets-lstm16-002, which can be resumed\nstopped   SIGINT\n"
    assert lock_owner(directory / LOCK) == ""
    assert read_json(directory / "result.json")["training"]["stopped_by"] == "SIGTERM"


def test_a_training_that_is_killed_goes_on_to_the_same_bits(cli: Cli, tmp_path: Path) -> None:
    settings = {"num_epochs": 1, "checkpoint_seconds": 0, "num_evaluations": 4, "dropout": 0.2,
                "corpus_limit": 3000}  # fmt: skip
    with empty_lab(tmp_path / "lab") as server:
        directory = tmp_path / "lab/runs/killed"
        started(server, name="killed", settings=settings)
        trained(directory, 5)
        os.kill(process_of(directory), signal.SIGKILL)
        after = reached(server, "killed", "ended")
        assert after["error"] == "training was ended by SIGKILL; what it had saved is kept"
        assert after["resumable"]
        assert server.ask("/api/v1/runs")[1]["runs"][0]["status"] == "not ended"
        assert not (directory / "result.json").exists(), "killed before it could end"
        status, content, _ = server.ask("/api/v1/runs/killed/resume", {})
        assert (status, content["error"]) == (200, None)
        assert reached(server, "killed", "ended")["error"] is None
        flags = [f"--{n.replace('_', '-')}={v}" for n, v in (TINY | settings).items()]
        undisturbed = tmp_path / "undisturbed"
        done = cli(
            "train", str(tmp_path / "lab/runs/texts/pets.txt"), *flags, "--no-automatic",
            "--sample-length", "0", "--run-dir", str(undisturbed),
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert fingerprint(directory) == fingerprint(undisturbed)
        assert read_json(directory / "result.json")["training"]["resumed_at"]

        over = server.refused("/api/v1/runs/killed/resume", {})
        assert over[:2] == (
            400, "killed has ended: its budget of num_epochs = 1 is used up; give a larger one to "
            "go on, such as --num-epochs 2",
        )  # fmt: skip


def test_training_goes_on_when_the_server_is_killed_and_the_next_one_can_stop_it(
    tmp_path: Path,
) -> None:
    with empty_lab(tmp_path / "lab") as server:
        directory = tmp_path / "lab/runs/orphan"
        started(server, name="orphan", settings={"checkpoint_seconds": 0})
        server.process.kill()
        server.process.communicate()
    trained(directory, 3)  # although nobody waits for it
    with empty_lab(tmp_path / "lab") as server:
        assert server.ask("/api/v1/trainings")[1] == {"trainings": [], "others": ["orphan"]}
        assert state_of(server, "orphan")["state"] == "training"
        assert started(server, name="next")["state"] == "waiting"
        assert server.ask("/api/v1/runs/next/stop", {})[1]["state"] == "ended"
        assert server.ask("/api/v1/runs/orphan/stop", {})[1]["state"] == "stopping"
        assert reached(server, "orphan", "none") == {
            "name": "orphan", "state": "none", "error": None, "resumable": True, "refused": None
        }  # fmt: skip
        assert read_json(directory / "result.json")["training"]["stopped_by"] == "SIGINT"
        assert server.refused("/api/v1/runs/orphan/stop", {})[:2] == (
            409, "orphan is not being trained"
        )  # fmt: skip


def test_a_run_is_trained_again_with_a_seed_of_its_own(tmp_path: Path) -> None:
    """Also if the first one had its settings chosen: nothing but the seed differs."""
    with empty_lab(tmp_path / "lab") as server:
        started(server, name="one-001", settings={"num_epochs": 1, "seed": 4})
        reached(server, "one-001", "ended")
        names = [server.ask("/api/v1/runs/one-001/again", {})[1]["name"] for _ in range(2)]
        assert names == ["one-002", "one-003"]
        for name in names:
            reached(server, name, "ended")
        runs = server.ask("/api/v1/runs")[1]["runs"]
        assert sorted(run["settings"]["seed"] for run in runs) == [4, 5, 6]
        assert len({run["group"] for run in runs}) == 1


@pytest.fixture(scope="module")
def lab_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lab")


@pytest.fixture(scope="module")
def lab(lab_folder: Path) -> Iterator[Served]:
    with empty_lab(lab_folder) as server:
        yield server


def refused(lab: Served, **body: Any) -> tuple[int, str, Any, str]:
    return lab.refused("/api/v1/runs", {"text": "stored/pets", **body})


def test_what_the_command_refuses_is_refused_in_its_words(
    lab: Served, lab_folder: Path, cli: Cli
) -> None:
    assert refused(lab, settings={"hidden_size": 0}) == (
        400, "hidden_size must be greater than or equal to 1, not 0", "hidden_size",
        "invalid_request",
    )  # fmt: skip
    assert refused(lab, settings={"data_dir": "/etc"})[0] == 400
    assert refused(lab, budget="soon")[1] == "budget: 'soon' is not a time such as 30s, 3m or 1h"
    assert refused(lab, text="stored/dogs")[::3] == (404, "text_not_found")
    lab.ask("/api/v1/texts", {"name": "short", "text": "ab"})
    short = refused(lab, text="stored/short", automatic=False, settings=TINY)
    assert short[0::3] == (422, "not_started")
    folder = lab_folder / "runs"
    done = cli("train", str(folder / "texts/short.txt"), *command_line.TINY)
    check(done, 1, short[1])
    assert [path.name for path in folder.iterdir()] == ["texts"], "nothing is left of them"
    states = lab.ask("/api/v1/trainings")[1]["trainings"]
    assert [one["state"] for one in states] == ["failed"]
    assert states[0]["error"] == short[1]


@pytest.mark.parametrize(
    "name", ["../evil", "/tmp/evil", "a/b", ".", "..", ".x", "a\0b", "-rf", "x" * 65, "ü", "texts"]
)
def test_names_of_runs_reach_nothing(lab: Served, name: str) -> None:
    status, message, parameter, _ = refused(lab, name=name)
    assert (status, parameter) == ((409, None) if name == "texts" else (400, "name"))
    assert message.startswith("name: ")


@pytest.mark.parametrize("what", ["stop", "resume"])
def test_only_runs_that_are_there_are_stopped_and_resumed(lab: Served, what: str) -> None:
    for name in "nothing", "..%2f..%2fetc", "texts", "%00", "x" * 3_000:
        found = lab.refused(f"/api/v1/runs/{name}/{what}", {})
        assert found[::3] == (404, "model_not_found")
    assert lab.refused(f"/api/v1/runs/pets/{what}", {"pid": 1})[0] == 400
    assert lab.ask(f"/api/v1/runs/pets/{what}")[0] in (404, 405)
    for sent in b"", b"[]", b"{", b"\xff":
        assert lab.refused(f"/api/v1/runs/pets/{what}", sent)[0] == 400
    foreign = lab.refused(f"/api/v1/runs/pets/{what}", {}, origin="http://evil.example")
    assert foreign[::3] == (403, "origin_not_allowed")
    kind = lab.refused(f"/api/v1/runs/pets/{what}", b"{}", content_type="text/plain")
    assert kind[::3] == (415, "not_json")


def test_a_run_with_links_or_without_a_state_is_not_resumed(shelf: Path, tmp_path: Path) -> None:
    runs = tmp_path / "lab/runs"
    runs.mkdir(parents=True)
    random_model(runs / "model", ByteTokenizer())
    (runs / "bare").mkdir()
    (runs / "bare/config.toml").write_text((shelf / "pets/config.toml").read_text())
    (runs / "linked").symlink_to(shelf / "pets")
    (runs / "sly").mkdir()
    (runs / "sly/config.toml").write_text((shelf / "pets/config.toml").read_text())
    (runs / "sly/checkpoint").symlink_to(shelf / "pets/checkpoint")
    before = {file: file.stat().st_mtime_ns for file in (shelf / "pets").rglob("*")}
    with empty_lab(tmp_path / "lab") as server:
        found = {
            name: server.refused(f"/api/v1/runs/{name}/resume", {})[:2]
            for name in ("model", "bare", "linked", "sly")
        }
        assert server.refused("/api/v1/runs/bare/stop", {})[1] == "bare is not being trained"
    assert found == {
        "model": (404, "'model' is not a run directory"),
        "bare": (409, "bare has no training state to go on from; start a new run"),
        "linked": (404, "unknown model 'linked' (choices: bare, model, sly)"),
        "sly": (409, "checkpoint of sly is a link to somewhere else"),
    }
    assert {file: file.stat().st_mtime_ns for file in (shelf / "pets").rglob("*")} == before


def test_nothing_is_started_by_a_server_that_only_reads(tmp_path: Path, shelf: Path) -> None:
    with empty_lab(tmp_path / "lab", str(shelf), "--read-only") as server:
        sentence = (
            "rnnlab serve was started with --read-only: nothing is started, stopped or stored"
        )
        for path in "texts", "runs", "runs/pets/stop", "runs/pets/resume":
            body = {"name": "a", "text": "b"}
            assert server.refused(f"/api/v1/{path}", body) == (403, sentence, None, "read_only")
        assert server.ask("/api/v1/settings")[1]["refused"] == sentence
        assert state_of(server, "pets")["refused"] == sentence
        assert state_of(server, "pets")["resumable"]
        assert not (shelf / "texts").exists()
