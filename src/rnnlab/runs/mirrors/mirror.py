"""The interface of a mirror."""

from abc import ABC, abstractmethod
from typing import Literal

from rnnlab.runs.watcher import Line

Status = Literal["FINISHED", "FAILED", "KILLED"]
"""How a run ended: as planned, by an error, or by Ctrl-C or SIGTERM."""


class Mirror(ABC):
    """Shows one run elsewhere. An exception ends the mirror, not the run.

    `when` is the time of the event [s since 1970]; the call may come later.
    """

    @abstractmethod
    def line(self, line: Line, when: float) -> None:
        """Show a line of metrics.jsonl."""

    @abstractmethod
    def sample(self, step: int, text: str, when: float) -> None:
        """Show the sample that the model wrote after a step; samples.txt has it already."""

    @abstractmethod
    def end(self, status: Status, when: float) -> None:
        """Close the mirror; the run directory has all its files by now."""


def scalars(line: Line) -> dict[str, float]:
    """Return the numbers of a line, named kind/field; infinite ones are null and left out."""
    return {
        f"{line['kind']}/{name}": float(value)
        for name, value in line.items()
        if isinstance(value, int | float) and name != "step"
    }


def word(value: object) -> str:
    """Format a setting's value as on the command line."""
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)
