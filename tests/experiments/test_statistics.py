"""Intervals, tests, Holm's correction and power, against scipy, the literature and simulation."""

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from rnnlab.experiments.statistics import (
    Alternative,
    detectable_difference,
    detectable_margin,
    effect_size,
    equivalence_test,
    estimate_mean,
    holm,
    holm_levels,
    t_test,
)

A = [2.31, 2.25, 2.40, 2.28, 2.35, 2.30]
B = [2.20, 2.24, 2.31, 2.29, 2.21, 2.19]
GAPS = [a - b for a, b in zip(A, B, strict=True)]

samples = st.lists(st.floats(-1e6, 1e6).map(lambda x: round(x, 3)), min_size=2, max_size=12)
p_lists = st.lists(st.floats(0, 1), min_size=1, max_size=6)


def normal(count: int, experiments: int, mean: float = 0.0) -> NDArray[np.float64]:
    return np.random.default_rng(count).normal(mean, 1.0, (experiments, count))


def within_monte_carlo_error(found: float, true: float, experiments: int) -> bool:
    return abs(found - true) < 3 * math.sqrt(true * (1 - true) / experiments)


@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.99])
def test_the_interval_equals_scipys(confidence: float) -> None:
    ours = estimate_mean(GAPS, confidence)
    theirs = stats.ttest_rel(A, B).confidence_interval(confidence)
    assert ours.interval == pytest.approx((theirs.low, theirs.high), rel=1e-12)
    assert (ours.mean, ours.count) == (pytest.approx(0.075), 6)
    assert ours.deviation == pytest.approx(np.std(GAPS, ddof=1))


@pytest.mark.parametrize("alternative", ["two-sided", "less", "greater"])
def test_the_paired_test_equals_scipys(alternative: Alternative) -> None:
    theirs = stats.ttest_rel(A, B, alternative=alternative).pvalue
    assert t_test(GAPS, alternative=alternative) == pytest.approx(theirs, rel=1e-12)
    shifted = stats.ttest_1samp(GAPS, 0.05, alternative=alternative).pvalue
    assert t_test(GAPS, 0.05, alternative) == pytest.approx(shifted, rel=1e-12)


@given(samples, st.floats(-10, 10))
def test_the_paired_test_equals_scipys_for_any_sample_with_spread(
    x: list[float], shift: float
) -> None:
    assume(np.std(x) > 1e-6 * max(abs(v) for v in x))
    assert t_test(x, shift) == pytest.approx(stats.ttest_1samp(x, shift).pvalue, rel=1e-6, abs=1e-9)


@given(samples, st.floats(-10, 10))
def test_p_is_a_probability_and_consistent_between_alternatives(
    x: list[float], shift: float
) -> None:
    less, greater = t_test(x, shift, "less"), t_test(x, shift, "greater")
    assert less + greater == pytest.approx(1)
    assert t_test(x, shift) == pytest.approx(2 * min(less, greater))
    assert t_test([-v for v in x], -shift, "less") == greater


@given(samples, st.floats(0.01, 0.2))
def test_the_test_rejects_exactly_the_values_outside_the_interval(
    x: list[float], level: float
) -> None:
    ends = estimate_mean(x, 1 - level).interval
    assert ends is not None
    assume(min(abs(ends[0]), abs(ends[1])) > 1e-6)
    assert (t_test(x) <= level) == (not ends[0] <= 0 <= ends[1])


@given(samples, st.floats(0.001, 1e6))
def test_equivalence_is_shown_if_the_90_percent_interval_is_within_the_margin(
    x: list[float], margin: float
) -> None:
    ends = estimate_mean(x, 0.9).interval
    assert ends is not None
    largest = max(map(abs, ends))
    assume(abs(largest - margin) > 1e-6 * margin)
    assert (equivalence_test(x, margin) <= 0.05) == (largest < margin)


def test_equivalence_is_the_larger_of_two_one_sided_tests() -> None:
    below = stats.ttest_1samp(GAPS, 0.12, alternative="less").pvalue
    above = stats.ttest_1samp(GAPS, -0.12, alternative="greater").pvalue
    assert below > above
    assert equivalence_test(GAPS, 0.12) == pytest.approx(below, rel=1e-12)
    with pytest.raises(ValueError, match="an equivalence margin must be above 0, not 0"):
        equivalence_test(GAPS, 0)


@pytest.mark.parametrize("count", [3, 6, 10])
def test_the_95_percent_interval_covers_95_percent(count: int) -> None:
    experiments = 10_000
    intervals = [estimate_mean(x).interval or (0, 0) for x in normal(count, experiments, mean=5.0)]
    covered = float(np.mean([low <= 5.0 <= high for low, high in intervals]))
    assert within_monte_carlo_error(covered, 0.95, experiments)


def test_holm_adjusts_as_in_worked_examples() -> None:
    # Four hypotheses at 5%: the fourth and the first are rejected.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    # Benjamini and Hochberg 1995, section 4.1: 3 of 15 endpoints are significant familywise.
    endpoints = [
        0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240,
        0.4262, 0.5719, 0.6528, 0.7590, 1.0000,
    ]  # fmt: skip
    adjusted = holm(endpoints)
    assert adjusted[:4] == pytest.approx([0.0015, 0.0056, 0.0247, 0.114])
    assert sum(p <= 0.05 for p in adjusted) == 3
    assert holm([]) == []


@given(p_lists)
def test_holm_is_the_closed_bonferroni_test(p_values: list[float]) -> None:
    """A hypothesis is rejected if Bonferroni rejects every intersection that contains it."""
    indices = range(len(p_values))
    joint = [set(some) for size in indices for some in combinations(indices, size + 1)]
    for i, adjusted in enumerate(holm(p_values)):
        bonferroni = [len(s) * min(p_values[j] for j in s) for s in joint if i in s]
        assert adjusted == pytest.approx(min(1.0, max(bonferroni)))


@given(p_lists)
def test_holm_levels_are_where_the_decision_changes(p_values: list[float]) -> None:
    for i, level in enumerate(holm_levels(p_values, 0.05)):
        for p, is_shown in ((level * 0.9999, True), (level * 1.0001, False)):
            assert (holm([*p_values[:i], p, *p_values[i + 1 :]])[i] <= 0.05) == is_shown


def test_effect_size_has_hedges_correction() -> None:
    uncorrected = np.mean(GAPS) / np.std(GAPS, ddof=1)
    # J(5) = Γ(2.5) / (√2.5 Γ(2)), with Γ(2.5) = 3 √π / 4.
    exact = 0.75 * math.sqrt(math.pi) / math.sqrt(2.5)
    assert effect_size(GAPS) == pytest.approx(uncorrected * exact)
    assert exact == pytest.approx(1 - 3 / (4 * 5 - 1), abs=0.002)  # Hedges's approximation


def test_effect_size_is_unbiased() -> None:
    sizes = [effect_size(x) or 0.0 for x in normal(6, 20_000, mean=0.8)]
    assert np.mean(sizes) == pytest.approx(0.8, abs=3 * np.std(sizes) / math.sqrt(20_000))


@pytest.mark.parametrize("count", [2, 3, 6, 10, 30, 300])
@pytest.mark.parametrize("level", [0.05, 0.01, 0.05 / 40])
def test_the_detectable_difference_has_power_80_by_scipys_noncentral_t(
    count: int, level: float
) -> None:
    noncentrality = detectable_difference(2.0, count, level) / 2.0 * math.sqrt(count)
    critical = stats.t.isf(level / 2, count - 1)
    power = stats.nct.sf(critical, count - 1, noncentrality)
    # The other tail is too small for scipy: 1e-4 at two values, otherwise below 1e-6.
    assert power == pytest.approx(0.8, abs=2e-4 if count == 2 else 1e-6)


def test_the_detectable_difference_equals_published_power_tables() -> None:
    # d = 0.5 at two-sided 5% needs 34 pairs for power 0.8, d = 0.8 needs 15 (Cohen 1988, G*Power).
    for size, needed in ((0.5, 34), (0.8, 15)):
        assert detectable_difference(1.0, needed) < size < detectable_difference(1.0, needed - 1)


@pytest.mark.parametrize("level", [0.05, 0.01])
@pytest.mark.parametrize("count", [3, 6, 10])
def test_the_detectable_difference_is_shown_with_80_percent_power(count: int, level: float) -> None:
    experiments = 2000
    gap = detectable_difference(1.0, count, level)
    shown = np.mean([t_test(x) <= level for x in normal(count, experiments, gap)])
    assert within_monte_carlo_error(float(shown), 0.8, experiments)


@pytest.mark.parametrize("level", [0.05, 0.01])
@pytest.mark.parametrize("count", [3, 6, 10])
def test_equal_variants_are_equivalent_within_the_detectable_margin_with_80_percent_power(
    count: int, level: float
) -> None:
    experiments = 2000
    margin = detectable_margin(1.0, count, level)
    shown = np.mean([equivalence_test(x, margin) <= level for x in normal(count, experiments)])
    assert within_monte_carlo_error(float(shown), 0.8, experiments)


def test_one_value_has_a_mean_but_no_interval() -> None:
    one = estimate_mean([3.0])
    assert (one.mean, one.half, one.interval, one.deviation) == (3.0, None, None, None)
    assert effect_size([3.0]) is None
    with pytest.raises(ValueError, match="at least 2 values are needed, not 1"):
        t_test([3.0])
    with pytest.raises(ValueError, match="at least 1 values are needed, not 0"):
        estimate_mean([])


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_values_that_are_not_finite_are_refused(value: float) -> None:
    for function in (estimate_mean, t_test, effect_size):
        with pytest.raises(ValueError, match=f"values must be finite, not {value}"):
            function([1.0, value])


@pytest.mark.parametrize("count", [2, 6])
def test_without_spread_the_test_is_certain(count: int) -> None:
    # 1.1 - 1.0 and 5.1 - 5.0 differ by rounding, and are the same difference all the same.
    gaps = [1.1 - 1.0, 5.1 - 5.0, 3.1 - 3.0, 4.1 - 4.0, 2.1 - 2.0, 6.1 - 6.0][:count]
    assert len(set(gaps)) > 1
    assert t_test(gaps) == t_test(gaps, alternative="greater") == 0
    assert t_test(gaps, alternative="less") == 1
    assert t_test(gaps, 0.1) == 1
    assert t_test(gaps, 0.1, "greater") == 0.5
    assert equivalence_test(gaps, 0.2) == 0
    assert equivalence_test(gaps, 0.05) == 1
    assert estimate_mean(gaps).half == 0
    assert effect_size(gaps) is None


def test_equal_pairs_are_equivalent_and_not_different() -> None:
    assert t_test([0.0] * 6) == 1
    assert equivalence_test([0.0] * 6, 0.01) == 0


def test_tiny_differences_keep_their_spread() -> None:
    assert t_test([1e-200, -3e-200, 2e-200]) == pytest.approx(t_test([1.0, -3.0, 2.0]))
