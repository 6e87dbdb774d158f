"""Exercises of chapter 6: a good model in a minute."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from rnnlab.course.checking import exercise, number_fault

ILLNESS = "regularization too strong"
OTHERS = {
    "overfitting": "Is its training perplexity low? Whoever overfits knows the training text.",
    "underfitting": "That is what it looks like. Which words does rnnlab.diagnose use?",
    "diverged": "Its loss is finite, and falls.",
    "learning rate too low": "Only the dropout was changed.",
    "training too short": "Only the dropout was changed.",
    "dropout": "That is the cause. What is the illness called?",
}

TRIED = (([0.6, 0.3, 0.1], 0.5), ([0.5, 0.5, 0.0], 2.0), ([0.2, 0.7, 0.1], 1.0))


@exercise("6.1")
def sharpened(answer: Any) -> str:
    """p^2, divided by their sum."""
    return number_fault(
        answer, 0.49 / 0.54,
        {
            0.7: "This is the probability at temperature 1.",
            0.49: "These powers do not add up to 1 yet.",
            0.7**0.5 / (0.7**0.5 + 0.2**0.5 + 0.1**0.5): "You took the power T. It is 1/T: a low "
            "temperature sharpens.",
            0.35: "A temperature does not multiply. It is in the exponent.",
            0.7**0.5: "You took the power T, and it does not add up to 1.",
        },
    )  # fmt: skip


@exercise("6.2")
def temperature(answer: Any) -> str:
    """p^(1/T) / sum, and all to the likeliest for T = 0."""
    if not callable(answer):
        return "Give the function itself: heated, not heated(...)."
    for p, T in TRIED:
        if fault := _heating_fault(answer, p, T):
            return fault
    try:
        cold = [float(value) for value in answer([0.3, 0.6, 0.1], 0)]
    except ZeroDivisionError:
        return "It divides by zero for T = 0, where the likeliest token takes everything."
    except (TypeError, ValueError, OverflowError) as error:
        return f"For T = 0 it fails: {type(error).__name__}: {error}"
    return "" if cold == [0, 1, 0] else "For T = 0 the likeliest token must take everything."


def _heating_fault(
    heated: Callable[[Sequence[float], float], Sequence[float]], p: list[float], T: float
) -> str:
    try:
        found = [float(value) for value in heated(p, T)]
    except (TypeError, ValueError, ZeroDivisionError, OverflowError) as error:
        zero = " A probability of 0 stays 0." if 0 in p else ""
        return f"heated({p}, {T}) fails: {type(error).__name__}: {error}.{zero}"
    if len(found) != len(p):
        return f"It returns {len(found)} numbers for {len(p)} tokens."
    right = _powers(p, 1 / T)
    if all(map(math.isclose, found, right)):
        return ""
    if not math.isclose(sum(found), 1, rel_tol=1e-6):
        return f"heated({p}, {T}) adds up to {sum(found):.3f}, not to 1."
    if all(map(math.isclose, found, _powers(p, T))):
        return "It takes the power T instead of 1/T: it sharpens where it must flatten."
    if all(map(math.isclose, found, _softmax([value / T for value in p]))):
        return "It takes the probabilities for logits: their logarithms are divided by T."
    return f"heated({p}, {T}) gives {[round(value, 3) for value in found]}, which is not right."


def _powers(p: Sequence[float], power: float) -> list[float]:
    values = [value**power for value in p]
    return [value / sum(values) for value in values]


def _softmax(logits: Sequence[float]) -> list[float]:
    values = [math.exp(value) for value in logits]
    return [value / sum(values) for value in values]


@exercise("6.3")
def linear_schedule(answer: Any) -> str:
    """0.02 (1 - 0.75)."""
    return number_fault(
        answer, 0.005,
        {
            0.015: "This is what has been taken away.",
            0.02: "This is where it begins. It goes straight down to zero.",
            0.01: "This is half way.",
            0: "Zero is reached at the end.",
            0.02 * math.cos(0.75 * math.pi / 2): "This is a cosine. The line is straight.",
            0.02 * (1 + math.cos(0.75 * math.pi)) / 2: "This is a cosine. The line is straight.",
        },
    )  # fmt: skip


@exercise("6.4")
def inverted_dropout(answer: Any) -> str:
    """0.8 / (1 - 0.5)."""
    return number_fault(
        answer, 1.6,
        {
            0.8: "Then the mean over dropped and kept would be half of what it is without dropout.",
            0.4: "You multiplied by 1 - p. It is divided.",
            0: "That is what the next layer sees of a unit that is dropped.",
            1.3: "The probability is not added.",
            0.8 * 1.5: "It is divided by 1 - p, not multiplied by 1 + p.",
        },
    )  # fmt: skip


@exercise("6.5")
def three_parts(answer: Any) -> str:
    """What was chosen on a text is too good there."""
    words = {
        "A": "Three parts of one text are smaller than two.",
        "B": "",
        "C": "No weight is changed by it.",
        "D": "The n-gram counts the training text; its weight in the sum is learned there, too.",
    }
    return words.get(str(answer).strip().upper(), "Choose one of the letters A to D.")


@exercise("6.6")
def what_it_has(answer: Any) -> str:
    """What the doctor says."""
    if not isinstance(answer, str):
        return "Give the words of rnnlab.diagnose as a text."
    given = " ".join(answer.lower().split()).strip(".").replace("regularis", "regulariz")
    if given == ILLNESS:
        return ""
    return OTHERS.get(given, "These are not its words: print(rnnlab.diagnose('runs/ill')).")
