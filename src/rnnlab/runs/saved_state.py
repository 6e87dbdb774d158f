"""RUN/checkpoint/state: where training can go on from, the last two of it.

STEP.safetensors  one file a training state: what `lm.training_state` takes, how far metrics.jsonl
                  and samples.txt were by then, and of which settings, text and machine it is
"""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from rnnlab.errors import ModelFolderError, RunDirectoryError
from rnnlab.files import make_folder
from rnnlab.lm.tensor_file import read_tensors, write_tensors
from rnnlab.runs.files import state_files, state_folder

KEPT = 2
"""States of a run that stay: the newest, and one to fall back to."""

DEAREST = 0.01
"""Share of the training time that saving may take where states are due by time."""


Tensors = Mapping[str, Tensor]
Facts = Mapping[str, Any]


@dataclass(frozen=True)
class SavedState:
    """A training state as read from its file."""

    tensors: Tensors
    facts: Facts
    notices: Sequence[str] = ()
    """What is wrong with files that were passed over."""
    damaged: Sequence[Path] = ()
    """Those files."""


@dataclass
class SavedStates:
    """The training states of one run; see the module."""

    directory: Path
    every_seconds: float
    """Time between two of them [s]; 0: one after every step."""
    saved: int = 0
    seconds: float = 0.0
    """Spent on saving."""
    _last: float = field(default_factory=lambda: time.perf_counter())
    _last_cost: float = 0.0

    @property
    def folder(self) -> Path:
        """Where they are."""
        return state_folder(self.directory)

    def begin(self) -> None:
        """Make the folder; later, a folder that has vanished is not made again."""
        make_folder(self.folder)

    def costs(self) -> dict[str, float]:
        """How many the run has saved, and what that took, as result.json says it."""
        return {"states_saved": self.saved, "state_seconds": self.seconds}

    def go_on(self, costs: Mapping[str, float]) -> None:
        """Count on from the `costs` that a state holds, which are those before it was saved."""
        self.saved, self.seconds = int(costs["states_saved"]) + 1, costs["state_seconds"]

    def due(self) -> bool:
        """Whether it is time for one; what is dear to save is saved less often."""
        if self.every_seconds == 0:
            return True
        wait = max(self.every_seconds, self._last_cost / DEAREST)
        return time.perf_counter() - self._last >= wait

    def save(self, take: Callable[[], tuple[Tensors, Facts]], step: int) -> None:
        """Take and write one, and remove all but the last two; raises OSError where that fails."""
        began = time.perf_counter()
        tensors, facts = take()
        write_tensors(self.folder / f"{step:012d}.safetensors", tensors, facts)
        for old in state_files(self.directory)[KEPT:]:
            with suppress(FileNotFoundError):
                old.unlink()
        self._last = time.perf_counter()
        self._last_cost = self._last - began
        self.seconds += self._last_cost
        self.saved += 1


def newest_state(directory: Path) -> SavedState:
    """Read the newest training state that is whole.

    Raises RunDirectoryError where there is none.
    """
    notices: list[str] = []
    files = state_files(directory)
    for number, file in enumerate(files):
        try:
            tensors, facts = read_tensors(file)
        except ModelFolderError as error:
            notices.append(f"{error}; going on from the state before")
            continue
        return SavedState(tensors, facts, notices, files[:number])
    found = f": {notices[0].partition(';')[0]}" if notices else ""
    raise RunDirectoryError(
        f"{directory} has no training state to go on from{found}; train again with "
        f"--config {directory / 'config.toml'}"
    )
