"""metrics.jsonl: what happened during training, one JSON object a line."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rnnlab.config import TrainingSettings
from rnnlab.data.dataset import Dataset
from rnnlab.data.files import finite
from rnnlab.lab.run_files import METRICS
from rnnlab.lm.evaluate import perplexity
from rnnlab.lm.text_model import scored_characters
from rnnlab.lm.train import Milestone, Step


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
        self._pending: list[Step] = []
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
        self._pending.append(event)
        due = math.floor(event.progress * self._settings.num_log_lines)
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
        if self._pending:
            self._flush()

    def _flush(self) -> None:
        steps, last = self._pending, self._pending[-1]
        nats = sum(step.loss_nats for step in steps) / len(steps)
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
                "gradient_norm": sum(step.gradient_norm for step in steps) / len(steps),
                "clipped_share": sum(step.clipped for step in steps) / len(steps),
                "learning_rate": last.learning_rate,
            }
        )
        self._pending = []
        self._logged_seconds, self._logged_tokens = last.seconds, last.tokens

    def _write(self, record: dict[str, Any]) -> None:
        text = json.dumps(finite(record), allow_nan=False)
        with self._file.open("a", encoding="utf-8") as file:
            file.write(text + "\n")
        self._also(json.loads(text))
