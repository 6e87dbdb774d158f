"""What a watcher of a run is told, and in which order."""

import json
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from rnnlab.config import Settings
from rnnlab.errors import RunEndedError, UsageError
from rnnlab.files import read_json
from rnnlab.runs.files import read_metrics
from rnnlab.runs.training import train
from rnnlab.runs.watcher import Watcher


class Recorder(Watcher):
    """Records what it is told, and checks that the run directory has it already."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.error: BaseException | None = None

    def begin(self, directory: Path, *_: Any) -> None:
        self.calls.append("begin")
        self.directory = directory
        assert {"config.toml", "environment.json"} <= {file.name for file in directory.iterdir()}

    def resumed(self, *_: Any) -> None:
        self.calls.append("resumed")

    def step(self, *_: Any) -> None:
        self.calls.append("step")

    def line(self, line: dict[str, Any]) -> None:
        self.calls.append("line")
        assert line == read_metrics(self.directory)[-1]

    def milestone(self, event: Any, bits: float | None, sample: str) -> None:
        self.calls.append("early evaluation" if event.is_early else "milestone")
        assert bits == read_metrics(self.directory)[-1]["bits_per_character"]
        if event.is_early:
            assert sample == ""
            return
        assert (self.directory / "samples.txt").read_text().endswith(f"{sample}\n")
        assert (self.directory / "checkpoint" / "last" / "model.safetensors").is_file()

    def trained(self, training: dict[str, Any]) -> None:
        self.calls.append("trained")
        assert training == read_json(self.directory / "result.json")["training"]

    def measuring(self, *_: Any) -> None:
        self.calls.append("measuring")

    def end(self, error: BaseException | None) -> None:
        self.calls.append("end")
        self.error = error
        if error is None:
            assert json.loads((self.directory / "result.json").read_text())["complete"]

    def summary(self) -> list[str]:
        """The calls without repetitions; lines and early evaluations come between steps."""
        passed_over = ("line", "early evaluation")
        return [name for name, _ in groupby(c for c in self.calls if c not in passed_over)]


@pytest.fixture
def short(small: Settings) -> Settings:
    return small.with_changes(num_epochs=1, num_evaluations=2)


ENDING = ["milestone", "trained", "measuring", "end"]


def test_watchers_are_told_in_order_what_has_been_written(short: Settings, tmp_path: Path) -> None:
    new, resumed = Recorder(), Recorder()
    train(short, tmp_path / "run", [new])
    assert new.summary() == ["begin", "step", "milestone", "step", *ENDING]
    assert new.calls.count("line") == len(read_metrics(tmp_path / "run"))
    train(short.with_changes(num_epochs=2), tmp_path / "run", [resumed], resume=True)
    assert resumed.summary() == ["begin", "resumed", "step", *ENDING]


def test_watchers_are_told_by_what_a_run_was_ended(short: Settings, tmp_path: Path) -> None:
    class Failing(Watcher):
        def step(self, *_: Any) -> None:
            raise RuntimeError("no more")

    recorder = Recorder()
    with pytest.raises(RuntimeError, match="no more") as caught:
        train(short, tmp_path / "run", [recorder, Failing()])
    assert recorder.summary() == ["begin", "step", "end"]
    assert recorder.error is caught.value


def test_a_run_that_does_not_begin_is_not_begun(short: Settings, tmp_path: Path) -> None:
    recorder, ended = Recorder(), Recorder()
    with pytest.raises(UsageError):
        train(short.with_changes(corpus=str(tmp_path / "lost.txt")), tmp_path / "run", [recorder])
    assert recorder.calls == []
    train(short, tmp_path / "run")
    with pytest.raises(RunEndedError):
        train(short, tmp_path / "run", [ended], resume=True)
    assert ended.calls == ["end"]
