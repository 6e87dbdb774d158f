"""Means over several texts, against the formulas written out and against scipy."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from rnnlab.experiments.pooling import (
    mean_on_others,
    mean_on_these,
    mean_over_folds,
    pooled_deviation,
)

finite = st.floats(-100, 100).map(lambda x: round(x, 3))
texts = st.lists(st.lists(finite, min_size=2, max_size=6), min_size=2, max_size=6).filter(
    lambda found: min(map(np.std, [*found, [np.mean(own) for own in found]])) > 1e-3
)
quickly = settings(max_examples=100, deadline=None, derandomize=True)


@given(texts, st.floats(-10, 10))
@quickly
def test_on_these_texts_it_is_the_stratified_mean(
    differences: list[list[float]], at: float
) -> None:
    """Brute force: the variance of a mean of independent means."""
    found = mean_on_these(differences)
    count = len(differences)
    variances = [np.var(own, ddof=1) / len(own) for own in differences]
    assert found.value == pytest.approx(sum(map(np.mean, differences)) / count, abs=1e-9)
    assert found.error == pytest.approx(math.sqrt(sum(v / count**2 for v in variances)))
    below = sum(v**2 / (len(own) - 1) for v, own in zip(variances, differences, strict=True))
    assert found.freedom == pytest.approx(sum(variances) ** 2 / below)
    expected = 2 * stats.t.sf(abs(found.value - at) / found.error, found.freedom)
    assert found.p_value(at) == pytest.approx(expected, abs=1e-12)


@given(texts)
@quickly
def test_of_two_texts_it_is_welchs_test_of_a_mean_and_one_with_its_sign_turned(
    differences: list[list[float]],
) -> None:
    one, other = differences[:2]
    welch = stats.ttest_ind(one, [-value for value in other], equal_var=False)
    assert mean_on_these([one, other]).p_value() == pytest.approx(welch.pvalue, abs=1e-9)


@given(texts, st.floats(-10, 10))
@quickly
def test_on_texts_like_these_it_is_a_t_test_of_their_means(
    differences: list[list[float]], at: float
) -> None:
    found = mean_on_others(differences)
    means = [np.mean(own) for own in differences]
    for alternative in ("two-sided", "less", "greater"):
        expected = stats.ttest_1samp(means, at, alternative=alternative)
        assert found.p_value(at, alternative) == pytest.approx(expected.pvalue, abs=1e-9)
    low, high = stats.ttest_1samp(means, 0).confidence_interval()
    assert found.interval() == pytest.approx((low, high), rel=1e-6, abs=1e-9)


@given(texts, st.floats(0, 1))
@quickly
def test_over_folds_the_variance_is_corrected(differences: list[list[float]], ratio: float) -> None:
    found = mean_over_folds(differences, ratio)
    means = [np.mean(own) for own in differences]
    count = len(means)
    variance = (1 / count + ratio) * np.var(means, ddof=1)
    t = np.mean(means) / math.sqrt(variance)
    assert found.p_value() == pytest.approx(2 * stats.t.sf(abs(t), count - 1), abs=1e-9)


def test_a_published_example_of_the_corrected_test() -> None:
    """Ten folds, 9:1: the correction multiplies the standard error by √(1 + 10/9)."""
    differences = [[0.01 * k] for k in range(1, 11)]
    naive, corrected = mean_on_others(differences), mean_over_folds(differences, 1 / 9)
    assert corrected.error / naive.error == pytest.approx(math.sqrt(1 + 10 / 9))
    assert (corrected.value, corrected.freedom) == (naive.value, 9)


def test_texts_without_any_spread() -> None:
    alike = [[0.5, 0.5], [0.5, 0.5, 0.5]]
    for found in (mean_on_these(alike), mean_on_others(alike)):
        assert (found.value, found.error) == (0.5, 0.0)
        assert found.p_value() == 0
        assert found.p_value(0.5) == 1
    assert pooled_deviation(alike) == 0
    assert pooled_deviation([[0.0, 2.0], [1.0, 1.0]]) == pytest.approx(1.0)


def test_too_few_figures_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 2 values are needed, not 1"):
        mean_on_these([[1.0, 2.0], [1.0]])
    with pytest.raises(ValueError, match="at least 2 values are needed, not 1"):
        mean_on_others([[1.0, 2.0]])
