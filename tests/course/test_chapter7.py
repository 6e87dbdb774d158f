"""The checks of chapter 7 accept the right answers, and say what is wrong with the usual others."""

import math
from collections.abc import Sequence
from statistics import mean, pstdev, stdev
from typing import Any

import numpy as np
import pytest
from scipy.stats import t, ttest_rel

from rnnlab.course import chapter7, judge

Values = Sequence[float]
Interval = tuple[float, float]


def around(centre: float, half: float) -> Interval:
    return centre - half, centre + half


def differences(a: Values, b: Values) -> list[float]:
    return [x - y for x, y in zip(a, b, strict=True)]


def interval(a: Values, b: Values) -> Interval:
    low, high = ttest_rel(a, b).confidence_interval()
    return low, high


def half_of(a: Values, b: Values) -> float:
    low, high = interval(a, b)
    return (high - low) / 2


def normal(a: Values, b: Values) -> Interval:
    d = differences(a, b)
    return around(mean(d), 1.96 * stdev(d) / math.sqrt(len(d)))


def of_population(a: Values, b: Values) -> Interval:
    d = differences(a, b)
    return around(mean(d), t.ppf(0.975, len(d) - 1) * pstdev(d) / math.sqrt(len(d)))


def without_root(a: Values, b: Values) -> Interval:
    return around(mean(differences(a, b)), half_of(a, b) * math.sqrt(len(a)))


def divided_by_n(a: Values, b: Values) -> Interval:
    return around(mean(differences(a, b)), half_of(a, b) / math.sqrt(len(a)))


def not_paired(a: Values, b: Values) -> Interval:
    n = len(a)
    half = t.ppf(0.975, n - 1) * math.sqrt((stdev(a) ** 2 + stdev(b) ** 2) / n)
    return around(mean(a) - mean(b), half)


def turned_round(a: Values, b: Values) -> Interval:
    return interval(b, a)


def high_first(a: Values, b: Values) -> Interval:
    low, high = interval(a, b)
    return high, low


def test_constants_are_those_of_the_distributions() -> None:
    for freedom, value in chapter7.STUDENT.items():
        assert value == pytest.approx(t.ppf(0.975, freedom), abs=1e-9)
    draws = np.random.default_rng(0).normal(size=(200_000, 20)).max(1)
    assert pytest.approx(draws.mean(), abs=4 * draws.std() / 200_000**0.5) == chapter7.BEST_OF_20


@pytest.mark.parametrize(
    ("number", "answer"),
    [
        ("7.1", 0.012), ("7.1", 0.031 - 2.776 * 0.0153 / 5**0.5), ("7.2", 0.64), ("7.2", 0.6415),
        ("7.3", interval), ("7.4", "D"), ("7.4", "d"), ("7.5", 1.87), ("7.5", 1.9),
    ],
)  # fmt: skip
def test_right_answers(number: str, answer: Any) -> None:
    assert judge(number, answer) == (True, f"{number}: right.")


@pytest.mark.parametrize(
    ("number", "answer", "words"),
    [
        ("7.1", 0.05, "This is the upper end."),
        ("7.1", 0.0176, "1.96 is for very many seeds. There are five."),
        ("7.1", -0.0115, "You left out the square root of the number of seeds."),
        ("7.1", 0.0225, "You divided by the number of seeds. Its square root is what counts."),
        ("7.1", 0.019, "This is half of the width. The interval is around the mean."),
        ("7.2", 0.05, "That is the probability for one student."),
        ("7.2", 1, "Twenty times 5% is how many students one expects to find something. It is not "
         "certain that somebody does."),
        ("7.2", 0.3585, "This is the probability that none of them does."),
        ("7.2", 64.15, "As a probability, between 0 and 1."),
        ("7.2", "64%", "Give a number, not str."),
        ("7.3", (0, 1), "Give the function itself: interval, not interval(...)."),
        ("7.3", normal, "It uses 1.96. With 5 seeds Student's t is 2.776."),
        ("7.3", of_population, "Its standard deviation divides by n. With so few seeds it must "
         "divide by n - 1."),
        ("7.3", without_root, "It leaves out the square root of n: this is an interval for one "
         "seed."),
        ("7.3", divided_by_n, "It divides by n. The square root of n is what counts."),
        ("7.3", not_paired, "It does not pair: it joins the spreads of both lists. Take the "
         "differences first."),
        ("7.3", turned_round, "The sign is turned round: a minus b is asked for."),
        ("7.3", high_first, "Low and high have changed places."),
        ("7.3", lambda a, b: mean(a), "Called as interval(a, b) with two lists, it must return "
         "(low, high). It fails: TypeError: 'float' object is not iterable"),
        ("7.4", "A", "An interval never shows that there is no difference at all."),
        ("7.4", "B", "The interval contains 0."),
        ("7.4", "C", "Then the whole interval would lie within the margin. Does it?"),
        ("7.4", "E", "Choose one of the letters A to D."),
        ("7.4", 4, "Choose one of the letters A to D."),
        ("7.5", 0, "The best of twenty seeds is not like the others."),
        ("7.5", 1.645, "One seed of twenty lies beyond this. How far out is the best, on "
         "average?"),
        ("7.5", 1.96, "That is where a single seed lies in 2.5 of 100 cases. Here it is the best "
         "of twenty, on average."),
        ("7.5", 4.47, "The square root belongs to the mean of twenty. This is the best of them."),
        ("7.5", 20, "More seeds make it better, but not in proportion."),
    ],
)  # fmt: skip
def test_usual_mistakes(number: str, answer: Any, words: str) -> None:
    assert judge(number, answer) == (False, f"{number}: not yet. {words}")
