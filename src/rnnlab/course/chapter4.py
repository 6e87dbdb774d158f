"""Exercises of chapter 4: the LSTM."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from rnnlab.course.checking import exercise, number_fault

Floats = npt.NDArray[np.float64]

VOCABULARY, HIDDEN = 28, 64
KEPT, CHARACTERS = 0.9, 20
NEEDED = {"f": 1.0, "i": 0.0}
CAUSE = "forget_bias"
OTHERS = {
    "init": "Xavier's weights are of a usual size.",
    "weight_decay": "A decay of 0.01 takes little from the weights.",
    "clip_norm": "Clipping at 0.5 makes steps shorter, and AdamW does not mind.",
    "learning_rate": "The chapter's own network had the same learning rate.",
    "max_tokens": "A short training is not an illness. What does the doctor say of the gates?",
}


def _parameters(blocks: int, biases: int) -> int:
    return blocks * HIDDEN * (VOCABULARY + HIDDEN + biases)


@exercise("4.1")
def parameters(answer: Any) -> str:
    """Four blocks of H rows, each I + H + 2 long."""
    return number_fault(
        answer, _parameters(4, 2),
        {
            _parameters(4, 1): "torch keeps two biases for each row.",
            _parameters(4, 0): "The biases are parameters, too.",
            _parameters(1, 2): "This is one block. Three gates and the candidate have one each.",
            _parameters(3, 2): "This is a GRU. The candidate has weights like the three gates.",
            4 * HIDDEN * (VOCABULARY + 2): "The matrices that read h are missing.",
            4 * HIDDEN * (HIDDEN + 2): "The matrices that read x are missing.",
            4 * VOCABULARY * (VOCABULARY + HIDDEN + 2): "A block has a row for each unit, not for "
            "each character.",
        },
        tolerance=1e-9,
    )  # fmt: skip


@exercise("4.2")
def share_left(answer: Any) -> str:
    """f to the power of the number of characters."""
    right = KEPT**CHARACTERS
    return number_fault(
        answer, right,
        {
            1 - right: "This is the share that is lost.",
            KEPT ** (CHARACTERS - 1): "Count again: the gate multiplies at each of the twenty.",
            KEPT ** (CHARACTERS + 1): "Count again: the gate multiplies at each of the twenty.",
            1 - KEPT: "This is what one character takes away.",
            KEPT: "This is left after one character.",
            KEPT * CHARACTERS: "A share is at most 1. The gates multiply each other.",
            1 - CHARACTERS * (1 - KEPT): "The gate takes a tenth of what is left, not of what was "
            "there in the beginning.",
            (1 - KEPT) ** CHARACTERS: "0.9 is the share that is kept, not the share that is lost.",
            0: "A product of numbers above 0 is above 0.",
            100 * right: "As a share, between 0 and 1.",
        },
    )  # fmt: skip


def _sigmoid(a: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-a)))


def _gru(
    x: Floats, h: Floats, W: Floats, U: Floats, b: Floats, d: Floats, mistake: str = ""
) -> Floats:
    """Return one step as the chapter writes it, or with a usual mistake."""
    blocks = zip(np.split(W @ x + b, 3), np.split(U @ h + d, 3), strict=True)
    (x_r, h_r), (x_z, h_z), (x_n, h_n) = blocks
    r, z = _sigmoid(x_r + h_r), _sigmoid(x_z + h_z)
    if mistake == "gates":
        r, z = z, r
    reset = r * h_n
    if mistake == "reset h":
        reset = np.split(U, 3)[2] @ (r * h) + np.split(d, 3)[2]
    if mistake == "reset without d":
        reset = r * (np.split(U, 3)[2] @ h) + np.split(d, 3)[2]
    if mistake == "no reset":
        reset = h_n
    n = _sigmoid(x_n + reset) if mistake == "sigmoid" else np.tanh(x_n + reset)
    return z * n + (1 - z) * h if mistake == "turned round" else (1 - z) * n + z * h


MISTAKES = {
    "turned round": "z and 1 - z have changed places: here z is the share of the old h.",
    "gates": "r and z have changed places: the blocks are in the order r, z, n.",
    "reset h": "r multiplies h before the matrix does. Here it multiplies U_n h + d_n.",
    "reset without d": "d_n is outside of the brackets that r multiplies.",
    "no reset": "The candidate does not use r.",
    "sigmoid": "The candidate n lies between -1 and 1: it is a tanh.",
}
"""What is said of the steps that `_gru` makes with each mistake."""


@exercise("4.3")
def gru(answer: Any) -> str:
    """The new h; the equations of `rnnlab.cells.gru`."""
    if not callable(answer):
        return "Give the function itself: gru, not gru(...)."
    for seed, (inputs, hidden) in enumerate(((3, 2), (2, 4))):
        if fault := _gru_fault(answer, np.random.default_rng(seed), inputs, hidden):
            return fault
    return ""


def _gru_fault(
    gru: Callable[..., Any], random: np.random.Generator, inputs: int, hidden: int
) -> str:
    shapes = (inputs,), (hidden,), (3 * hidden, inputs), (3 * hidden, hidden)
    x, h, W, U = (random.normal(size=shape) for shape in shapes)
    b, d = random.normal(size=(2, 3 * hidden))
    try:
        found = np.asarray(gru(x, h, W, U, b, d), float)
    except Exception as error:  # of the learner's function, whatever it is
        return (
            "Called as gru(x, h, W, U, b, d) with NumPy arrays, it fails: "
            f"{type(error).__name__}: {error}"
        )
    if found.shape != (hidden,):
        return f"It must return the new h, of shape {(hidden,)}, and not {found.shape}."
    if np.allclose(found, _gru(x, h, W, U, b, d), atol=1e-5):
        return ""
    for mistake, words in MISTAKES.items():
        if np.allclose(found, _gru(x, h, W, U, b, d, mistake), atol=1e-5):
            return words
    return "It returns an h, but not that of the four equations. Compare r and z first, then n."


@exercise("4.4")
def gates_that_keep(answer: Any) -> str:
    """f at 1 and i at 0; g and o may be anything."""
    try:
        given = {str(name).strip().lower(): float(value) for name, value in dict(answer).items()}
    except (TypeError, ValueError):
        return 'Give a dict of gates and numbers, such as {"o": 0.5}.'
    if odd := sorted(set(given) - set("ifgo")):
        return f"There is no gate {odd[0]!r}: they are i, f, g and o."
    if "o" in given:
        return "o decides what is shown of c. Does c depend on it?"
    if "f" not in given:
        return "One gate decides what of the old c is kept."
    if given["f"] != NEEDED["f"]:
        return f"With f = {given['f']:g}, what is left of c after a hundred characters?"
    if "g" in given and "i" not in given:
        return "g is what is new, and it changes with the text. Which gate keeps it out?"
    if "g" in given:
        return "With this i, does it matter what g is?"
    if "i" not in given:
        return "The old is kept, but something new is added at each character."
    if given["i"] != NEEDED["i"]:
        return f"With i = {given['i']:g}, something new is added at each character."
    return ""


@exercise("4.5")
def illness(answer: Any) -> str:
    """The forget gates are stuck at 1."""
    name = str(answer).strip().lower().removeprefix("--").replace("-", "_").replace(" ", "_")
    name = name.partition("=")[0].rstrip("_")
    if name == CAUSE:
        return ""
    if name in OTHERS:
        return OTHERS[name]
    if "saturated" in name or name in ("f", "forget_gate", "forget_gates"):
        return "That is the illness. Which setting of the recipe causes it?"
    return 'Name a setting of the recipe, such as "init".'
