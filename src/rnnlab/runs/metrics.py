"""metrics.jsonl: what happened during training, one JSON object a line."""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rnnlab.config import TrainingSettings
from rnnlab.data.dataset import Dataset
from rnnlab.files import appending, cut_off, finite, flushed_size
from rnnlab.lm.evaluate import perplexity
from rnnlab.lm.text_model import scored_characters
from rnnlab.lm.train import Milestone, Step
from rnnlab.runs.files import METRICS


@dataclass
class Pending:
    """Sums over the steps that no line holds yet."""

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


class MetricsLog:
    """Appends to metrics.jsonl; each line is flushed, so a killed run keeps what it had."""

    def __init__(
        self,
        directory: Path,
        dataset: Dataset,
        settings: TrainingSettings,
        also: Callable[[dict[str, Any]], None] = lambda line: None,
    ) -> None:
        """`also` is handed every line after it has been written."""
        self._file = directory / METRICS
        self._also = also
        self._settings = settings
        self._pending = Pending()
        self._lines_due = 0
        self._logged_seconds = 0.0
        self._logged_tokens = 0
        self._tokens_per_character = math.nan
        if "validation" in dataset.splits:
            split = dataset.splits["validation"]
            characters = scored_characters(dataset.tokenizer, split.text)
            self._tokens_per_character = (len(split.ids) - 1) / characters

    def bits_per_character(self, event: Milestone) -> float | None:
        """Held-out bits per character of a milestone."""
        if event.held_out_nats is None:
            return None
        return event.held_out_nats * self._tokens_per_character / math.log(2)

    def step(self, event: Step) -> None:
        """Remember a step; write a line whenever another share of the budget is used up."""
        self._pending.add(event)
        due = self._due(event.progress)
        if due > self._lines_due:
            self._lines_due = due
            self._flush()

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
        """Write the steps that no line holds yet."""
        if self._pending.steps:
            self._flush()

    def state(self) -> dict[str, Any]:
        """All that `go_on` needs, the file's length among it."""
        return {
            "bytes": flushed_size(self._file),
            "pending": asdict(self._pending),
            "logged_seconds": self._logged_seconds,
            "logged_tokens": self._logged_tokens,
        }

    def go_on(self, state: Mapping[str, Any], progress: float) -> bool:
        """Be where another log was; lines that it wrote later are cut off.

        Returns whether the file has all that it had then.

        state: what `state` returned, of these types.
        progress: share of the budget that is used by now.
        Raises ValueError where the numbers contradict each other.
        """
        pending = dict(state["pending"])
        last = pending.pop("last")
        self._pending = Pending(last=Step(**last) if last else None, **pending)
        since = last["seconds"] - state["logged_seconds"] if last else 0.0
        if bool(last) != (self._pending.steps > 0) or (last and since <= 0):
            raise ValueError("steps that no line holds yet have a last one, which took its time")
        self._logged_seconds = state["logged_seconds"]
        self._logged_tokens = state["logged_tokens"]
        self._lines_due = self._due(progress)
        return cut_off(self._file, state["bytes"])

    def _due(self, progress: float) -> int:
        return math.floor(progress * self._settings.num_log_lines)

    def _flush(self) -> None:
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
        self._also(json.loads(text))
