"""What all executors have in common: they take jobs, make runs of them, and report events."""

from abc import abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rnnlab.cells.registry import CellFile, file_of
from rnnlab.config import Settings
from rnnlab.execution.corpora import resolve_corpora
from rnnlab.experiments.plan import Plan, PlannedRun

EventKind = Literal["started", "finished", "diverged", "pruned", "failed", "elsewhere"]
"""failed: not ended, may be tried again; elsewhere: another process is making this run."""


@dataclass(frozen=True)
class TrialLink:
    """The trial of a search that a run belongs to; see `rnnlab.experiments.optuna_study`."""

    journal: Path
    study: str
    number: int


@dataclass(frozen=True)
class Job:
    """A run to be made; plain data that can be sent to another machine."""

    id: str
    name: str
    """For people: variant, text if there are several, and seed."""
    settings: Settings
    phrases: tuple[str, ...] = ()
    phrase_length: int = 100
    gradient_flow: bool = False
    trial: TrialLink | None = None
    """The run reports its evaluations to this trial, and may be pruned."""
    cell: CellFile | None = None
    """The file of its cell, if it has one: every run of an experiment takes the same."""

    @classmethod
    def of(cls, run: PlannedRun, plan: Plan, threads: int) -> "Job":
        """Return the job of a planned run; `threads` is used if its settings give none."""
        settings = resolve_corpora(run.settings, plan.origin)
        if not settings.machine.threads:
            settings = settings.with_changes(threads=threads)
        asked = plan.settings
        return cls(
            run.id, run.name, settings,
            asked.phrases, asked.phrase_length, asked.gradient_flow,
            cell=file_of(settings.model.cell),
        )  # fmt: skip


@dataclass(frozen=True)
class RunEvent:
    """Something that happened to a run."""

    job: Job
    kind: EventKind
    detail: str = ""
    """started: where; failed, diverged, pruned: why, with the reason in the last line."""

    @property
    def last_line(self) -> str:
        """The last line of the detail."""
        return self.detail.splitlines()[-1] if self.detail else ""

    @property
    def has_ended(self) -> bool:
        """Whether the run has its final outcome."""
        return self.kind in ("finished", "diverged", "pruned")


class Executor(AbstractContextManager["Executor"]):
    """Makes runs, several at once.

    Each run becomes a directory of the store exactly once. A run that is cut off has no outcome in
    the store.
    """

    slots: int
    """Runs at once."""

    @abstractmethod
    def run(self, jobs: Iterator[Job]) -> Iterator[RunEvent]:
        """Take a job whenever a slot is free; yield events until all runs have ended."""

    @abstractmethod
    def close(self) -> None:
        """End the runs in progress, and release all resources."""

    def __exit__(self, *_: object) -> None:
        self.close()
