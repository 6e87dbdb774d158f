"""Recipes that make a model ill, for exercises in which the learner finds the cause."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from rnnlab.errors import DivergenceError, UsageError, unknown

HEALTHY: dict[str, Any] = {
    "cell": "rnn",
    "init": "torch",
    "hidden_size": 48,
    "num_steps": 32,
    "batch_size": 16,
    "optimizer": "adamw",
    "learning_rate": 0.003,
    "clip_norm": 1.0,
}
"""What a learner may change, with values that make no model ill."""

SMALL: dict[str, Any] = {
    "corpus_limit": 10_000,
    "preprocessing": "letters",
    "split": (0.9, 0.1, 0.0),
    "embedding_size": 16,
    "num_epochs": 4,
    "num_evaluations": 2,
    "num_log_lines": 40,
    "sample_length": 0,
    "threads": 1,
    "automatic": False,
    "quiet": True,
}
"""The text and the budget: a second of training. The doctor's verdict is the exercise."""

SIZES, LARGEST = ("hidden_size", "num_steps", "batch_size"), 512

TOO_SHORT = {"training too short", "batch too large for the text"}
"""What the doctor may find in each of these runs, since they are small."""


class Illness(NamedTuple):
    """What an exercise breaks."""

    name: str
    """As the doctor calls it."""
    settings: dict[str, Any]
    hints: dict[str, str]
    """Why another value of a setting does not help, by setting."""


ILLNESSES = {
    "2.6": Illness(
        "learning rate too low",
        {"optimizer": "sgd"},
        {
            "learning_rate": "You have the right setting, and not yet enough of it.",
            "optimizer": "Its steps with this learning rate are too short as well.",
            "clip_norm": "How large are its gradients? None of them is clipped.",
            "hidden_size": "The number of units is not what stops it from learning.",
            "cell": "Another network learns as little with these steps.",
            "num_steps": "It does not fail at long paths. It has hardly learned anything.",
            "batch_size": "More or fewer steps of this size do not get far.",
            "init": "It began well. Where did it go from there?",
        },
    ),
    "3.5": Illness(
        "clipping every step",
        {"optimizer": "sgd", "learning_rate": 1.0, "clip_norm": 0.001},
        {
            "clip_norm": "Compare it with the usual norm of the gradients: it is still smaller.",
            "learning_rate": "All steps still have the same length, whatever the gradient says.",
            "num_steps": "The gradients of shorter texts are clipped all the same.",
            "batch_size": "The gradients of other batches are clipped all the same.",
            "hidden_size": "The gradients of other sizes are clipped all the same.",
            "cell": "The gradients of other cells are clipped all the same.",
            "init": "The gradients from other weights are clipped all the same.",
        },
    ),
    "3.6": Illness(
        "diverged",
        {
            "cell": "rnn-relu", "init": "kaiming", "num_steps": 16, "optimizer": "sgd",
            "learning_rate": 1.0, "clip_norm": 0.0,
        },
        {
            "learning_rate": "The first gradient is so large that this step is still too long.",
            "clip_norm": "This lets through a norm that is too large.",
            "optimizer": "With this learning rate its steps are long, too.",
            "hidden_size": "What grows from step to step grows with any number of units.",
            "batch_size": "What grows from step to step grows in any batch.",
            "num_steps": "There are still enough factors above 1.",
            "init": "These weights are still too large.",
        },
    ),
}  # fmt: skip
"""By the number of the exercise."""


def recipe(number: str) -> dict[str, Any]:
    """Return the arguments of `rnnlab.train` for the ill run of an exercise.

    Raises UsageError for an exercise that has none.
    """
    if number not in ILLNESSES:
        raise unknown("recipe of exercise", number, ILLNESSES)
    return {**HEALTHY, **ILLNESSES[number].settings, **SMALL}


def cure_fault(number: str, answer: Any) -> str:
    """Return what is wrong with a changed setting, such as {"num_steps": 8}, as a cure.

    The recipe is trained with it, and the doctor asked.
    """
    if not isinstance(answer, dict) or len(answer) != 1:
        return 'Give one setting and its new value, such as {"num_steps": 8}.'
    ((name, value),) = answer.items()
    if name not in HEALTHY:
        return f"Change one of these: {', '.join(HEALTHY)}."
    if recipe(number)[name] == value:
        return "This is the recipe as it is."
    if name in SIZES and isinstance(value, int) and value > LARGEST:
        return f"At most {LARGEST:,}, so that the check stays short."
    try:
        found = _illnesses({**recipe(number), name: value})
    except UsageError as error:
        return f"rnnlab does not take that: {str(error).removeprefix('train: ')}."
    illness = ILLNESSES[number]
    if illness.name in found:
        return f"Trained with that, it is as ill as before. {illness.hints.get(name, '')}".rstrip()
    if others := sorted(found - TOO_SHORT):
        return f"The old illness is gone, but now the doctor finds: {', '.join(others)}."
    return ""


def _illnesses(settings: dict[str, Any]) -> set[str]:
    from rnnlab import diagnose, train

    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder, "run")
        try:
            train(run_dir=directory, max_seconds=20.0, **settings)
        except DivergenceError:
            return {"diverged"}
        return {finding.illness for finding in diagnose(directory).findings}
