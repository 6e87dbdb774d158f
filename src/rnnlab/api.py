"""The library in a handful of names; the command line is made of the same ones."""

from pathlib import Path
from typing import Any

from rnnlab.config import Settings, find_config
from rnnlab.display.training import TrainingDisplay
from rnnlab.errors import (
    UsageError,
)
from rnnlab.lm.text_model import TextModel
from rnnlab.runs import training
from rnnlab.runs.resume import settings_to_resume
from rnnlab.runs.run import Run


def train(
    config: str | Path | None = None,
    *,
    run_dir: str | Path | None = None,
    resume: str | Path | None = None,
    quiet: bool = False,
    **settings: Any,
) -> Run:
    """Train a language model.

    config: a TOML file or the name of a recipe; settings override it, by the names of
    `rnnlab train --help` (hidden_size=256). run_dir: a new directory, default runs/….
    resume: instead of both, a run directory to go on in; settings are its own but for those given.
    """
    if resume is not None:
        if config is not None or run_dir is not None:
            raise UsageError("resume takes settings and directory from the run; leave out config "
                             "and run_dir")  # fmt: skip
        base = settings_to_resume(Path(resume))
    else:
        base = Settings() if config is None else Settings.from_toml(find_config(str(config)))
    asked = base.changed("train", **settings)
    with TrainingDisplay(quiet=quiet) as display:
        return training.train(asked, resume or run_dir, [display], resume=resume is not None)


def load(path: str | Path, checkpoint: str = "best", **machine: Any) -> TextModel:
    """Load a run's model (best or last) or a model folder; machine: engine, device, precision."""
    settings = Settings.from_flat(machine, "load").machine
    return TextModel.load(path, checkpoint, settings)
