"""What every executor is: a way to have the runs of an experiment done."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, Self

from rnnlab.execution.job import Job

Kind = Literal["started", "finished", "diverged", "pruned", "failed", "elsewhere"]
"""failed: not ended, may be tried again; elsewhere: another process is making this run."""


@dataclass(frozen=True)
class RunEvent:
    """Something that happened to a run."""

    job: Job
    kind: Kind
    detail: str = ""
    """started: where; failed, diverged, pruned: why, in its last line."""

    @property
    def last_line(self) -> str:
        """What of the detail fits beside other events."""
        return self.detail.splitlines()[-1] if self.detail else ""

    @property
    def has_ended(self) -> bool:
        """Whether the run now has its outcome, for good."""
        return self.kind in ("finished", "diverged", "pruned")


class Executor(ABC):
    """Has jobs done, several at once.

    Each run ends up as a directory of the store exactly once; one that is cut off leaves none that
    counts.
    """

    slots: int
    """Runs at once."""

    @abstractmethod
    def run(self, jobs: Iterator[Job]) -> Iterator[RunEvent]:
        """Take a job whenever a slot is free; yield what happens, until all have ended."""

    @abstractmethod
    def close(self) -> None:
        """End the runs in flight, and give back what was held for more."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
