"""A run that was interrupted and resumed has the bits of an uninterrupted run."""

import math
import os
import random
import shutil
import signal
import time
from itertools import cycle, product
from pathlib import Path
from typing import Any

import pytest
from command_line import Cli
from interrupted import ended_well, fingerprint, resumed, start

import rnnlab
from rnnlab.config import Settings
from rnnlab.errors import RunEndedError, UsageError
from rnnlab.files import read_json
from rnnlab.lm.train import Milestone, Step
from rnnlab.runs.files import state_files
from rnnlab.runs.training import train
from rnnlab.runs.watcher import Watcher

KILLS = int(os.environ.get("RNNLAB_KILLS", "5"))
"""How often `test_kill_at_any_moment` kills; docs/how-to/resume.md has the result of 100."""

CELLS, OPTIMIZERS = ("rnn", "rnn-relu", "gru", "lstm"), ("sgd", "adamw")


def combinations() -> list[dict[str, Any]]:
    """Each cell with each engine, the optimizers and kinds of batches in turn, some with n-grams;
    bfloat16 if it is there."""
    from rnnlab.engines import ENGINES
    from rnnlab.errors import UnavailableError
    from rnnlab.lm.compute import check_precision, choose_device

    precisions = ["float32"]
    try:
        check_precision("bfloat16", choose_device("cpu"))
        precisions.append("bfloat16")
    except UnavailableError:
        pass
    turns = zip(cycle(OPTIMIZERS), cycle(["sequential", "random", "random"]), cycle(precisions),
                cycle([0, 0, 0, 4, 0]), strict=False)  # fmt: skip
    found = [
        {"cell": cell, "engine": engine, "optimizer": optimizer, "batching": batching,
         "precision": precision, "ngram_order": order}
        for (engine, cell), (optimizer, batching, precision, order) in zip(
            product(sorted(ENGINES), CELLS), turns, strict=False
        )
    ]  # fmt: skip
    return random.Random(1).sample(found, len(found))


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Settings of a text of samples with labels."""
    file = tmp_path_factory.mktemp("table") / "numbers.csv"
    rows = "".join(f"{'even' if n % 2 == 0 else 'odd'},{n * n}\n" for n in range(400))
    file.write_text(f"parity,square\n{rows}")
    columns = {"column": "square", "label_column": "parity", "corpus_limit": 0}
    return {"corpus": str(file), "unit": "lines", "batching": "sequential", **columns}


def test_kill_at_any_moment(small: Settings, tmp_path: Path, labelled: dict[str, Any]) -> None:
    """Every fourth run is one on samples with labels."""
    moments = random.Random(3)
    expected: dict[str, tuple[dict[str, str], float]] = {}
    killed = 0
    for number, turn in zip(range(KILLS), cycle(combinations()), strict=False):
        change = dict(turn)
        if number % 4 == 3:
            change |= labelled
        settings, name = (
            small.with_changes(**change),
            " ".join(str(value) for name, value in change.items() if name != "corpus"),
        )
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


def test_a_resumed_run_that_is_killed_is_resumed_again(small: Settings, tmp_path: Path) -> None:
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


def test_a_run_that_ctrl_c_ended_is_resumed_with_another_budget(
    small: Settings, stopped: Path
) -> None:
    """Its bits are those of a run that had this budget from the start."""
    step = int(state_files(stopped)[0].stem)
    change = {"num_epochs": step // 60 + 2, "num_log_lines": 9}
    shown = resumed(stopped, **change)
    training = read_json(stopped / "result.json")["training"]
    share = f"{step / training['steps']:.0%}"
    assert f"resumed   from step {step:,}, {share} of the budget\n" in shown
    assert "the bits may differ" not in shown
    assert (training["resumed_at"], training["stopped_by"]) == ([step], "budget")
    other = stopped.with_name("whole")
    assert ended_well(start(small.with_changes(**change), other))
    last = "checkpoint/last/model.safetensors"
    assert fingerprint(stopped)[last] == fingerprint(other)[last]


class Signalling(Watcher):
    """Sends this process a signal in the last step or during the final evaluation."""

    def __init__(self, sign: signal.Signals, *, at_the_end: bool) -> None:
        self.sign, self.at_the_end = sign, at_the_end

    def step(self, event: Step) -> None:
        if event.progress >= 1 and not self.at_the_end:
            signal.raise_signal(self.sign)

    def measuring(self, purpose: str, share: float) -> None:
        if self.at_the_end:
            signal.raise_signal(self.sign)


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_evaluation_is_made_when_the_run_is_resumed(
    small: Settings, tmp_path: Path, sign: signal.Signals
) -> None:
    assert ended_well(start(small, tmp_path / "undisturbed"))
    train(small, tmp_path / "cut", [Signalling(sign, at_the_end=False)])
    assert not read_json(tmp_path / "cut" / "result.json")["complete"]
    resumed(tmp_path / "cut")
    assert fingerprint(tmp_path / "cut") == fingerprint(tmp_path / "undisturbed")
    assert read_json(tmp_path / "cut" / "result.json")["complete"]


def test_ctrl_c_during_the_final_evaluation_says_what_is_kept(
    small: Settings, tmp_path: Path
) -> None:
    directory = tmp_path / "cut"
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job has none
    try:
        with pytest.raises(KeyboardInterrupt) as raised:
            train(small, directory, [Signalling(signal.SIGINT, at_the_end=True)])
    finally:
        signal.signal(signal.SIGINT, before)
    steps = read_json(directory / "result.json")["training"]["steps"]
    assert str(raised.value) == (
        f"The training state of step {steps:,} is kept; go on with rnnlab train --resume "
        f"{directory}"
    )
    resumed(directory)
    assert len(read_json(directory / "result.json")["evaluations"]) == 4


def test_a_finished_run_is_resumed_with_a_larger_budget(
    cli: Cli, trained: tuple[Path, str], train_flags: list[str], tmp_path: Path
) -> None:
    directory = tmp_path / "more"
    shutil.copytree(trained[0], directory)
    again = cli("train", "--resume", str(directory))
    assert (again.returncode, again.stderr) == (
        2,
        f"rnnlab: error: {directory} has ended: its budget of num_epochs = 4 is used up; give a "
        "larger one to go on, such as --num-epochs 8\n",
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


class GivingUp(Exception):
    """Like a kill: nothing more is saved."""


def test_the_best_weights_are_restored_from_the_state(small: Settings, tmp_path: Path) -> None:
    """A later checkpoint/best belongs to steps that are done again."""

    class GivesUp(Watcher):
        def __init__(self, *, at_best: bool) -> None:
            self.at_best = at_best

        def step(self, event: Step) -> None:
            if not self.at_best:
                raise GivingUp

        def milestone(self, event: Milestone, *_: Any) -> None:
            if event.is_best and not event.is_early:
                raise GivingUp

    rarely, directory = small.with_changes(checkpoint_seconds=1000), tmp_path / "run"
    best = directory / "checkpoint" / "best"
    with pytest.raises(GivingUp):
        train(rarely, directory, [GivesUp(at_best=True)])
    assert best.is_dir()
    with pytest.raises(GivingUp):
        train(rarely, directory, [GivesUp(at_best=False)], resume=True)
    assert not best.exists()
    train(rarely, directory, resume=True)
    kept = (best / "model.safetensors").read_bytes()
    longer = rarely.with_changes(num_epochs=4)
    with pytest.raises(GivingUp):
        train(longer, directory, [GivesUp(at_best=True)], resume=True)
    assert (best / "model.safetensors").read_bytes() != kept
    shutil.rmtree(best)
    with pytest.raises(GivingUp):
        train(longer, directory, [GivesUp(at_best=False)], resume=True)
    assert (best / "model.safetensors").read_bytes() == kept
    assert rnnlab.load(directory).generate("The", length=3)


@pytest.mark.parametrize(
    ("name", "given", "unit", "key"),
    [("num_epochs", 3, "epochs", "epochs"), ("max_tokens", 7, "tokens", "tokens"),
     ("max_seconds", 0.01, "seconds", "elapsed_seconds")],
)  # fmt: skip
def test_a_budget_of_which_more_was_used_is_refused(
    cli: Cli, trained: tuple[Path, str], tmp_path: Path,
    name: str, given: float, unit: str, key: str,
) -> None:  # fmt: skip
    """Nothing would be trained; the run stays as it was."""
    directory = tmp_path / "less"
    shutil.copytree(trained[0], directory)
    before = fingerprint(directory)
    used = math.ceil(100 * read_json(directory / "result.json")["training"][key]) / 100
    message = f"{name} must be more than the {used:,.10g} {unit} that were used, not {given:g}"
    with pytest.raises(UsageError) as caught:
        resumed(directory, **{name: given})
    assert str(caught.value) == message
    if name == "num_epochs":
        done = cli("train", "--resume", str(directory), "--num-epochs", "3")
        assert (done.returncode, done.stderr) == (2, f"rnnlab: error: {message}\n")
    assert fingerprint(directory) == before


def test_a_run_that_patience_ended_needs_more_patience_to_resume(
    small: Settings, tmp_path: Path
) -> None:
    impatient = small.with_changes(learning_rate=3.0, patience=1, num_evaluations=20, num_epochs=6)
    assert ended_well(start(impatient, tmp_path))
    assert read_json(tmp_path / "result.json")["training"]["stopped_by"].startswith("no new best")
    with pytest.raises(RunEndedError) as caught:
        resumed(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path} has ended: no new best in 1 evaluation; give a larger --patience to go on, "
        "or 0 to disable early stopping"
    )
    assert "resumed   from step" in resumed(tmp_path, patience=0)


def test_a_finished_run_without_held_out_text_is_not_resumed(
    small: Settings, tmp_path: Path
) -> None:
    assert ended_well(start(small.with_changes(split=(1.0, 0.0, 0.0)), tmp_path))
    with pytest.raises(RunEndedError, match="its budget of num_epochs = 2 is used up"):
        resumed(tmp_path)
