"""RUN/checkpoint/state: the training states that a run can be resumed from.

STEP.safetensors  one training state: the tensors of `lm.training_state`, those of the best weights
                  under names that begin with best., and `StateFacts`
"""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError
from torch import Tensor

from rnnlab.config.validation import format_place
from rnnlab.errors import ModelFolderError, RunDirectoryError
from rnnlab.files import make_folder
from rnnlab.lm.tensor_file import arrays_of, read_tensors, write_arrays
from rnnlab.lm.training_state import Amount, Count, StrictModel, TrainerFacts
from rnnlab.runs.files import RUN_CONFIG, state_files, state_folder
from rnnlab.runs.identity import RunIdentity
from rnnlab.runs.metrics import LogFacts

KEPT = 2
"""How many states a run keeps: the newest, and one to fall back to."""

MAX_SHARE = 0.01
"""Share of the training time that saving may take, unless every step is to be saved."""

Tensors = Mapping[str, Tensor]


class SavingCosts(StrictModel):
    """What saving states has cost, as result.json has it."""

    states_saved: Count
    state_seconds: Amount


class StateFacts(StrictModel):
    """Everything in the file of a training state that is not tensors."""

    about: RunIdentity
    trainer: TrainerFacts
    log: LogFacts
    samples_bytes: Count
    """Size of samples.txt."""
    resumed_at: list[Count]
    """Steps from which training was resumed."""
    bits_may_differ: list[str]
    """Why the bits may differ from those of an uninterrupted run, a line per resume."""
    saving: SavingCosts
    """Without this state."""


@dataclass(frozen=True)
class SavedState:
    """A training state as read from its file."""

    tensors: Tensors
    facts: StateFacts
    notices: Sequence[str] = ()
    """What is wrong with newer files that were passed over."""
    damaged: Sequence[Path] = ()
    """Those files."""


class StateSaver:
    """Saves the training states of one run when they are due; see the module."""

    def __init__(self, directory: Path, every_seconds: float) -> None:
        """every_seconds: time between two states [s]; 0: one after every step."""
        self.costs = SavingCosts(states_saved=0, state_seconds=0.0)
        self._directory = directory
        self._every_seconds = every_seconds
        self._last = time.perf_counter()
        self._last_seconds = 0.0

    def make_folder(self) -> None:
        """Make the folder. It is not made again if it vanishes while training goes on."""
        make_folder(state_folder(self._directory))

    def restore(self, costs: SavingCosts) -> None:
        """Go on counting from the costs in a state, which were taken before it was saved."""
        self.costs = costs.model_copy(update={"states_saved": costs.states_saved + 1})

    def due(self) -> bool:
        """Whether it is time to save; the longer saving takes, the less often it is due."""
        if self._every_seconds == 0:
            return True
        wait = max(self._every_seconds, self._last_seconds / MAX_SHARE)
        return time.perf_counter() - self._last >= wait

    def save(self, take: Callable[[], tuple[Tensors, StateFacts]], step: int) -> None:
        """Take a state, write it, and remove older ones. Raises OSError."""
        began = time.perf_counter()
        tensors, facts = take()
        file = state_folder(self._directory) / f"{step:012d}.safetensors"
        write_arrays(file, arrays_of(tensors), facts.model_dump())
        for old in state_files(self._directory)[KEPT:]:
            with suppress(FileNotFoundError):
                old.unlink()
        self._last = time.perf_counter()
        self._last_seconds = self._last - began
        self.costs = SavingCosts(
            states_saved=self.costs.states_saved + 1,
            state_seconds=self.costs.state_seconds + self._last_seconds,
        )


def newest_state(directory: Path) -> SavedState:
    """Read the newest training state whose file is not damaged.

    Raises RunDirectoryError if there is none, ModelFolderError if its content does not match the
    schema of this version of rnnlab.
    """
    notices: list[str] = []
    files = state_files(directory)
    for number, file in enumerate(files):
        try:
            tensors, content = read_tensors(file)
        except ModelFolderError as error:
            notices.append(f"{error}; going on from the state before")
            continue
        try:
            facts = StateFacts.model_validate_json(json.dumps(content))
        except ValidationError as error:
            fault = error.errors()[0]
            reason = f"{format_place(fault['loc'])}: {fault['msg']}"
            raise foreign_state(directory, reason) from None
        return SavedState(tensors, facts, notices, files[:number])
    found = f": {notices[0].partition(';')[0]}" if notices else ""
    raise RunDirectoryError(
        f"{directory} has no training state to go on from{found}; train again with "
        f"--config {directory / RUN_CONFIG}"
    )


def foreign_state(directory: Path, fault: str) -> ModelFolderError:
    """Return the error for a state that this version of rnnlab did not write."""
    return ModelFolderError(
        f"{state_folder(directory)}: not a training state as this version of rnnlab writes it: "
        f"{fault}"
    )
