"""The checks of chapter 6 accept the right answers, and say what is wrong with the usual others."""

import math
from collections.abc import Sequence
from typing import Any

import pytest

from rnnlab.course import judge


def heated(p: Sequence[float], T: float) -> list[float]:
    if T == 0:
        return [float(value == max(p)) for value in p]
    powers = [value ** (1 / T) for value in p]
    return [value / sum(powers) for value in powers]


def by_logarithms(p: Sequence[float], T: float) -> list[float]:
    return heated([math.exp(math.log(value)) for value in p], T)


def not_at_zero(p: Sequence[float], T: float) -> list[float]:
    powers = [value ** (1 / T) for value in p]
    return [value / sum(powers) for value in powers]


def power_of_t(p: Sequence[float], T: float) -> list[float]:
    return heated(p, 1 / T)


def not_normalised(p: Sequence[float], T: float) -> list[float]:
    return [value ** (1 / T) for value in p]


def of_logits(p: Sequence[float], T: float) -> list[float]:
    powers = [math.exp(value / T) for value in p]
    return [value / sum(powers) for value in powers]


def unchanged(p: Sequence[float], T: float) -> list[float]:
    return list(p)


def warm_at_zero(p: Sequence[float], T: float) -> list[float]:
    return heated(p, max(T, 0.5))


@pytest.mark.parametrize(
    ("number", "answer"),
    [
        ("6.1", 0.907), ("6.1", 49 / 54), ("6.2", heated), ("6.3", 0.005), ("6.4", 1.6),
        ("6.5", "B"), ("6.5", " b"), ("6.6", "Regularization  too strong."),
    ],
)  # fmt: skip
def test_right_answers(number: str, answer: Any) -> None:
    assert judge(number, answer) == (True, f"{number}: right.")


@pytest.mark.parametrize(
    ("number", "answer", "words"),
    [
        ("6.1", 0.7, "This is the probability at temperature 1."),
        ("6.1", 0.49, "These powers do not add up to 1 yet."),
        ("6.1", 0.523, "You took the power T. It is 1/T: a low temperature sharpens."),
        ("6.1", 0.35, "A temperature does not multiply. It is in the exponent."),
        ("6.1", 0.8367, "You took the power T, and it does not add up to 1."),
        ("6.2", [0.9], "Give the function itself: heated, not heated(...)."),
        ("6.2", by_logarithms, "heated([0.5, 0.5, 0.0], 2.0) fails: ValueError: math domain error."
         " A probability of 0 stays 0."),
        ("6.2", not_at_zero, "It divides by zero for T = 0, where the likeliest token takes "
         "everything."),
        ("6.2", power_of_t, "It takes the power T instead of 1/T: it sharpens where it must "
         "flatten."),
        ("6.2", not_normalised, "heated([0.6, 0.3, 0.1], 0.5) adds up to 0.460, not to 1."),
        ("6.2", of_logits, "It takes the probabilities for logits: their logarithms are divided "
         "by T."),
        ("6.2", unchanged, "heated([0.6, 0.3, 0.1], 0.5) gives [0.6, 0.3, 0.1], which is not "
         "right."),
        ("6.2", warm_at_zero, "For T = 0 the likeliest token must take everything."),
        ("6.3", 0.015, "This is what has been taken away."),
        ("6.3", 0.02, "This is where it begins. It goes straight down to zero."),
        ("6.3", 0.01, "This is half way."),
        ("6.3", 0, "Zero is reached at the end."),
        ("6.3", 0.00765, "This is a cosine. The line is straight."),
        ("6.3", 0.00293, "This is a cosine. The line is straight."),
        ("6.4", 0.8, "Then the mean over dropped and kept would be half of what it is without "
         "dropout."),
        ("6.4", 0.4, "You multiplied by 1 - p. It is divided."),
        ("6.4", 0, "That is what the next layer sees of a unit that is dropped."),
        ("6.4", 1.3, "The probability is not added."),
        ("6.4", 1.2, "It is divided by 1 - p, not multiplied by 1 + p."),
        ("6.5", "A", "Three parts of one text are smaller than two."),
        ("6.5", "C", "No weight is changed by it."),
        ("6.5", "D", "The n-gram counts the training text; its weight in the sum is learned "
         "there, too."),
        ("6.5", "AB", "Choose one of the letters A to D."),
        ("6.5", 2, "Choose one of the letters A to D."),
        ("6.6", "overfitting", "Is its training perplexity low? Whoever overfits knows the "
         "training text."),
        ("6.6", "underfitting", "That is what it looks like. Which words does rnnlab.diagnose "
         "use?"),
        ("6.6", "diverged", "Its loss is finite, and falls."),
        ("6.6", "learning rate too low", "Only the dropout was changed."),
        ("6.6", "dropout", "That is the cause. What is the illness called?"),
        ("6.6", "it is ill", "These are not its words: print(rnnlab.diagnose('runs/ill'))."),
        ("6.6", None, "Give the words of rnnlab.diagnose as a text."),
    ],
)  # fmt: skip
def test_usual_mistakes(number: str, answer: Any, words: str) -> None:
    assert judge(number, answer) == (False, f"{number}: not yet. {words}")
