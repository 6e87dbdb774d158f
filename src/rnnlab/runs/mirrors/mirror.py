"""What every mirror is."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Literal

Line = Mapping[str, Any]
"""A line of metrics.jsonl; see `rnnlab.runs.metrics`."""

Status = Literal["FINISHED", "FAILED", "KILLED"]
"""How a run ended: as planned, by an error, by Ctrl-C or SIGTERM."""


class Mirror(ABC):
    """Shows one run elsewhere; whatever it raises ends the mirror, never the run.

    `when` is when it happened [s since 1970], which may be a while ago.
    """

    @abstractmethod
    def line(self, line: Line, when: float) -> None:
        """Show a line of metrics.jsonl."""

    @abstractmethod
    def sample(self, step: int, text: str, when: float) -> None:
        """Show what the model wrote after a step; samples.txt has it already."""

    @abstractmethod
    def end(self, status: Status, when: float) -> None:
        """Close; the run directory has all its files by now."""


def scalars(line: Line) -> dict[str, float]:
    """The numbers of a line, named kind/field; what is infinite is null there and left out here."""
    return {
        f"{line['kind']}/{name}": float(value)
        for name, value in line.items()
        if isinstance(value, int | float) and name != "step"
    }


def word(value: object) -> str:
    """A setting's value as one word or several, as on the command line."""
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)
