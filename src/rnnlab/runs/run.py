"""One run = one directory.

config.toml      all settings, resolved; training with them again gives the same run
environment.json versions, commit, processor, threads
metrics.jsonl    a line per log step (kind "train") and per held-out evaluation ("held-out")
checkpoint/      the model folders best (on the validation split) and last; state: the training
                 states that the run can be resumed from
samples.txt      a sample from the model after each evaluation
result.json      summary of training, final evaluations with their baselines
curves.svg       learning curves
given-...        the text or the samples that a Python program gave to train on
errors.txt       what went wrong in a run that `rnnlab serve` has started
tensorboard/     events, with the mirror tensorboard
"""

from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from rnnlab.config import Settings
from rnnlab.errors import RunDirectoryError
from rnnlab.files import read_json
from rnnlab.lm.text_model import TextModel
from rnnlab.runs.curves import draw_curves
from rnnlab.runs.files import (
    RESULT,
    read_metrics,
    settings_of_run,
)
from rnnlab.runs.loading import load_text_model


@dataclass
class Run:
    """A run directory and the model in it."""

    directory: Path

    @classmethod
    def open(cls, directory: str | Path) -> "Run":
        """Open a run directory. Raises UsageError if `directory` is not one."""
        path = Path(directory)
        settings_of_run(path)
        return cls(path)

    @property
    def settings(self) -> Settings:
        """All settings, resolved."""
        return settings_of_run(self.directory)

    @property
    def result(self) -> dict[str, Any]:
        """The content of result.json. Raises RunDirectoryError while training goes on."""
        return read_json(self.directory / RESULT)

    @property
    def metrics(self) -> list[dict[str, Any]]:
        """The lines of metrics.jsonl."""
        return read_metrics(self.directory)

    @cached_property
    def model(self) -> TextModel:
        """The model of the best checkpoint, or of the last one if nothing was held out."""
        return load_text_model(self.directory)

    def __fspath__(self) -> str:
        """Return the directory, so that a run is taken where a path is."""
        return str(self.directory)

    def __repr__(self) -> str:
        """Show the directory, the training perplexity and the held-out figures."""
        lines = [f"Run({str(self.directory)!r})"]
        with suppress(RunDirectoryError):
            result = self.result
            lines.append(f"  training perplexity {result['training']['perplexity']:.3f}")
            lines += [
                f"  {record['split']}, {record['context']}: "
                f"{record['bits_per_character']:.3f} bits/character"
                for record in result["evaluations"]
            ]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        """Show the learning curves in a notebook."""
        return f"<pre>{self!r}</pre>{draw_curves(self.directory)}"
