"""A disk or machine that fails at any moment when a file changes: nothing is lost."""

import os
import random
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from faults import KINDS, Crash, FaultyDisk, Kind
from interrupted import fingerprint

from rnnlab.config import Settings
from rnnlab.errors import RunDirectoryError, RunEndedError
from rnnlab.lm.text_model import TextModel
from rnnlab.runs.run import Run
from rnnlab.runs.state_saver import newest_state
from rnnlab.runs.training import train

FAULTS = int(os.environ.get("RNNLAB_FAULTS", "24"))
"""How many moments are tried, a quarter of them with samples; 0: all, with all faults."""


@pytest.fixture(scope="module")
def small(text_file: Path) -> Settings:
    """Seven steps, a state after each."""
    return Settings().with_changes(
        corpus=str(text_file), hidden_size=8, embedding_size=4, batch_size=4, num_steps=10,
        corpus_limit=400, split=(0.8, 0.2, 0), max_tokens=280, num_evaluations=3, num_log_lines=4,
        sample_length=5, threads=1, checkpoint_seconds=0,
    )  # fmt: skip


def moments(whole: int, settings: Settings) -> list[tuple[Kind, int]]:
    every = [(kind, at) for kind in KINDS for at in range(1, whole + 1)]
    few = FAULTS // 4
    number = few if settings.data.label_column else FAULTS - few
    return random.Random(6).sample(every, number) if FAULTS else every


@pytest.fixture(scope="module", params=["text", "labelled samples"])
def any_run(request: pytest.FixtureRequest, small: Settings, tmp_path_factory: Any) -> Settings:
    """A run on a text, or on samples with labels."""
    if request.param == "text":
        return small
    file = tmp_path_factory.mktemp("table") / "numbers.csv"
    rows = "".join(f"{'even' if n % 2 == 0 else 'odd'},{n * n}\n" for n in range(80))
    file.write_text(f"parity,square\n{rows}")
    return small.with_changes(
        corpus=str(file), unit="lines", column="square", label_column="parity", corpus_limit=0
    )


def test_a_fault_at_any_moment_loses_nothing(
    any_run: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = any_run
    undisturbed = tmp_path / "undisturbed"
    with monkeypatch.context() as patch:
        whole = FaultyDisk(tmp_path, "EIO", 0, patch)
        train(small, undisturbed)
    whole.settle()
    expected = fingerprint(undisturbed)
    assert whole.count > 100
    lost = []
    for kind, at in moments(whole.count, small):
        folder = tmp_path / f"{kind}-{at}"
        directory = folder / "runs" / "run"
        folder.mkdir()
        with monkeypatch.context() as patch:
            disk = FaultyDisk(folder, kind, at, patch)
            with pytest.raises((RunDirectoryError, Crash)) as caught:
                train(small, directory)
        disk.settle()
        states = [Path(name).stem for name in disk.safe if "/state/" in name]
        if isinstance(caught.value, RunDirectoryError):
            message = str(caught.value)
            assert "No space left on device" in message or "Input/output error" in message
            if states:
                assert f"The training state of step {int(newest(directory)):,} is kept" in message
        if not states:  # nothing had been saved
            continue
        if int(newest(directory)) < int(states[-1]):
            lost.append((kind, at))
        with suppress(RunEndedError):  # it was the very last step that failed
            train(Run.open(directory).settings, directory, resume=True)
        if fingerprint(directory) != expected:
            lost.append((kind, at))
    assert not lost


def test_a_fault_at_any_moment_of_a_resumed_run_loses_nothing(
    any_run: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the run had before it was resumed is not lost either."""
    small, begun = any_run, tmp_path / "begun" / "run"
    train(small.with_changes(max_tokens=160), begun)
    longer = Run.open(begun).settings.with_changes(max_tokens=280)

    def go_on(folder: Path) -> None:
        with suppress(RunEndedError):  # it was the very last step that failed
            train(longer, folder / "run", resume=True)

    undisturbed = tmp_path / "undisturbed"
    shutil.copytree(begun.parent, undisturbed)
    with monkeypatch.context() as patch:
        whole = FaultyDisk(undisturbed, "EIO", 0, patch)
        go_on(undisturbed)
    whole.settle()
    expected = fingerprint(undisturbed / "run")
    assert whole.count > 60
    for kind, at in moments(whole.count, small):
        folder = tmp_path / f"{kind}-{at}"
        shutil.copytree(begun.parent, folder)
        before = newest(folder / "run")
        with monkeypatch.context() as patch:
            disk = FaultyDisk(folder, kind, at, patch)
            with pytest.raises((RunDirectoryError, Crash)):
                go_on(folder)
        disk.settle()
        assert newest(folder / "run") >= before, (kind, at)
        go_on(folder)
        assert fingerprint(folder / "run") == expected, (kind, at)


def newest(directory: Path) -> int:
    return int(newest_state(directory).facts.trainer.counters.step)


def test_a_model_folder_stays_readable_through_any_fault(
    small: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the fault it is the old model or the new one."""
    folder = tmp_path / "model"
    train(small, tmp_path / "run")
    model = TextModel.load(tmp_path / "run")
    model.save(folder)
    for kind in KINDS:
        for at in range(1, 100):
            with monkeypatch.context() as patch:
                disk = FaultyDisk(folder, kind, at, patch)
                with suppress(OSError, Crash):
                    model.save(folder)
            disk.settle()
            assert TextModel.load(folder).generate("The", length=3, temperature=0)
            if disk.count < at:
                break
        assert at > 10
