"""Early evaluations: few, cheap, and dense enough that the best moment is not missed."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import rnnlab
from rnnlab.lm.evaluate import CHUNK_TOKENS, _places
from rnnlab.lm.moments import EARLY_SHARE, GROWTH, Moments, evaluation_cost

BATCH = 2048


def evaluated_steps(moments: Moments, steps: int, batch: int = BATCH) -> list[int]:
    """Return the steps after which a run of `steps` steps evaluates."""

    def counts(step: int) -> tuple[int, int]:
        return moments.even(step / steps), moments.early(step, step * batch)

    found = []
    for step in range(1, steps + 1):
        (even, early), (was_even, was_early) = counts(step), counts(step - 1)
        if even > was_even or (early > was_early and moments.wants_early(step / steps)):
            found.append(step)
    return found


@pytest.mark.parametrize("cost", [50, 550, 5_000, 50_000])
@pytest.mark.parametrize("number", [1, 2, 5, 20, 100])
def test_no_evaluation_is_far_from_the_one_before(cost: int, number: int) -> None:
    found = evaluated_steps(Moments(number, cost), 20_000)
    assert found[-1] == 20_000
    near = {step + late for step in found for late in (0, -1)}
    assert {20_000 * k // number for k in range(1, number + 1)} <= near
    closest = cost / EARLY_SHARE / BATCH
    assert found[0] <= max(10, closest + 1)
    for before, after in pairwise(found):
        assert after <= before + max(closest, before * (GROWTH - 1)) + 2


@pytest.mark.parametrize("cost", [50, 550, 5_000, 50_000])
def test_early_evaluations_cost_a_bounded_share_at_any_time(cost: int) -> None:
    early = evaluated_steps(Moments(1, cost), 200_000, batch=32)[:-1]
    assert 5 < len(early) < 150
    for number, step in enumerate(early, start=1):
        assert number * cost <= EARLY_SHARE * step * 32


@pytest.mark.parametrize("context", ["carried", "windows:7", "windows:256"])
@pytest.mark.parametrize("tokens", [3, 255, 256, 300, 5000])
def test_the_cost_counts_the_time_steps_that_an_evaluation_makes(context: str, tokens: int) -> None:
    assert tokens < CHUNK_TOKENS
    read = _places(np.zeros(tokens + 1, np.int64), context, (), None)
    time_steps = sum(map(len, read))
    expected = (tokens + 8 * time_steps) / (3 * (1 + 8 / 32))
    assert evaluation_cost(tokens, context, 32) == pytest.approx(expected)
    assert evaluation_cost(tokens, context, 32, 0.0) == pytest.approx(tokens / 3)


def test_without_a_budget_of_evaluations_there_are_none() -> None:
    assert evaluated_steps(Moments(0, 550), 1000) == []


def test_without_held_out_text_there_are_the_even_moments() -> None:
    assert evaluated_steps(Moments(4), 1000) == [250, 500, 750, 1000]


@pytest.mark.parametrize(("cell", "limit", "batch"), [("gru", 8_000, 32), ("lstm", 5_000, 16)])
def test_the_best_moment_is_missed_by_less_than_a_hundredth(
    tmp_path: Path, cell: str, limit: int, batch: int
) -> None:
    """A run is evaluated after every step; moments of runs with longer budgets are looked up."""
    run = rnnlab.train(
        automatic=False,
        corpus="python-reference", corpus_limit=limit, split=(0.75, 0.25, 0), cell=cell,
        hidden_size=48, embedding_size=16, batch_size=batch, num_steps=16, learning_rate=0.01,
        num_epochs=35, num_evaluations=10**6, validation_context="windows:64", sample_length=0,
        threads=1, run_dir=tmp_path / "run", quiet=True,
    )  # fmt: skip
    nats = np.array([m["nats_per_token"] for m in run.metrics if m["kind"] == "held-out"])
    lowest = np.convolve(nats, np.ones(7) / 7, "valid").min()  # without the noise of single steps
    assert nats[-1] > 1.03 * lowest, "this run overfits"
    moments = Moments(20, evaluation_cost(limit // 4, "windows:64", batch))
    for times in (1, 3, 10, 100):
        steps = evaluated_steps(moments, len(nats) * times, batch * 16)
        best = min(nats[step - 1] for step in steps if step <= len(nats))
        assert best < 1.01 * lowest, times
