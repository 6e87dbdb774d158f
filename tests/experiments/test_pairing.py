"""Pairs by seed and by round, and the description of missing pairs."""

import math
from dataclasses import replace

import pytest
from made_up_comparisons import BITS, PERPLEXITY, plan, records

from rnnlab.experiments.pairing import Pairs, find_pairs
from rnnlab.experiments.records import Records, Status, Timing

SIX = {
    "v0": {BITS: [2.0, 2.1, 2.2, 2.3, 2.4, 2.5]},
    "v1": {BITS: [3.0, 3.1, 3.2, 3.3, 3.4, 3.5]},
}


def with_lost(statuses: dict[tuple[str, int], Status]) -> Pairs:
    """Pairs of six seeds, where some runs have another status and no figures."""
    made = records(plan([{}]), SIX)
    runs = [
        replace(run, status=statuses[run.variant, run.seed], outcomes={})
        if (run.variant, run.seed) in statuses
        else run
        for run in made.runs
    ]
    return find_pairs(replace(made, runs=runs), made.plan.claims[0].comparison[0])


def test_pairs_are_figures_of_the_same_seed() -> None:
    pairs = with_lost({})
    assert pairs.values == [3.0, 3.1, 3.2, 3.3, 3.4, 3.5]
    assert pairs.differences == pytest.approx([1.0] * 6)
    assert (pairs.unit, pairs.left_out) == ("seed", "")


@pytest.mark.parametrize(
    ("statuses", "values", "left_out"),
    [
        (
            {("v1", 1): "diverged", ("v1", 4): "diverged"},
            [3.0, 3.2, 3.3, 3.5],
            "2 of 6 seeds left out: 'v1' diverged",
        ),
        (
            {("v0", 5): "failed", ("v1", 0): "diverged", ("v1", 1): "missing"},
            [3.2, 3.3, 3.4],
            "3 of 6 seeds left out: 'v1' diverged (1); 'v1' was not run (1); 'v0' failed (1)",
        ),
        (
            {("v0", 5): "diverged", ("v1", 5): "diverged"},
            [3.0, 3.1, 3.2, 3.3, 3.4],
            "1 of 6 seeds left out: 'v1' diverged",
        ),
        ({("v0", seed): "diverged" for seed in range(6)}, [], "'v0' diverged (all 6 seeds)"),
    ],
)
def test_missing_pairs_are_counted_with_their_reasons(
    statuses: dict[tuple[str, int], Status], values: list[float], left_out: str
) -> None:
    pairs = with_lost(statuses)
    assert pairs.values == values
    assert pairs.left_out == left_out


@pytest.mark.parametrize("figure", [math.nan, math.inf, 0.0])
def test_figures_without_a_logarithm_are_left_out(figure: float) -> None:
    figures = {"v0": {PERPLEXITY: [1.0, 1.0, 1.0]}, "v1": {PERPLEXITY: [math.e, figure, 1.0]}}
    made = records(plan([{"outcome": PERPLEXITY}], seeds=3), figures)
    pairs = find_pairs(made, made.plan.claims[0].comparison[0])
    assert pairs.differences == [1.0, 0.0]
    assert pairs.left_out == "1 of 3 seeds left out: 'v1' has no usable figure"


def test_a_fixed_value_is_paired_with_every_figure() -> None:
    made = records(plan([{"against": 2.5}]), SIX)
    pairs = find_pairs(made, made.plan.claims[0].comparison[0])
    assert pairs.against == [2.5] * 6
    assert pairs.left_out == ""


def test_separately_measured_speed_is_paired_by_round() -> None:
    figures = {name: {"tokens_per_second": [1.0, 1.0]} for name in ("v0", "v1")}
    made = records(plan([{"outcome": "tokens_per_second"}], seeds=2), figures)
    comparison = made.plan.claims[0].comparison[0]
    assert find_pairs(made, comparison).unit == "seed"
    timings = [
        Timing(name, i, {"tokens_per_second": 100.0 + i})
        for name, rounds in (("v0", range(4)), ("v1", (0, 2, 3)))
        for i in rounds
    ]
    pairs = find_pairs(Records(made.plan, made.runs, timings), comparison)
    assert pairs.values == pairs.against == [math.log(100), math.log(102), math.log(103)]
    assert (pairs.unit, pairs.left_out) == (
        "round",
        "1 of 4 rounds left out: 'v1' was not measured",
    )
