"""Exercises of chapter 7: an experiment done right."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import mean, stdev
from typing import Any

from rnnlab.course.checking import exercise, number_fault

MEAN, SPREAD, SEEDS = 0.031, 0.0153, 5
STUDENT = {4: 2.7764451052, 2: 4.3026527297}
"""97.5% of Student's t, by degrees of freedom."""

ERROR = SPREAD / SEEDS**0.5
BEST_OF_20 = 1.8675
"""Mean of the largest of 20 standard normal numbers; Harter 1961, Biometrika 48, table 1."""

PAIRS = (
    ([2.95, 2.94, 2.96, 2.95, 2.97], [2.93, 2.94, 2.93, 2.94, 2.93]),
    ([1.5, 1.9, 2.2], [1.0, 1.5, 1.6]),
)


@exercise("7.1")
def lower_end(answer: Any) -> str:
    """Mean - t s / sqrt n."""
    return number_fault(
        answer, MEAN - STUDENT[4] * ERROR,
        {
            MEAN + STUDENT[4] * ERROR: "This is the upper end.",
            MEAN - 1.96 * ERROR: "1.96 is for very many seeds. There are five.",
            MEAN - STUDENT[4] * SPREAD: "You left out the square root of the number of seeds.",
            MEAN - STUDENT[4] * SPREAD / SEEDS: "You divided by the number of seeds. Its square "
            "root is what counts.",
            STUDENT[4] * ERROR: "This is half of the width. The interval is around the mean.",
            MEAN - ERROR: "This is the mean minus one standard error.",
        },
        tolerance=0.02,
    )  # fmt: skip


@exercise("7.2")
def at_least_one(answer: Any) -> str:
    """1 - 0.95^20."""
    return number_fault(
        answer, 1 - 0.95**20,
        {
            0.05: "That is the probability for one student.",
            1: "Twenty times 5% is how many students one expects to find something. It is not "
            "certain that somebody does.",
            0.95**20: "This is the probability that none of them does.",
            0.05**20: "This is the probability that all of them do.",
            100 * (1 - 0.95**20): "As a probability, between 0 and 1.",
        },
    )  # fmt: skip


@exercise("7.3")
def paired_interval(answer: Any) -> str:
    """Of the differences, with Student's t."""
    if not callable(answer):
        return "Give the function itself: interval, not interval(...)."
    for a, b in PAIRS:
        if fault := _interval_fault(answer, a, b):
            return fault
    return ""


def _interval_fault(
    interval: Callable[[Sequence[float], Sequence[float]], Any], a: list[float], b: list[float]
) -> str:
    try:
        low, high = map(float, interval(a, b))
    except (TypeError, ValueError) as error:
        return (
            "Called as interval(a, b) with two lists, it must return (low, high). It fails: "
            f"{type(error).__name__}: {error}"
        )
    d, n = [x - y for x, y in zip(a, b, strict=True)], len(a)
    standard_error = stdev(d) / n**0.5
    t = STUDENT[n - 1]
    centre, half = (low + high) / 2, (high - low) / 2
    if math.isclose(half, t * standard_error, rel_tol=1e-3) and math.isclose(
        centre, mean(d), rel_tol=1e-6
    ):
        return ""
    if math.isclose(centre, -mean(d), rel_tol=1e-6):
        return "The sign is turned round: a minus b is asked for."
    if not math.isclose(centre, mean(d), rel_tol=1e-6):
        return "Its middle is not the mean of the differences."
    if half < 0:
        return "Low and high have changed places."
    unpaired = t * ((stdev(a) ** 2 + stdev(b) ** 2) / n) ** 0.5
    known = {
        1.96 * standard_error: f"It uses 1.96. With {n} seeds Student's t is {t:.3f}.",
        t
        * standard_error
        * ((n - 1) / n) ** 0.5: "Its standard deviation divides by n. With so few seeds "
        "it must divide by n - 1.",
        t * stdev(d): "It leaves out the square root of n: this is an interval for one seed.",
        t * stdev(d) / n: "It divides by n. The square root of n is what counts.",
        unpaired: "It does not pair: it joins the spreads of both lists. Take the differences "
        "first.",
    }
    for value, words in known.items():
        if math.isclose(half, value, rel_tol=2e-3):
            return words
    ratio = half / (t * standard_error)
    return (
        f"Its middle is right, but with {n} pairs it is {ratio:.2f} times as wide as it should be."
    )


@exercise("7.4")
def what_is_shown(answer: Any) -> str:
    """Neither."""
    given = str(answer).strip().upper()
    words = {
        "A": "An interval never shows that there is no difference at all.",
        "B": "The interval contains 0.",
        "C": "Then the whole interval would lie within the margin. Does it?",
        "D": "",
    }
    return words.get(given, "Choose one of the letters A to D.")


@exercise("7.5")
def best_of_twenty(answer: Any) -> str:
    """The mean of the largest of 20."""
    return number_fault(
        answer, BEST_OF_20,
        {
            0: "The best of twenty seeds is not like the others.",
            1.96: "That is where a single seed lies in 2.5 of 100 cases. Here it is the best of "
            "twenty, on average.",
            1.645: "One seed of twenty lies beyond this. How far out is the best, on average?",
            20: "More seeds make it better, but not in proportion.",
            20**0.5: "The square root belongs to the mean of twenty. This is the best of them.",
        },
        tolerance=0.02,
    )  # fmt: skip
