"""Folds: a text cut into N parts, of which each is the test text of one run."""

import re
from typing import Annotated

from pydantic import AfterValidator


def fold_numbers(fold: str) -> tuple[int, int]:
    """Return K and N of `K/N`; (0, 0) if the text is not cut into folds."""
    number, _, count = fold.partition("/")
    return (int(number), int(count)) if fold else (0, 0)


def _check_fold(value: str) -> str:
    if not value:
        return value
    if re.fullmatch(r"[1-9][0-9]{0,5}/[1-9][0-9]{0,5}", value):
        number, count = fold_numbers(value)
        if number <= count >= 2:
            return value
    raise ValueError(
        f"a fold is K/N, such as 2/5: part K of N, with N at least 2 and K at most N, not {value!r}"
    )


Fold = Annotated[str, AfterValidator(_check_fold)]
"""`K/N`, or nothing."""


def fault_with_fold(*, by_shares: bool, has_test_corpus: bool, canaries: int) -> str:
    """Say what a fold cannot be combined with; empty if nothing is wrong."""
    if not by_shares:
        return (
            "fold needs a split by shares: they say how the text outside of the fold is divided "
            "into train and validation"
        )
    if has_test_corpus:
        return "fold makes the test split; it cannot be combined with test_corpus"
    return "fold cannot be combined with canaries" if canaries else ""
