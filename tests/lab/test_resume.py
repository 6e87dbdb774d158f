"""Training that was cut off goes on to the bits of a run never interrupted."""

import io
import os
import random
import re
import shutil
import signal
import subprocess
import time
from itertools import cycle, product
from pathlib import Path
from typing import Any

import pytest
from command_line import Cli
from interrupted import ended_well, fingerprint, start
from rich.console import Console

import rnnlab
from rnnlab.config import Settings
from rnnlab.data.streaming import Watch
from rnnlab.errors import (
    ChecksumError,
    ModelFolderError,
    RunDirectoryError,
    RunEndedError,
    UsageError,
)
from rnnlab.lab import training
from rnnlab.lab.display import Display
from rnnlab.lab.resume import check_same_run
from rnnlab.lab.run import Run
from rnnlab.lab.run_files import read_json, read_metrics
from rnnlab.lab.states import States, newest_state, state_files
from rnnlab.lab.training import Prepared, prepare, train
from rnnlab.lm.tensor_file import read_tensors, write_tensors
from rnnlab.lm.train import Milestone, Step

KILLS = int(os.environ.get("RNNLAB_KILLS", "12"))
"""kill -9 in `test_kill_at_any_moment`; docs/resume.md has what came of 100."""

CELLS, OPTIMIZERS = ("rnn", "rnn-relu", "gru", "lstm"), ("sgd", "adamw")


@pytest.fixture(scope="module")
def small(text_file: Path) -> Settings:
    """A run of a second, that saves a state after every step."""
    return Settings().changed(
        corpus=str(text_file), hidden_size=12, embedding_size=4, batch_size=4, num_steps=10,
        corpus_limit=2500, num_epochs=2, num_evaluations=5, num_log_lines=7, sample_length=20,
        dropout=0.2, threads=1, checkpoint_seconds=0,
    )  # fmt: skip


def combinations() -> list[dict[str, str]]:
    """Each cell with each engine, the optimizers and kinds of batches in turn; bfloat16 if it is
    there."""
    from rnnlab.engines import ENGINES
    from rnnlab.errors import UnavailableError
    from rnnlab.lm.precision import check_precision, choose_device

    precisions = ["float32"]
    try:
        check_precision("bfloat16", choose_device("cpu"))
        precisions.append("bfloat16")
    except UnavailableError:
        pass
    turns = zip(cycle(OPTIMIZERS), cycle(["sequential", "random", "random"]), cycle(precisions),
                strict=False)  # fmt: skip
    found = [
        {"cell": cell, "engine": engine, "optimizer": optimizer, "batching": batching,
         "precision": precision}
        for (engine, cell), (optimizer, batching, precision) in zip(
            product(sorted(ENGINES), CELLS), turns, strict=False
        )
    ]  # fmt: skip
    return random.Random(1).sample(found, len(found))


def test_kill_at_any_moment(small: Settings, tmp_path: Path) -> None:
    moments = random.Random(3)
    expected: dict[str, tuple[dict[str, str], float]] = {}
    killed = 0
    for number, change in zip(range(KILLS), cycle(combinations()), strict=False):
        settings, name = small.changed(**change), " ".join(change.values())
        if name not in expected:
            undisturbed = tmp_path / name
            began = time.monotonic()
            assert ended_well(start(settings, undisturbed))
            expected[name] = fingerprint(undisturbed), time.monotonic() - began
        wanted, seconds = expected[name]
        directory = tmp_path / str(number)
        process = start(settings, directory)
        while not state_files(directory):
            time.sleep(0.001)
        time.sleep(moments.uniform(0, seconds / 2))
        process.kill()
        process.join()
        killed += process.exitcode == -signal.SIGKILL
        result = directory / "result.json"
        if not (result.is_file() and read_json(result)["complete"]):
            assert ended_well(start(settings, directory, resume=True))
        assert fingerprint(directory) == wanted, name
    assert killed >= KILLS / 2


def test_killed_twice_and_while_it_goes_on(small: Settings, tmp_path: Path) -> None:
    assert ended_well(start(small, tmp_path / "undisturbed"))
    directory = tmp_path / "killed"
    process = start(small, directory)
    for steps in (20, 60):
        while len(state_files(directory)) < 2 or int(state_files(directory)[0].stem) < steps:
            assert process.is_alive()
            time.sleep(0.001)
        process.kill()
        process.join()
        process = start(small, directory, resume=True)
    assert ended_well(process)
    assert fingerprint(directory) == fingerprint(tmp_path / "undisturbed")
    assert len(read_json(directory / "result.json")["training"]["resumed_at"]) == 2


@pytest.fixture
def stopped(small: Settings, tmp_path: Path) -> Path:
    """A run that Ctrl-C ended early."""
    directory = tmp_path / "stopped"
    process = start(small.changed(num_epochs=2000, num_log_lines=2000), directory)
    while len(read_metrics(directory)) < 3:
        assert process.is_alive()
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGINT)
    assert ended_well(process)
    assert read_json(directory / "result.json")["training"]["stopped_by"] == "SIGINT"
    return directory


def resumed(directory: Path, **changes: Any) -> str:
    """Go on in this process; returns what a person is shown."""
    shown = io.StringIO()
    settings = Run.open(directory).settings.changed(**changes)
    train(settings, directory, Display(console=Console(file=shown, width=500)), resume=True)
    return shown.getvalue()


def test_after_ctrl_c_it_goes_on(small: Settings, stopped: Path) -> None:
    """With another budget, to the bits of a run that had it from the start."""
    step = int(state_files(stopped)[0].stem)
    change = {"num_epochs": step // 60 + 2, "num_log_lines": 9}
    shown = resumed(stopped, **change)
    training = read_json(stopped / "result.json")["training"]
    share = f"{step / training['steps']:.0%}"
    assert f"resumed   from step {step:,}, {share} of the budget\n" in shown
    assert "the bits may differ" not in shown
    assert (training["resumed_at"], training["stopped_by"]) == ([step], "budget")
    other = stopped.with_name("whole")
    assert ended_well(start(small.changed(**change), other))
    last = "checkpoint/last/model.safetensors"
    assert fingerprint(stopped)[last] == fingerprint(other)[last]


def test_a_run_that_ended_is_given_more(
    cli: Cli, trained: tuple[Path, str], train_flags: list[str], tmp_path: Path
) -> None:
    directory = tmp_path / "more"
    shutil.copytree(trained[0], directory)
    again = cli("train", "--resume", str(directory))
    assert (again.returncode, again.stderr) == (
        2,
        f"rnnlab: error: {directory} has ended: its budget of num_epochs = 4 is used up; give a "
        "larger one to go on\n",
    )
    done = cli("train", "--resume", str(directory), "--num-epochs", "6")
    assert done.returncode == 0, done.stderr
    assert "of the budget\n" in done.stdout
    before, after = (read_json(run / "result.json")["training"] for run in (trained[0], directory))
    assert after["states_saved"] == before["states_saved"] + 1
    whole = tmp_path / "whole"
    assert cli("train", *train_flags, "--num-epochs", "6", "--run-dir", str(whole)).returncode == 0
    last = "checkpoint/last/model.safetensors"
    assert fingerprint(directory)[last] == fingerprint(whole)[last]


def test_the_last_two_states_are_kept_and_one_stands_in_for_the_other(stopped: Path) -> None:
    newest, before = state_files(stopped)
    content = bytearray(newest.read_bytes())
    content[-1] ^= 1
    newest.write_bytes(content)
    step = int(before.stem)
    shown = resumed(stopped, num_epochs=step // 60 + 2)
    assert f"resumed   from step {step:,}" in shown
    assert (
        f"note      {newest}: damaged, its checksum does not fit; going on from the state before\n"
        in shown
    )
    # Else it would count as one of the two that are kept.
    assert newest not in state_files(stopped)
    newest_state(stopped)


def test_what_killed_processes_left_is_cleared_up(stopped: Path) -> None:
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
def test_a_run_killed_before_its_first_state_can_be_begun_again(
    small: Settings, tmp_path: Path, left: list[str]
) -> None:
    for name in (".lock", *left):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert ended_well(start(small, tmp_path))
    with pytest.raises(UsageError, match="exists and is not empty; go on with it by --resume"):
        train(small, tmp_path)


def test_two_that_begin_in_one_directory(
    small: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second finds what the first has left by the time it is its turn."""
    first = tmp_path / "first"
    assert ended_well(start(small, first))

    def meanwhile(settings: Settings, watch: Watch) -> Prepared:
        shutil.copytree(first, tmp_path / "run")
        return prepare(settings)

    monkeypatch.setattr(training, "prepare", meanwhile)
    before = fingerprint(first)
    with pytest.raises(UsageError, match="exists and is not empty"):
        train(small, tmp_path / "run")
    assert fingerprint(tmp_path / "run") == before


def test_metrics_that_are_shorter_than_they_were(stopped: Path) -> None:
    """As in a copy that was made while training went on: the next line does not join a torn one."""
    metrics = stopped / "metrics.jsonl"
    by_then = newest_state(stopped).facts["log"]["bytes"]
    metrics.write_bytes(metrics.read_bytes()[: by_then - 5])
    lines = len(read_metrics(stopped))
    shown = resumed(stopped, num_epochs=int(state_files(stopped)[0].stem) // 60 + 2)
    assert f"note      {metrics} is shorter than it was when training was interrupted" in shown
    assert len(read_metrics(stopped)) > lines


class GivingUp(Exception):
    """As a kill: nothing is saved any more."""


def test_the_best_weights_are_those_of_the_state(small: Settings, tmp_path: Path) -> None:
    """What was written to checkpoint/best after the state is of a course that is given up."""

    class GivesUp(Display):
        def __init__(self, *, at_best: bool) -> None:
            super().__init__(quiet=True)
            self.at_best = at_best

        def step(self, event: Step) -> None:
            if not self.at_best:
                raise GivingUp

        def milestone(self, event: Milestone, *_: Any) -> None:
            if event.is_best:
                raise GivingUp

    rarely, directory = small.changed(checkpoint_seconds=1000), tmp_path / "run"
    best = directory / "checkpoint" / "best"
    with pytest.raises(GivingUp):
        train(rarely, directory, GivesUp(at_best=True))
    assert best.is_dir()
    with pytest.raises(GivingUp):
        train(rarely, directory, GivesUp(at_best=False), resume=True)
    assert not best.exists()
    train(rarely, directory, Display(quiet=True), resume=True)
    kept = (best / "model.safetensors").read_bytes()
    longer = rarely.changed(num_epochs=4)
    with pytest.raises(GivingUp):
        train(longer, directory, GivesUp(at_best=True), resume=True)
    assert (best / "model.safetensors").read_bytes() != kept
    shutil.rmtree(best)
    with pytest.raises(GivingUp):
        train(longer, directory, GivesUp(at_best=False), resume=True)
    assert (best / "model.safetensors").read_bytes() == kept
    assert rnnlab.load(directory).generate("The", length=3)


def test_a_run_that_lost_its_patience_has_ended(small: Settings, tmp_path: Path) -> None:
    impatient = small.changed(learning_rate=3.0, patience=1, num_evaluations=40, num_epochs=30)
    assert ended_well(start(impatient, tmp_path))
    assert read_json(tmp_path / "result.json")["training"]["stopped_by"].startswith("no new best")
    with pytest.raises(RunEndedError) as caught:
        resumed(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path} has ended: no new best in 1 evaluations; give a larger --patience to go on, "
        "or 0 for no such end"
    )
    assert "resumed   from step" in resumed(tmp_path, patience=0)


def test_a_run_without_held_out_text_has_ended_too(small: Settings, tmp_path: Path) -> None:
    assert ended_well(start(small.changed(split=(1.0, 0.0, 0.0)), tmp_path))
    with pytest.raises(RunEndedError, match="its budget of num_epochs = 2 is used up"):
        resumed(tmp_path)


def test_a_setting_that_an_earlier_version_lacked_has_its_default(stopped: Path) -> None:
    settings = Run.open(stopped).settings
    was = {
        "settings": settings.model_dump(mode="json"),
        "corpus_sha256": "",
        "tokenizer_sha256": "",
    }
    del was["settings"]["model"]["forget_bias"]
    now = {**was, "settings": settings.model_dump(mode="json")}
    check_same_run(was, now, stopped)


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
        ("log.pending", PENDING | {"steps": 0}, "steps that no line holds yet have a last one"),
        ("log.pending", PENDING, "steps that no line holds yet have a last one"),
        ("log.more", 1, "Extra inputs are not permitted"),
        ("saving", {}, "Field required"),
    ],
)
def test_what_no_state_says_is_refused_before_anything_is_cut(
    stopped: Path, place: str, value: Any, rule: str
) -> None:
    """Under a valid checksum, as nobody but a program that is wrong or hostile writes it."""
    for file in state_files(stopped):
        tensors, facts = read_tensors(file)
        *outer, last = place.split(".")
        inner = facts
        for key in outer:
            inner = inner[key]
        inner[last] = value
        write_tensors(file, tensors, facts)
    before = {file: file.read_bytes() for file in stopped.rglob("*") if file.is_file()}
    del before[stopped / ".lock"]
    with pytest.raises(
        ModelFolderError, match="no training state of this version of rnnlab: "
    ) as e:
        resumed(stopped)
    assert rule in str(e.value)
    assert {file: file.read_bytes() for file in before} == before


def test_without_a_whole_state_nothing_is_touched(stopped: Path) -> None:
    for file in state_files(stopped):
        file.write_bytes(file.read_bytes()[:-1])
    before = {file: file.read_bytes() for file in stopped.rglob("*") if file.is_file()}
    del before[stopped / ".lock"]
    with pytest.raises(RunDirectoryError) as caught:
        resumed(stopped)
    assert str(caught.value).startswith(
        f"{stopped} has no training state to go on from: {state_files(stopped)[0]}: damaged, no "
        "safetensors file: "
    )
    assert str(caught.value).endswith(f"; train again with --config {stopped / 'config.toml'}")
    assert {file: file.read_bytes() for file in before} == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hidden_size": 64}, "hidden_size cannot change when training goes on: {0} has 32, not 64"
         " (can change: num_epochs, "),
        ({"seed": 3}, "seed cannot change when training goes on: {0} has 0, not 3 (can change: "),
        ({"split": (0.5, 0.25, 0.25)}, "split cannot change when training goes on: {0} has "
         "0.9 0.05 0.05, not 0.5 0.25 0.25 (can change: "),
    ],
)  # fmt: skip
def test_what_cannot_change(
    trained: tuple[Path, str], change: dict[str, Any], message: str
) -> None:
    directory, _ = trained
    with pytest.raises(UsageError) as caught:
        resumed(directory, **change)
    assert str(caught.value).startswith(message.format(directory))


def test_flags_that_contradict(cli: Cli, trained: tuple[Path, str]) -> None:
    for flags in (["--config", "demo"], ["--run-dir", "x"]):
        done = cli("train", "--resume", str(trained[0]), *flags)
        assert (done.returncode, done.stderr) == (
            2,
            "rnnlab: error: --resume takes settings and directory from the run; leave out --config "
            "and --run-dir\n",
        )
    with pytest.raises(UsageError, match=r"^resume takes settings and directory from the run; "):
        rnnlab.train("demo", resume=trained[0])


def test_another_text_is_refused_and_the_same_one_elsewhere_is_not(
    small: Settings, text_file: Path, tmp_path: Path
) -> None:
    text, directory = tmp_path / "text.txt", tmp_path / "run"
    text.write_bytes(text_file.read_bytes())
    assert ended_well(start(small.changed(corpus=str(text)), directory))
    text.write_text(text.read_text() + "More.\n")
    with pytest.raises(ChecksumError) as caught:
        resumed(directory, num_epochs=3)
    assert str(caught.value) == (
        f"the text of {directory} has changed since training began; it can only go on with the "
        "text that it began with"
    )
    assert "resumed   from step" in resumed(directory, num_epochs=3, corpus=str(text_file))


def test_another_engine_is_told(trained: tuple[Path, str], tmp_path: Path) -> None:
    directory = tmp_path / "run"
    shutil.copytree(trained[0], directory)
    step = int(state_files(directory)[0].stem)
    shown = resumed(directory, engine="textbook", num_epochs=5)
    engine = newest_state(trained[0]).facts["about"]["settings"]["machine"]["engine"]
    told = (
        f"from step {step:,} on the bits may differ from those of a run never interrupted: "
        f"engine textbook, was {engine}"
    )
    assert f"note      {told}" in shown
    assert read_json(directory / "result.json")["training"]["bits_may_differ"] == [told]
    assert f"note      {told}" in resumed(directory, num_epochs=6), "it stays true"
    assert read_json(directory / "result.json")["training"]["bits_may_differ"] == [told]


def test_two_processes_on_one_directory(cli: Cli, small: Settings, tmp_path: Path) -> None:
    directory = tmp_path / "run"
    process = start(small.changed(num_epochs=1000), directory)
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


def test_a_torn_last_line_is_passed_over_and_then_mended(small: Settings, tmp_path: Path) -> None:
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


def test_saving_takes_at_most_a_hundredth_of_the_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where it is dear it is done less often than asked."""
    clock = [0.0]
    monkeypatch.setattr("rnnlab.lab.states.time.perf_counter", lambda: clock[0])
    monkeypatch.setattr(
        "rnnlab.lab.states.write_tensors", lambda *_: clock.__setitem__(0, clock[0] + 0.5)
    )
    states = States(tmp_path, 30)
    states.begin()
    saved_at = []
    for second in range(1000):
        clock[0] = max(clock[0], float(second))
        if states.due():
            saved_at.append(second)
            states.save(lambda: ({}, {}), second)
    assert saved_at[0] == 30
    assert saved_at[1:] == [81 + 51 * k for k in range(19)]
    assert states.seconds / clock[0] <= 0.0101
    assert States(tmp_path, 0).due()


def test_a_directory_that_vanishes(small: Settings, tmp_path: Path) -> None:
    directory = tmp_path / "run"

    class Vandal(Display):
        def step(self, event: Step) -> None:
            if event.step == 9:
                shutil.rmtree(directory)

    with pytest.raises(RunDirectoryError) as caught:
        train(small, directory, Vandal(quiet=True))
    assert re.fullmatch(
        rf"{directory}/\S+: No such file or directory; training stopped at step (9|10)\. No "
        r"training state is left",
        str(caught.value),
    )
    assert not directory.exists()


def test_a_directory_that_can_no_longer_be_written(small: Settings, tmp_path: Path) -> None:
    """Read-only like this it is for root too."""
    directory = tmp_path / "run"
    directory.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(directory)], check=True)

    class Vandal(Display):
        def step(self, event: Step) -> None:
            if event.step == 9:
                remount = ["mount", "-o", "remount,ro", str(directory)]
                subprocess.run(remount, check=True)

    try:
        with pytest.raises(RunDirectoryError) as caught:
            train(small, directory, Vandal(quiet=True))
        kept = int(newest_state(directory).facts["trainer"]["counters"]["step"])
        assert kept == 8
        assert re.fullmatch(
            rf"{directory}/\S+: Read-only file system; training stopped at step (9|10)\. The "
            rf"training state of step 8 is kept; go on with rnnlab train --resume {directory}",
            str(caught.value),
        )
    finally:
        subprocess.run(["umount", "-l", str(directory)], check=True)
