"""What a declaration of figures consists of; see figures.py."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Number = float | str
"""A figure; text if it is more than a number."""


@dataclass(frozen=True)
class Figure:
    """What is known of a figure before it is measured."""

    unit: str
    tolerance: float
    """By how much it may differ from the last measurement; infinite for text."""
    share: bool = False
    """Whether the tolerance is a share of the figure."""

    def moved(self, before: Number, after: Number) -> bool:
        """Return whether it differs by more than its tolerance."""
        if isinstance(before, str) or isinstance(after, str):
            return False
        return abs(after - before) > self.tolerance * (abs(before) if self.share else 1)

    @property
    def tolerance_in_words(self) -> str:
        """The tolerance with its unit."""
        return f"{self.tolerance:.0%}" if self.share else f"{self.tolerance:g} {self.unit}"


TEXT = Figure("", float("inf"))
"""Text that follows from other figures, which have tolerances."""


@dataclass(frozen=True)
class Command:
    """A command as pages show it, and what else it is run with."""

    shown: str
    hidden: str = ""


@dataclass(frozen=True)
class Output:
    """What the commands of a measurement left."""

    folder: Path
    printed: list[str]

    def parsed(self, command: int) -> Any:
        """Return the JSON that a command printed."""
        return json.loads(self.printed[command])

    def record(self, run: str, split: str = "test", context: str = "carried") -> dict[str, Any]:
        """Return an evaluation of a run directory."""
        result = json.loads((self.folder / run / "result.json").read_text(encoding="utf-8"))
        found: dict[str, Any]
        (found,) = (
            each
            for each in result["evaluations"]
            if (each["split"], each["context"]) == (split, context)
        )
        return found


@dataclass(frozen=True)
class Measurement:
    """Commands that give figures."""

    commands: tuple[Command, ...]
    minutes: float
    """How long it takes on two idle cores."""
    figures: Mapping[str, Figure]
    read: Callable[[Output], dict[str, Number]]
    lacks: Callable[[], str] = str
    """Returns what this machine lacks for it; "" if nothing."""


@dataclass(frozen=True)
class Block:
    """A part of a page. In its template, {NAME[FIGURE]:.2f} prints a figure of a measurement,
    {NAME[command]} its first command, and {machine} where its figures were measured."""

    page: str
    template: str
