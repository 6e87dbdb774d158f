"""metrics.jsonl: what happened during training, one JSON object per line."""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from pydantic import model_validator

from rnnlab.config import TrainingSettings
from rnnlab.data.dataset import Dataset
from rnnlab.errors import RunDirectoryError
from rnnlab.files import appending, finite, flushed_size, truncate_log
from rnnlab.lm.evaluate import bits_per_character, perplexity
from rnnlab.lm.train import Milestone, Step
from rnnlab.lm.training_state import Amount, Count, StrictModel
from rnnlab.runs.checksums import prefix_sha256
from rnnlab.runs.files import METRICS
from rnnlab.runs.watcher import Line

SPELLED_CHARACTERS = 100_000
"""So much of a training text is spelled to see what its unknown tokens cost."""


@dataclass(frozen=True)
class TrainingUnits:
    """Turns nats per token of the training text into bits per character of it."""

    tokens_per_character: float
    spelling_nats: float
    """For the spelling of unknown tokens, per character; measured on the beginning of the text."""

    @classmethod
    def of_training_text(cls, dataset: Dataset) -> Self:
        """Return that of a dataset's training split."""
        part = dataset.splits["train"]
        beginning = part.text[:SPELLED_CHARACTERS]
        spelling = dataset.tokenizer.charges(beginning).spelling_nats / len(beginning)
        return cls(len(part.all_ids) / part.characters, spelling)

    def bits_per_character(self, nats_per_token: float) -> float:
        """Return the bits per character at a loss."""
        nats = nats_per_token * self.tokens_per_character + self.spelling_nats
        return bits_per_character(nats, 1)


@dataclass
class Pending:
    """Sums over the steps since the last line."""

    steps: int = 0
    nats: float = 0.0
    norms: float = 0.0
    clipped: int = 0
    last: Step | None = None

    def add(self, event: Step) -> None:
        """Count a step."""
        self.steps += 1
        self.nats += event.loss_nats
        self.norms += event.gradient_norm
        self.clipped += event.clipped
        self.last = event


class LogFacts(StrictModel):
    """How far a log was; part of a training state."""

    bytes: Count
    """Size of metrics.jsonl."""
    pending: Pending
    logged_seconds: Amount
    logged_tokens: Count
    sha256: str = ""
    """Of those bytes; "" in a state of an earlier version."""

    @model_validator(mode="after")
    def _check_pending(self) -> Self:
        last = self.pending.last
        if bool(last) != (self.pending.steps > 0) or (last and last.seconds <= self.logged_seconds):
            raise ValueError("pending steps must have a last one, and it must have taken time")
        return self


def check_log(directory: Path, facts: LogFacts) -> None:
    """Raise RunDirectoryError if metrics.jsonl does not begin as it did in a training state.

    A file that is shorter than it was then, and the states of earlier versions, are accepted.
    """
    file = directory / METRICS
    if not facts.sha256 or not file.is_file() or file.stat().st_size < facts.bytes:
        return
    if prefix_sha256(file, facts.bytes) != facts.sha256:
        raise RunDirectoryError(
            f"{file} does not begin with the lines that were there when the training state was "
            "saved: it belongs to another run, or was changed since"
        )


class MetricsLog:
    """Appends to metrics.jsonl; each line is flushed, so a killed run keeps what it had."""

    def __init__(
        self,
        directory: Path,
        dataset: Dataset,
        settings: TrainingSettings,
        tell: Callable[[Line], None] = lambda line: None,
    ) -> None:
        """`tell` is called with every line after it has been written."""
        self._file = directory / METRICS
        self._tell = tell
        self._settings = settings
        self._pending = Pending()
        self._lines_due = 0
        self._logged_seconds = 0.0
        self._logged_tokens = 0
        self._units = TrainingUnits.of_training_text(dataset)
        self._validation = dataset.splits.get("validation")
        if self._validation:
            self._charges = dataset.tokenizer.charges(self._validation.text)

    def bits_per_character(self, event: Milestone) -> float | None:
        """Return a milestone's held-out bits per character; None if nothing is held out."""
        if event.held_out_nats is None or not self._validation:
            return None
        nats = event.held_out_nats * (len(self._validation.ids) - 1) + self._charges.nats
        return bits_per_character(nats, len(self._validation.text))

    def step(self, event: Step) -> None:
        """Count a step, and write a line if one is due: `num_log_lines`, evenly over the budget."""
        self._pending.add(event)
        due = self._due(event.progress)
        if due > self._lines_due:
            self._lines_due = due
            self._write_pending()

    def held_out(self, event: Milestone) -> None:
        """Write a line for a held-out evaluation."""
        if event.held_out_nats is None:
            return
        self._write(
            {
                "kind": "held-out",
                "step": event.step,
                "split": "validation",
                "context": self._settings.validation_context,
                "nats_per_token": event.held_out_nats,
                "bits_per_character": self.bits_per_character(event),
                "perplexity": perplexity(event.held_out_nats),
                "is_best": event.is_best,
            }
        )

    def close(self) -> None:
        """Write a line for the steps since the last one."""
        if self._pending.steps:
            self._write_pending()

    def facts(self) -> LogFacts:
        """Flush the file and return what `restore` needs."""
        size = flushed_size(self._file)
        return LogFacts(
            bytes=size,
            sha256=prefix_sha256(self._file, size),
            pending=replace(self._pending),
            logged_seconds=self._logged_seconds,
            logged_tokens=self._logged_tokens,
        )

    def restore(self, facts: LogFacts, progress: float) -> bool:
        """Continue a log that was interrupted: cut off the lines that were written after `facts`.

        progress: share of the budget that is used by now.
        Returns False if the file is shorter than it was then.
        """
        self._pending = replace(facts.pending)
        self._logged_seconds = facts.logged_seconds
        self._logged_tokens = facts.logged_tokens
        self._lines_due = self._due(progress)
        return truncate_log(self._file, facts.bytes)

    def _due(self, progress: float) -> int:
        return math.floor(progress * self._settings.num_log_lines)

    def _write_pending(self) -> None:
        pending, last = self._pending, self._pending.last
        assert last is not None
        nats = pending.nats / pending.steps
        seconds = last.seconds - self._logged_seconds
        self._write(
            {
                "kind": "train",
                "step": last.step,
                "epoch": last.epoch,
                "tokens": last.tokens,
                "seconds": last.seconds,
                "progress": last.progress,
                "nats_per_token": nats,
                "bits_per_character": self._units.bits_per_character(nats),
                "perplexity": perplexity(nats),
                "tokens_per_second": (last.tokens - self._logged_tokens) / seconds,
                "gradient_norm": pending.norms / pending.steps,
                "clipped_share": pending.clipped / pending.steps,
                "learning_rate": last.learning_rate,
            }
        )
        self._pending = Pending()
        self._logged_seconds, self._logged_tokens = last.seconds, last.tokens

    def _write(self, record: dict[str, Any]) -> None:
        text = json.dumps(finite(record), allow_nan=False)
        with appending(self._file) as file:
            file.write(text + "\n")
        self._tell(json.loads(text))
