"""How often an experiment on several texts gives a false verdict, simulated.

With RNNLAB_SIMULATIONS=10000 each simulation has so many experiments; by default it has few.
"""

import os
from typing import Any

import numpy as np
import pytest
from made_up_comparisons import compared_on_texts, plan_on_texts
from numpy.typing import NDArray

from rnnlab.experiments.comparison import ComparisonResult
from rnnlab.experiments.pooling import mean_on_others, mean_over_folds

EXPERIMENTS = int(os.environ.get("RNNLAB_SIMULATIONS", "250"))
MOST = 0.05 + 3 * (0.05 * 0.95 / EXPERIMENTS) ** 0.5
"""The largest share of false verdicts that is consistent with 5%."""
NOTHING = [{"expect": "different"}, {"expect": "lower"}, {"expect": "higher", "variant": "v2"}]
SEEDS = 3


def shares(
    gaps: NDArray[np.float64], comparisons: list[dict[str, Any]] = NOTHING, **keys: Any
) -> dict[str, float]:
    """Judge experiments; gaps: (experiments, variants, texts), true differences from v0.

    Noise of a run is 1; the seed and the text change all variants alike as well. Returns the share
    of experiments with any verdict at all, and of those where the first claim has which.
    """
    rng = np.random.default_rng(1908)
    count, variants, texts = gaps.shape
    made = plan_on_texts(comparisons, texts=texts, seeds=SEEDS, variants=variants + 1, **keys)
    spreads = rng.uniform(0.3, 1.5, (1, 1, texts, 1))  # other texts, other noise
    noise = spreads * rng.normal(0, 1, (count, variants + 1, texts, SEEDS))
    noise += rng.normal(0, 2, (count, 1, texts, SEEDS)) + rng.normal(0, 5, (count, 1, texts, 1))
    noise[:, 1:] += gaps[..., None]
    verdicts = [compared_on_texts(made, figures) for figures in noise]
    found = {"any": _share(verdicts, lambda e: any(c.verdict != "not shown" for c in e))}
    for verdict in ("supported", "contradicted"):
        found[verdict] = _share(verdicts, lambda e, v=verdict: e[0].verdict == v)
    return found


def _share(experiments: list[list[ComparisonResult]], holds: Any) -> float:
    return sum(map(holds, experiments)) / len(experiments)


@pytest.mark.parametrize("about", ["these texts", "texts like these"])
def test_nothing_differs_on_any_text(about: str) -> None:
    found = shares(np.zeros((EXPERIMENTS, 2, 4)), about=about)
    assert found["any"] <= MOST


def test_texts_that_differ_at_random_say_nothing_about_others() -> None:
    """Each text favours one variant or the other; over all such texts there is no difference."""
    gaps = np.random.default_rng(1).normal(0, 3, (EXPERIMENTS, 2, 5))
    assert shares(gaps, about="texts like these")["any"] <= MOST
    assert shares(gaps, about="these texts")["any"] > 0.5


def test_a_difference_that_changes_its_sign_holds_for_these_texts_only() -> None:
    """On the mean of these four it is -2.5, on each text it is certain."""
    gaps = np.tile([-10.0, -9.0, 4.0, 5.0], (EXPERIMENTS // 4, 1, 1))
    claim = [{"expect": "lower"}]
    assert shares(gaps, claim, about="these texts")["supported"] > 0.9
    assert shares(gaps, claim, about="texts like these")["any"] == 0


def test_a_difference_on_all_texts_is_shown_in_both_forms() -> None:
    gaps = np.random.default_rng(2).normal(-6, 1, (EXPERIMENTS // 4, 1, 6))
    claims: list[dict[str, Any]] = [{"expect": "lower", "margin": 2.0}]
    for about in ("these texts", "texts like these"):
        assert shares(gaps, claims, about=about)["supported"] > 0.95
    equal = np.random.default_rng(3).normal(0, 0.1, (EXPERIMENTS // 4, 1, 6))
    claims = [{"expect": "equivalent", "margin": 3.0}]
    for about in ("these texts", "texts like these"):
        assert shares(equal, claims, about=about)["supported"] > 0.95


def test_at_the_margin_equivalence_is_false_in_at_most_5_percent() -> None:
    gaps = np.full((EXPERIMENTS, 1, 4), 1.0)
    for about in ("these texts", "texts like these"):
        found = shares(gaps, [{"expect": "equivalent", "margin": 1.0}], about=about)
        assert found["supported"] <= MOST


def test_folds_depend_on_each_other_and_the_corrected_test_knows() -> None:
    """Two learners of equal worth on 5 folds: each predicts y by one of two features, y = a + b.

    No distribution is assumed: what a feature is worth is learned from the training folds, which
    overlap, and measured on the fold. The naive t test finds a difference too often.
    """
    rng = np.random.default_rng(2003)
    naive = corrected = 0
    folds, size = 5, 12
    for _ in range(EXPERIMENTS):
        x = rng.normal(size=(2, folds, size))
        y = x[0] + x[1] + rng.normal(size=(folds, size))
        differences = []
        for fold in range(folds):
            rest = np.arange(folds) != fold
            losses = []
            for feature in x:
                slope = (feature[rest] * y[rest]).sum() / (feature[rest] ** 2).sum()
                losses.append(np.mean((y[fold] - slope * feature[fold]) ** 2))
            differences.append([losses[0] - losses[1]])
        naive += mean_on_others(differences).p_value() <= 0.05
        corrected += mean_over_folds(differences, 1 / (folds - 1)).p_value() <= 0.05
    assert corrected / EXPERIMENTS <= MOST
    assert naive > corrected


def test_folds_of_the_correlation_that_the_correction_assumes() -> None:
    """Then its error rate is exactly 5%, and that of the naive test is several times as high."""
    rng = np.random.default_rng(0)
    folds = 5
    shared = np.sqrt(1 / folds) * rng.normal(size=(4 * EXPERIMENTS, 1))
    means = shared + np.sqrt(1 - 1 / folds) * rng.normal(size=(4 * EXPERIMENTS, folds))
    tests = [
        (mean_on_others(d).p_value() <= 0.05, mean_over_folds(d, 1 / (folds - 1)).p_value() <= 0.05)
        for d in means[..., None].tolist()
    ]
    naive, corrected = np.mean(tests, axis=0)
    assert abs(corrected - 0.05) < 4 * (0.05 * 0.95 / len(tests)) ** 0.5
    assert naive > 2 * corrected
