"""How the answer to an exercise is judged: what is wrong is said, the right answer is not."""

from __future__ import annotations

import importlib
import math
import re
from collections.abc import Callable
from numbers import Real
from pathlib import Path
from typing import Any, NamedTuple

from rnnlab.errors import unknown

ASKING = (*sorted(file.stem for file in Path(__file__).parent.glob("chapter*.py")), "diagnoses")
"""The modules that have exercises."""

Checker = Callable[[Any], str]
"""Takes an answer and returns what is wrong with it, "" if nothing is."""

EXERCISES: dict[str, Checker] = {}
"""By number, such as 1.2."""


class Judgement(NamedTuple):
    """What is said of an answer."""

    is_right: bool
    words: str


def exercise(number: str) -> Callable[[Checker], Checker]:
    """Add the function below to the exercises."""

    def add(checker: Checker) -> Checker:
        EXERCISES[number] = checker
        return checker

    return add


def check(number: str | float, answer: Any) -> None:
    """Print whether an answer is right, and if not, what is wrong with it.

    number: "1.1" and 1.1 are the same exercise.

    Raises UsageError for an exercise that does not exist.
    """
    print(judge(number, answer).words)


def judge(number: str | float, answer: Any) -> Judgement:
    """Return whether an answer is right, and the words for it; raises as `check`."""
    number = str(number)
    for module in ASKING:
        importlib.import_module(f"rnnlab.course.{module}")
    if number not in EXERCISES:
        raise unknown("exercise", number, EXERCISES)
    if answer is ...:
        return Judgement(False, f"{number}: put your answer in the place of the dots.")
    wrong = EXERCISES[number](answer)
    return Judgement(not wrong, f"{number}: {f'not yet. {wrong}' if wrong else 'right.'}")


def affirmed(words: str) -> str:
    """Return an answer in small letters without what it denies, such as "not a copy"."""
    return re.sub(r"\b(no|not|without) (an? |the )?(?!trained|long|enough|finite)\w+", "", words)


def number_fault(
    answer: Any, right: float, mistakes: dict[float, str], tolerance: float = 0.005
) -> str:
    """Return what is wrong with a number.

    mistakes: what is said of the numbers that usual mistakes give. tolerance: relative, of
    rounding.
    """
    if isinstance(answer, str) and re.fullmatch(r"\s*-?\d+([.,]\d+)?\s*", answer):
        return "Give a number, not a text in quotation marks."
    if isinstance(answer, bool) or not isinstance(answer, Real):
        return f"Give a number, not {type(answer).__name__}."
    value = float(answer)
    if math.isclose(value, right, rel_tol=tolerance):
        return ""
    for mistake, words in mistakes.items():
        if math.isclose(value, mistake, rel_tol=tolerance):
            return words
    if math.isclose(value, right, rel_tol=min(20 * tolerance, 0.1)):
        return "Close, but rounded too much or slightly off: give at least three digits."
    return "It is too large." if value > right else "It is too small."
