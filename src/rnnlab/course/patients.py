"""Runs that are ill, one for each illness that the doctor knows, for learners to find the cause."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from rnnlab.config import Settings
from rnnlab.course.text import book
from rnnlab.errors import DivergenceError, unknown
from rnnlab.runs.files import RESULT

if TYPE_CHECKING:
    from rnnlab.runs.run import Run

USUAL: dict[str, Any] = {
    "cell": "lstm",
    "hidden_size": 64,
    "embedding_size": 16,
    "dropout": 0.2,
    "batch_size": 8,
    "num_steps": 32,
    "optimizer": "adamw",
    "learning_rate": 0.006,
    "schedule": "linear",
    "clip_norm": 1.0,
    "num_epochs": 8,
    "num_evaluations": 8,
    "num_log_lines": 40,
    "sample_length": 0,
    "threads": 1,
    "automatic": False,
}
"""What each of them does not have in another way; twice the epochs would make a healthy run."""

_COMPLETE = Settings().flat() | USUAL
TO_LOOK_AT: dict[str, Any] = {
    name: _COMPLETE[name]
    for name in (
        "cell", "hidden_size", "embedding_size", "num_layers", "init", "dropout", "weight_decay",
        "batch_size", "num_steps", "optimizer", "learning_rate", "schedule", "clip_norm",
        "num_epochs", "warmup",
    )
}  # fmt: skip
"""The settings that one of them has in another way, or could have, with what is usual."""


class Patient(NamedTuple):
    """A recipe that makes a run ill."""

    illness: str
    """As the doctor calls it."""
    change: dict[str, Any]
    """Settings in place of the usual ones."""
    characters: tuple[int, int] = (12_000, 3_000)
    """Trained on, held out."""
    copied: bool = False
    """Whether the held-out text is the training text once more."""


PATIENTS = {
    1: Patient(
        "overfitting",
        {"dropout": 0.0, "num_epochs": 40, "learning_rate": 0.01},
        characters=(5_000, 1_500),
    ),
    2: Patient("learning rate too low", {"learning_rate": 0.0001}),
    3: Patient(
        "clipping every step", {"optimizer": "sgd", "learning_rate": 1.0, "clip_norm": 0.001}
    ),
    4: Patient(
        "held-out text is a copy",
        {"hidden_size": 96, "dropout": 0.0, "num_epochs": 50, "learning_rate": 0.01},
        characters=(4_000, 4_000),
        copied=True,
    ),
    5: Patient(
        "dead units",
        {"cell": "rnn-relu", "learning_rate": 0.1, "num_steps": 4, "batch_size": 64},
    ),
    6: Patient("training too short", {"num_epochs": 3}),
    7: Patient(
        "stuck at the unigram level",
        {
            "init": "normal", "init_std": 0.001, "num_layers": 2, "optimizer": "sgd",
            "learning_rate": 3.0,
        },
    ),
    8: Patient(
        "diverged",
        {
            "cell": "rnn-relu", "optimizer": "sgd", "learning_rate": 300.0, "warmup": 0.9,
            "schedule": "constant", "clip_norm": 0.0, "num_evaluations": 1,
        },
    ),
    9: Patient("regularization too strong", {"dropout": 0.9}),
    10: Patient("batch too large for the text", {"batch_size": 64}),
    11: Patient(
        "saturated gates", {"cell": "rnn", "learning_rate": 0.05}, characters=(24_000, 6_000)
    ),
}  # fmt: skip
"""By number."""


def patient(number: int, run_dir: str | Path = "") -> Run:
    """Train the ill run of this number, a few seconds, and return it.

    run_dir: default: runs/patient-NUMBER. If the run is there already, it is returned as it is. It
    may have diverged.

    Raises UsageError for a number that is not one of `PATIENTS`, and as `rnnlab.train`.
    """
    from rnnlab import Run, train

    if number not in PATIENTS:
        raise unknown("patient", str(number), [str(each) for each in PATIENTS])
    directory = Path(run_dir or f"runs/patient-{number}")
    if not (directory / RESULT).is_file():
        with suppress(DivergenceError):
            train(run_dir=directory, quiet=True, **recipe(number))
    return Run.open(directory)


def recipe(number: int) -> dict[str, Any]:
    """Return the arguments of `rnnlab.train` for a patient: its settings and its text."""
    _, change, (train, held_out), copied = PATIENTS[number]
    (text,) = book(train) if copied else book(train + held_out)
    texts = {"text": 2 * text if copied else text, "split": (train, held_out, 0)}
    return USUAL | change | texts
