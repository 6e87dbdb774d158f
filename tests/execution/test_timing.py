"""Measured speed, and the time that a run's budget takes at it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from rnnlab.execution.timing import measure
from rnnlab.experiments.archive import TIMING, collect_records
from rnnlab.experiments.plan import Plan, read_plan
from rnnlab.experiments.records import Timing
from rnnlab.experiments.settings import TimingSettings


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


def test_timings_of_other_settings_are_not_used(
    make: Callable[..., Plan], content: dict[str, Any], tmp_path: Path
) -> None:
    """A variant may keep its name and change its settings."""
    asked = {"timing": {"rounds": 2, "seconds": 0.01}}
    plan = make(**asked)
    timings = [Timing(variant.name, 0, {}) for variant in plan.variants]
    measured = {"ids": plan.timing_ids, "timings": [vars(timing) for timing in timings]}
    (tmp_path / TIMING).write_text(json.dumps(measured))

    def taken(**changes: Any) -> list[Timing]:
        return collect_records(make(**{**asked, **changes}), tmp_path).timings

    assert taken() == taken(seeds=4) == timings
    assert taken(base=content["base"] | {"hidden_size": 17}) == []
    assert taken(phrases=["The cat"]) == []
    assert taken(timing={"rounds": 3, "seconds": 0.01}) == []
    assert taken(grid={"cell": ["lstm", "rnn"]}) == timings[:1]


def test_texts_are_found_next_to_the_experiment_file(
    content: dict[str, Any], text_file: Path, tmp_path: Path
) -> None:
    (tmp_path / "text.txt").write_bytes(text_file.read_bytes())
    content["base"]["corpus"] = "text.txt"
    file = tmp_path / "experiment.toml"
    file.write_text(tomli_w.dumps(content | {"seeds": 1}))
    rounds = TimingSettings(rounds=1, seconds=0.01)
    assert measure(read_plan(file), rounds, lambda *_: None)["timings"]
