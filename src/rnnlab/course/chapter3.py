"""Exercises of chapter 3: gradients that vanish and explode."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from numbers import Real
from typing import Any

import numpy as np
import numpy.typing as npt

from rnnlab.course.checking import exercise, number_fault
from rnnlab.course.cures import cure_fault

Floats = npt.NDArray[np.float64]
Clip = Callable[[list[Floats], float], Sequence[Floats]]

FACTOR, SHARE = 0.9, 0.001

TRUE = frozenset("AE")
FALSE = {
    "B": "which other factor does each step have, and can it be small?",
    "C": "what does clipping do to a gradient that is too short?",
    "D": "do some weights get another factor than others?",
}

TRIED: tuple[tuple[list[Floats], float], ...] = (
    ([np.array([3.0, 4.0]), np.array([12.0])], 1.0),
    ([np.array([[1.0, -2.0], [0.5, 4.0]]), np.array([-6.0, 0.1])], 2.5),
)
"""Gradients that must be clipped, and theta."""


@exercise("3.1")
def steps_to_a_thousandth(answer: Any) -> str:
    """The first k with 0.9^k < 0.001."""
    exact = math.log(SHARE) / math.log(FACTOR)
    right = math.ceil(exact)
    if isinstance(answer, Real) and right - 1 < float(answer) < right:
        return "There are only whole steps. After which of them is less left?"
    return number_fault(
        answer, right,
        {
            right - 1: "Slightly more than a thousandth is left then.",
            right + 1: "It was less already one step before.",
            10: "A tenth of what is left goes at each step, not a tenth of what there was.",
            3: "What is left is 0.9 of it, not 0.1.",
            7: "This is the logarithm of 1,000. Divide it by that of 1/0.9.",
            70: "The logarithm of 1/0.9 is a little more than 0.1.",
            22: "This is when a tenth is left.",
            44: "This is when a hundredth is left.",
        },
        tolerance=1e-9,
    )  # fmt: skip


@exercise("3.2")
def three_of_thirteen(answer: Any) -> str:
    """3 / sqrt(9 + 16 + 144)."""
    return number_fault(
        answer, 3 / 13,
        {
            3 / 5: "This clips each matrix for itself. The norm is that of all gradients together.",
            1: "This clips each number. Then the direction of the step would change.",
            3 / 19: "This divides by the sum of the numbers. The norm is the root of the sum of "
            "their squares.",
            3 / 169: "The root is missing.",
            3 / 12: "This divides by the largest number. The norm counts all of them.",
            13: "This is the norm. What becomes of the 3?",
            3: "The norm is above 1, so it cannot stay.",
            12 / 13: "This is what becomes of the 12.",
        },
    )  # fmt: skip


@exercise("3.3")
def clip(answer: Any) -> str:
    """All arrays times min(1, theta / norm)."""
    if not callable(answer):
        return "Give the function itself: clip, not clip(...)."
    for gradients, theta in TRIED:
        if fault := _clipping_fault(answer, gradients, theta):
            return fault
    short = [np.array([0.3, -0.4]), np.zeros((2, 2))]
    if (found := _clipped(answer, short, 2.0)) is None or not _same(found, short):
        return "Gradients whose norm is below theta must stay as they are."
    zeros = [np.zeros(3)]
    if (found := _clipped(answer, zeros, 1.0)) is None or not _same(found, zeros):
        return "If all gradients are 0, they must stay so. Does it divide by 0?"
    return ""


def _clipping_fault(answer: Clip, gradients: list[Floats], theta: float) -> str:
    try:
        found = _clipped(answer, gradients, theta)
    except (TypeError, ValueError, IndexError, AttributeError) as error:
        return f"clip(gradients, theta) fails: {type(error).__name__}: {error}"
    if found is None:
        return "It must return as many arrays as it gets, of the same shapes."
    flat = np.concatenate([g.ravel() for g in gradients])
    norm = float(np.sqrt((flat**2).sum()))
    if _same(found, [g * theta / norm for g in gradients]):
        return ""
    for wrong, words in (
        ([g * min(1, theta / float(np.sqrt((g**2).sum()))) for g in gradients],
         "It clips each array for itself. The norm is that of all together."),
        ([np.clip(g, -theta, theta) for g in gradients],
         "It clips each number, which changes the direction of the step."),
        ([g * theta / np.abs(flat).sum() for g in gradients],
         "It divides by the sum of the absolute values."),
        ([g * theta / norm**2 for g in gradients], "It divides by the square of the norm."),
        ([g * theta / np.abs(flat).max() for g in gradients], "It divides by the largest number."),
        ([g / norm for g in gradients], "The norm must become theta, not 1."),
        (gradients, "Nothing has changed, though the norm is above theta."),
    ):  # fmt: skip
        if _same(found, wrong):
            return words
    left = float(np.sqrt(sum((g**2).sum() for g in found)))
    return f"The norm of all together is {left:.3f} then, and theta is {theta}."


def _clipped(answer: Clip, gradients: list[Floats], theta: float) -> list[Floats] | None:
    """Return what it makes of copies, None if that is not a list of arrays of their shapes."""
    with np.errstate(all="ignore"):
        given = answer([g.copy() for g in gradients], theta)
    if given is None:
        return None
    found = [np.asarray(g, float) for g in given]
    same = [g.shape for g in found] == [g.shape for g in gradients]
    return found if same else None


def _same(found: Sequence[Floats], expected: Sequence[Floats]) -> bool:
    return all(np.allclose(a, b) for a, b in zip(found, expected, strict=True))


@exercise("3.4")
def what_is_true(answer: Any) -> str:
    """The bound holds for sigma below 1, and saturated units have small derivatives."""
    if not isinstance(answer, str):
        return 'Give letters, such as "BD".'
    given = frozenset(answer.upper().replace(" ", "").replace(",", ""))
    if not given or given - frozenset("ABCDE"):
        return "Choose among the letters A to E."
    if extra := sorted(given - TRUE):
        return f"{extra[0]}: {FALSE[extra[0]]}"
    return "" if given == TRUE else "That is true, and it is not all."


@exercise("3.5")
def short_steps(answer: Any) -> str:
    """SGD with a theta of a thousandth."""
    return cure_fault("3.5", answer)


@exercise("3.6")
def one_long_step(answer: Any) -> str:
    """A ReLU network with large weights, not clipped."""
    return cure_fault("3.6", answer)
