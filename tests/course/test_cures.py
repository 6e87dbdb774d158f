"""Recipes that make a model ill: the doctor finds what was broken, and judges what cures it."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import rnnlab
from rnnlab.course import judge
from rnnlab.course.cures import HEALTHY, ILLNESSES, SMALL, TOO_SHORT, recipe
from rnnlab.errors import DivergenceError, UsageError


def illnesses(directory: Path, settings: dict[str, Any]) -> set[str]:
    with suppress(DivergenceError):
        rnnlab.train(run_dir=directory, **settings)
    return {finding.illness for finding in rnnlab.diagnose(directory).findings}


@pytest.mark.parametrize("number", ILLNESSES)
def test_each_recipe_has_its_illness_and_no_other(number: str, tmp_path: Path) -> None:
    found = illnesses(tmp_path / "run", recipe(number))
    assert found - TOO_SHORT == {ILLNESSES[number].name}


def test_what_is_not_broken_is_healthy(tmp_path: Path) -> None:
    assert illnesses(tmp_path / "run", {**HEALTHY, **SMALL}) <= TOO_SHORT


def test_every_setting_has_a_hint() -> None:
    for illness in ILLNESSES.values():
        cures = {name for name in HEALTHY if name not in illness.hints}
        assert len(cures) <= 2
        assert illness.settings.keys() <= HEALTHY.keys()


def test_an_exercise_without_recipe_is_refused() -> None:
    with pytest.raises(UsageError, match=r"unknown recipe of exercise '2\.1'"):
        recipe("2.1")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("learning_rate", 'Give one setting and its new value, such as {"num_steps": 8}.'),
        ({"learning_rate": 1.0, "clip_norm": 0.0}, "Give one setting and its new value, such as "
         '{"num_steps": 8}.'),
        ({"num_epochs": 50}, "Change one of these: cell, init, hidden_size, num_steps, batch_size, "
         "optimizer, learning_rate, clip_norm."),
        ({"learning_rate": 0.003}, "This is the recipe as it is."),
        ({"hidden_size": 4096}, "At most 512, so that the check stays short."),
        ({"learning_rate": "high"}, "rnnlab does not take that: learning_rate must be a number, "
         "not 'high'."),
        ({"cell": "lstn"}, "rnnlab does not take that: cell must be 'rnn', 'rnn-relu', 'gru', "
         "'lstm' or FILE.py:CLASS, not 'lstn'."),
    ],
)  # fmt: skip
def test_what_is_refused_before_anything_is_trained(answer: Any, words: str) -> None:
    assert judge("2.6", answer) == (False, f"2.6: not yet. {words}")
