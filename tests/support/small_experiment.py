"""A small experiment on made-up text."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from quick_workers import run_quickly

from rnnlab.execution import local
from rnnlab.experiments.plan import Plan, make_plan

MakePlan = Callable[..., Plan]


@pytest.fixture
def content(text_file: Path) -> dict[str, Any]:
    """Two variants and two seeds; each run takes a fraction of a second."""
    return {
        "question": "Does a GRU learn more than an LSTM?",
        "seeds": 2,
        "base": {
            "corpus": str(text_file),
            "hidden_size": 16,
            "embedding_size": 4,
            "batch_size": 4,
            "num_steps": 10,
            "num_epochs": 1,
            "num_evaluations": 2,
            "sample_length": 0,
        },
        "grid": {"cell": ["lstm", "gru"]},
    }


@pytest.fixture
def make(content: dict[str, Any]) -> MakePlan:
    """Return a function that plans the small experiment with keys changed, or removed if None."""

    def plan(**changes: Any) -> Plan:
        changed = {key: value for key, value in (content | changes).items() if value is not None}
        return make_plan(changed, "small", "experiment.toml")

    return plan


@pytest.fixture(scope="module")
def quick_workers() -> Iterator[None]:
    """Workers of this process draw nothing into curves.svg."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(local, "run_worker", run_quickly)
        yield
