"""What a run's budget comes to at the measured speed."""

from collections.abc import Callable
from typing import Any

import pytest

from rnnlab.config.experiment import TimingSettings
from rnnlab.lab.experiment.plan import Plan
from rnnlab.lab.experiment.timing import measure


@pytest.mark.parametrize(
    ("budget", "tokens", "seconds"),
    [
        ({"num_epochs": 0, "max_tokens": 5000}, 5000, 1e9),
        ({"num_epochs": 0, "max_seconds": 7.0}, 1e12, 7.0),
        ({"num_epochs": 0, "max_tokens": 10**12, "max_seconds": 7.0}, 1e12, 7.0),
    ],
    ids=["tokens", "seconds", "whichever ends first"],
)
def test_training_seconds_are_the_budget_at_the_measured_speed(
    make: Callable[..., Plan],
    content: dict[str, Any],
    budget: dict[str, Any],
    tokens: float,
    seconds: float,
) -> None:
    plan = make(base=content["base"] | budget)
    shown: list[float] = []
    rounds = TimingSettings(rounds=2, seconds=0.01)
    timings = measure(plan, rounds, lambda _, share: shown.append(share))["timings"]
    assert isinstance(timings, list)
    assert len(timings) == 4
    for timing in timings:
        outcomes = timing["outcomes"]
        expected = min(tokens / outcomes["tokens_per_second"], seconds)
        assert outcomes["training_seconds"] == pytest.approx(expected)
    assert shown == sorted(shown)
