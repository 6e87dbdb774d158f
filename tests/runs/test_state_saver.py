"""Training states and their directory: damaged, refused, in use, on a failing disk."""

import os
import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from command_line import Cli
from interrupted import ended_well, fingerprint, resumed, start

from rnnlab.config import Settings
from rnnlab.data.streaming_limits import ProgressCallback
from rnnlab.errors import ModelFolderError, RunDirectoryError, UsageError
from rnnlab.lm.tensor_file import arrays_of, read_tensors, write_arrays
from rnnlab.lm.text_model import TextModel
from rnnlab.lm.train import Step
from rnnlab.runs import training
from rnnlab.runs.files import read_metrics, state_files
from rnnlab.runs.preparation import Prepared, prepare
from rnnlab.runs.state_saver import StateFacts, StateSaver, newest_state
from rnnlab.runs.training import train
from rnnlab.runs.watcher import Watcher


def test_the_state_before_replaces_a_damaged_newest_one(stopped: Path) -> None:
    newest, before = state_files(stopped)
    content = bytearray(newest.read_bytes())
    content[-1] ^= 1
    newest.write_bytes(content)
    step = int(before.stem)
    shown = resumed(stopped, num_epochs=step // 60 + 2)
    assert f"resumed   from step {step:,}" in shown
    assert (
        f"note      {newest}: damaged, its checksum does not match; "
        "going on from the state before\n" in shown
    )
    # Otherwise it would count as one of the two that are kept.
    assert newest not in state_files(stopped)
    newest_state(stopped)


def test_temporary_files_of_killed_processes_are_removed(stopped: Path) -> None:
    left = [stopped / folder / ".x.1.tmp" for folder in ("", "checkpoint/state", "checkpoint/last")]
    for file in left:
        file.write_text("half")
    resumed(stopped, num_epochs=int(state_files(stopped)[0].stem) // 60 + 2)
    assert not any(file.exists() for file in left)


@pytest.mark.parametrize(
    "left",
    [
        [],
        ["samples.txt"],
        ["samples.txt", "config.toml", "environment.json", "checkpoint/state/.0.1.tmp"],
    ],
)
def test_a_run_killed_before_its_first_state_can_be_started_again(
    small: Settings, tmp_path: Path, left: list[str]
) -> None:
    for name in (".lock", *left):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert ended_well(start(small, tmp_path))
    with pytest.raises(UsageError, match="exists and is not empty; go on with it by --resume"):
        train(small, tmp_path)


def test_the_second_of_two_new_runs_in_one_directory_is_refused(
    small: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The directory is checked again when it is locked."""
    first = tmp_path / "first"
    assert ended_well(start(small, first))

    def meanwhile(settings: Settings, watch: ProgressCallback, given: None) -> Prepared:
        shutil.copytree(first, tmp_path / "run")
        return prepare(settings)

    monkeypatch.setattr(training, "prepare", meanwhile)
    before = fingerprint(first)
    with pytest.raises(UsageError, match="exists and is not empty"):
        train(small, tmp_path / "run")
    assert fingerprint(tmp_path / "run") == before


def test_a_directory_in_use_is_refused(cli: Cli, small: Settings, tmp_path: Path) -> None:
    directory = tmp_path / "run"
    process = start(small.with_changes(num_epochs=1000), directory)
    while not state_files(directory):
        time.sleep(0.01)
    host = os.uname().nodename
    done = cli("train", "--resume", str(directory))
    process.kill()
    process.join()
    assert (done.returncode, done.stderr) == (
        1,
        f"rnnlab: error: run directory {str(directory)!r} is in use by process {process.pid} on "
        f"{host}\n",
    )


def test_metrics_shorter_than_before_are_reported(stopped: Path) -> None:
    """Like a copy that was made during training. The next line does not join a torn one."""
    metrics = stopped / "metrics.jsonl"
    by_then = newest_state(stopped).facts.log.bytes
    metrics.write_bytes(metrics.read_bytes()[: by_then - 5])
    lines = len(read_metrics(stopped))
    shown = resumed(stopped, num_epochs=int(state_files(stopped)[0].stem) // 60 + 2)
    assert f"note      {metrics} is shorter than it was when training was interrupted" in shown
    assert len(read_metrics(stopped)) > lines


def test_a_torn_last_line_is_skipped_and_then_dropped(small: Settings, tmp_path: Path) -> None:
    assert ended_well(start(small, tmp_path / "undisturbed"))
    directory = tmp_path / "run"
    process = start(small, directory)
    while len(read_metrics(directory)) < 3:
        time.sleep(0.001)
    process.kill()
    process.join()
    whole = read_metrics(directory)
    with (directory / "metrics.jsonl").open("a") as file:
        file.write('{"kind": "train", "st')
    assert read_metrics(directory) == whole
    assert ended_well(start(small, directory, resume=True))
    assert fingerprint(directory) == fingerprint(tmp_path / "undisturbed")


PENDING = {
    "steps": 1, "nats": 1.0, "norms": 1.0, "clipped": 0, "last": {
        "step": 1, "epoch": 0, "tokens": 1, "seconds": 0.0, "progress": 0.1, "loss_nats": 1.0,
        "gradient_norm": 1.0, "clipped": False, "learning_rate": 1.0,
    },
}  # fmt: skip
"""What a state says of a step that took no time."""


@pytest.mark.parametrize(
    ("place", "value", "rule"),
    [
        ("trainer.counters.step", None, "Input should be a valid integer"),
        ("trainer.counters.step", True, "Input should be a valid integer"),
        ("trainer.counters.tokens", -1, "Input should be greater than or equal to 0"),
        ("trainer.epoch_loss.total", "1", "Input should be a valid number"),
        ("log.pending.last", {}, "Field required"),
        ("log.pending", PENDING | {"steps": 0}, "pending steps must have a last one"),
        ("log.pending", PENDING, "pending steps must have a last one"),
        ("log.more", 1, "Extra inputs are not permitted"),
        ("saving", {}, "Field required"),
    ],
)
def test_a_state_that_breaks_the_schema_is_refused_before_any_change(
    stopped: Path, place: str, value: Any, rule: str
) -> None:
    """The checksum is valid, as if a faulty or hostile program had written the file."""
    for file in state_files(stopped):
        tensors, facts = read_tensors(file)
        *outer, last = place.split(".")
        inner = facts
        for key in outer:
            inner = inner[key]
        inner[last] = value
        write_arrays(file, arrays_of(tensors), facts)
    before = {file: file.read_bytes() for file in stopped.rglob("*") if file.is_file()}
    del before[stopped / ".lock"]
    with pytest.raises(
        ModelFolderError, match="not a training state as this version of rnnlab writes it: "
    ) as e:
        resumed(stopped)
    assert rule in str(e.value)
    assert {file: file.read_bytes() for file in before} == before


def test_damaged_model_folders_are_written_again(small: Settings, tmp_path: Path) -> None:
    directory = tmp_path / "run"
    assert ended_well(start(small, directory))
    for which in ("best", "last"):
        for name in ("tokenizer.json", "config.json"):
            (directory / "checkpoint" / which / name).write_text("{")
    (directory / "checkpoint" / "best" / "model.safetensors").unlink()
    resumed(directory, num_epochs=3)
    for which in ("best", "last"):
        assert TextModel.load(directory, which).checkpoint == which


@pytest.mark.parametrize("line", ["oops", '{"step": 1}', '{"kind": "train", "step": "x"}', "[]"])
def test_damaged_metrics_are_refused_before_any_change(stopped: Path, line: str) -> None:
    file = stopped / "metrics.jsonl"
    lines = file.read_text().splitlines()
    file.write_text("\n".join([lines[0], line, *lines[2:]]) + "\n")
    before = {path: path.read_bytes() for path in stopped.rglob("*") if path.is_file()}
    with pytest.raises(RunDirectoryError) as caught:
        resumed(stopped)
    assert str(caught.value).startswith(f"{file}: line 2: damaged, ")
    assert str(caught.value).endswith("; move it away to go on without it")
    del before[stopped / ".lock"]
    assert {path: path.read_bytes() for path in before} == before
    file.unlink()
    shown = resumed(stopped, num_epochs=int(state_files(stopped)[0].stem) // 60 + 2)
    assert "metrics.jsonl is shorter than it was" in shown


def test_without_an_undamaged_state_nothing_is_changed(stopped: Path) -> None:
    for file in state_files(stopped):
        file.write_bytes(file.read_bytes()[:-1])
    before = {file: file.read_bytes() for file in stopped.rglob("*") if file.is_file()}
    del before[stopped / ".lock"]
    with pytest.raises(RunDirectoryError) as caught:
        resumed(stopped)
    assert str(caught.value).startswith(
        f"{stopped} has no training state to go on from: {state_files(stopped)[0]}: damaged, "
        "not a safetensors file: "
    )
    assert str(caught.value).endswith(f"; train again with --config {stopped / 'config.toml'}")
    assert {file: file.read_bytes() for file in before} == before


def test_saving_takes_at_most_a_hundredth_of_the_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If saving is slow, it is done less often than asked."""
    clock = [0.0]
    monkeypatch.setattr("rnnlab.runs.state_saver.time.perf_counter", lambda: clock[0])
    monkeypatch.setattr(
        "rnnlab.runs.state_saver.write_arrays", lambda *_: clock.__setitem__(0, clock[0] + 0.5)
    )
    states = StateSaver(tmp_path, 30)
    states.make_folder()
    saved_at = []
    for second in range(1000):
        clock[0] = max(clock[0], float(second))
        if states.due():
            saved_at.append(second)
            states.save(lambda: ({}, StateFacts.model_construct()), second)
    assert saved_at[0] == 30
    assert saved_at[1:] == [81 + 51 * k for k in range(19)]
    assert states.costs.state_seconds / clock[0] <= 0.0101
    assert StateSaver(tmp_path, 0).due()


def test_a_directory_that_vanishes_ends_training(small: Settings, tmp_path: Path) -> None:
    directory = tmp_path / "run"

    class Vandal(Watcher):
        def step(self, event: Step) -> None:
            if event.step == 9:
                shutil.rmtree(directory)

    with pytest.raises(RunDirectoryError) as caught:
        train(small, directory, [Vandal()])
    assert re.fullmatch(
        rf"{directory}/\S+: No such file or directory; training stopped at step (9|10)\. No "
        r"training state is left",
        str(caught.value),
    )
    assert not directory.exists()


def test_a_directory_that_becomes_read_only_ends_training(small: Settings, tmp_path: Path) -> None:
    """A read-only file system holds for root too."""
    directory = tmp_path / "run"
    directory.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(directory)], check=True)

    class Vandal(Watcher):
        def step(self, event: Step) -> None:
            if event.step == 9:
                remount = ["mount", "-o", "remount,ro", str(directory)]
                subprocess.run(remount, check=True)

    try:
        with pytest.raises(RunDirectoryError) as caught:
            train(small, directory, [Vandal()])
        kept = int(newest_state(directory).facts.trainer.counters.step)
        assert kept == 8
        assert re.fullmatch(
            rf"{directory}/\S+: Read-only file system; training stopped at step (9|10)\. The "
            rf"training state of step 8 is kept; go on with rnnlab train --resume {directory}",
            str(caught.value),
        )
    finally:
        subprocess.run(["umount", "-l", str(directory)], check=True)
