"""Watchers of a run: the terminal, TensorBoard and MLflow are told what happens in it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from rnnlab.lm.train import Milestone, Step
from rnnlab.runs.preparation import Prepared

Line = dict[str, Any]
"""A line of metrics.jsonl; see `rnnlab.runs.metrics`."""


class Watcher:
    """Is told what happens in a run, after it has been written. Each method does nothing here.

    An exception in any method ends the run.
    """

    def reading(self, purpose: str, share: float) -> None:
        """A share of a long text has been read."""

    def begin(self, directory: Path, ready: Prepared) -> None:
        """Training begins, or resumes at the trainer's step."""

    def resumed(self, notices: Sequence[str]) -> None:
        """Training resumes; `notices` is what people should know about that."""

    def step(self, event: Step) -> None:
        """A training step is done."""

    def line(self, line: Line) -> None:
        """A line of metrics.jsonl has been written."""

    def milestone(self, event: Milestone, bits_per_character: float | None, sample: str) -> None:
        """Checkpoints are saved; the held-out text, if any, is measured; a sample is written."""

    def trained(self, training: dict[str, Any]) -> None:
        """Training has ended; `training` is its summary in result.json. Evaluations follow."""

    def evaluating(self, seconds: float) -> None:
        """The final evaluations begin; they will take about so long [s]."""

    def measuring(self, purpose: str, share: float) -> None:
        """A share of a final evaluation is done."""

    def end(self, error: BaseException | None) -> None:
        """The run has ended, by an error or (None) with a complete run directory.

        This is called last, also if `begin` never was.
        """


class Watchers(Watcher):
    """Several watchers, told one after the other; leaving the context tells them the end."""

    def __init__(self, *watchers: Watcher) -> None:
        self._watchers = watchers

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        self.end(error)

    def reading(self, purpose: str, share: float) -> None:
        """See `Watcher`."""
        for watcher in self._watchers:
            watcher.reading(purpose, share)

    def begin(self, directory: Path, ready: Prepared) -> None:
        """See `Watcher`."""
        for watcher in self._watchers:
            watcher.begin(directory, ready)

    def resumed(self, notices: Sequence[str]) -> None:
        """See `Watcher`."""
        for watcher in self._watchers:
            watcher.resumed(notices)

    def step(self, event: Step) -> None:
        """See `Watcher`."""
        for watcher in self._watchers:
            watcher.step(event)

    def line(self, line: Line) -> None:
        """See `Watcher`."""
        for watcher in self._watchers:
            watcher.line(line)

    def milestone(self, event: Milestone, bits_per_character: float | None, sample: str) -> None:
        """See `Watcher`."""
        for watcher in self._watchers:
            watcher.milestone(event, bits_per_character, sample)

    def trained(self, training: dict[str, Any]) -> None:
        """See `Watcher`."""
        for watcher in self._watchers:
            watcher.trained(training)

    def evaluating(self, seconds: float) -> None:
        """See `Watcher`."""
        for watcher in self._watchers:
            watcher.evaluating(seconds)

    def measuring(self, purpose: str, share: float) -> None:
        """See `Watcher`."""
        for watcher in self._watchers:
            watcher.measuring(purpose, share)

    def end(self, error: BaseException | None) -> None:
        """See `Watcher`."""
        for watcher in self._watchers:
            watcher.end(error)
