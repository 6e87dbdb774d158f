"""The command that trains."""

import signal
import sys
from typing import Annotated

import tyro

import rnnlab
from rnnlab.commands.flags import FILES, Text
from rnnlab.config import DataSettings, MachineSettings, ModelSettings, TrainingSettings
from rnnlab.errors import UsageError
from rnnlab.signals import INTERRUPTS


def train(
    data: DataSettings,
    model: ModelSettings,
    training: TrainingSettings,
    machine: MachineSettings,
    files: tyro.conf.Positional[Annotated[tuple[str, ...], FILES]] = (),
    config: Text = "",
    run_dir: Text = "",
    resume: Text = "",
    budget: Text = "",
    automatic: bool = True,
    quiet: bool = False,
    trust_cell: bool = False,
    given: tyro.conf.Suppress[tuple[str, ...]] = (),
) -> None:
    """Train a language model on text.

    Without --config, sizes, regularization, learning rate and precision are chosen from the text,
    the budget and the speed of this machine, unless their flags are given.

    Args:
        files: text files to train on, one after another; the same as --corpus
        config: settings file (TOML) or name of a recipe; flags override it
        run_dir: new directory for everything the run writes; default: numbered, under runs/
        resume: run directory to continue, with its own settings; flags override some of them
        budget: training time with its unit: 30s, 3m or 1h; the same as --max-seconds
        automatic: choose settings that have no flag, else take their defaults
        quiet: print nothing but errors
        trust_cell: with --resume or --start-from: run the Python file of the cell that is there
        given: the settings that have a flag
    """
    settings = dict(data) | dict(model) | dict(training) | dict(machine)
    settings = {name: value for name, value in settings.items() if name in given}
    if files:
        if "corpus" in settings:
            raise UsageError("give the text files alone or with --corpus, not both")
        settings["corpus"] = files
    run = rnnlab.train(
        config or None, run_dir=run_dir or None, resume=resume or None, quiet=quiet,
        automatic=automatic, budget=budget, trust_cell=trust_cell, **settings,
    )  # fmt: skip
    if (reason := run.result["training"]["stopped_by"]) in INTERRUPTS:
        sys.exit(128 + signal.Signals[reason])
