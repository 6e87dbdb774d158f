"""Correlations and their null, against scipy, a loop over shifts, and simulated chance."""

import numpy as np
import pytest
from scipy.signal import lfilter
from scipy.stats import binom, pearsonr, pointbiserialr

from rnnlab.probes.circular_shift import (
    FEWEST_SHIFTS,
    LEVEL,
    Null,
    correlations,
    draw_shifts,
    near_share,
    shifted_maxima,
)


def wander(random, tokens, columns, memory=0.95):
    """Values that depend on those before them, as the states of a network do."""
    noise = random.normal(size=(tokens + 200, columns))
    return lfilter([1], [1, -memory], noise, axis=0)[200:]


def test_correlations_are_scipys():
    random = np.random.default_rng(0)
    x = wander(random, 300, 4)
    y = np.column_stack([x[:, 0] + random.normal(size=300), wander(random, 300, 1)[:, 0]])
    yes = y[:, 1] > 0
    found = correlations(x, np.column_stack([y, yes]))
    for unit in range(4):
        for feature in range(2):
            expected = pearsonr(x[:, unit], y[:, feature]).statistic
            assert found[unit, feature] == pytest.approx(expected, abs=1e-12)
        assert found[unit, 2] == pytest.approx(pointbiserialr(yes, x[:, unit]).statistic, abs=1e-12)


@pytest.mark.parametrize("value", [0.0, 0.1, 1e30])
def test_a_unit_that_never_changes_follows_nothing(value):
    x = np.full((100, 1), value, np.float32)
    y = np.arange(100.0)[:, None]
    assert correlations(x, y) == 0
    assert (shifted_maxima(x, y, np.array([10, 20])) == 0).all()


def test_shifts_are_far_different_and_the_same_for_a_seed():
    shifts = draw_shifts(1000, 400, 300, seed=3)
    assert len(set(shifts.tolist())) == 400
    assert (shifts.min() >= 300, shifts.max() <= 700) == (True, True)
    assert (shifts == draw_shifts(1000, 400, 300, seed=3)).all()
    assert (shifts != draw_shifts(1000, 400, 300, seed=4)).any()
    assert set(draw_shifts(601, 2, 300, seed=0).tolist()) == {300, 301}


def test_the_largest_of_each_shift_is_that_of_a_loop():
    random = np.random.default_rng(1)
    x, y = wander(random, 200, 5), wander(random, 200, 3)
    shifts = draw_shifts(200, 21, 30, seed=0)
    found = shifted_maxima(x, y, shifts)
    for s, row in zip(shifts, found, strict=True):
        for feature in range(3):
            moved = np.array([y[(t - s) % 200, feature] for t in range(200)])
            expected = max(abs(np.corrcoef(x[:, unit], moved)[0, 1]) for unit in range(5))
            assert row[feature] == pytest.approx(expected, abs=1e-6)


def test_near_shifts_count_where_the_same_two_reach_as_much():
    random = np.random.default_rng(3)
    x, y = wander(random, 400, 3), wander(random, 400, 2)
    y[:, 1] = x[:, 2] + 0.1 * random.normal(size=400)
    found = near_share(x, y, 20)
    for unit in range(3):
        for feature in range(2):
            r = [
                abs(np.corrcoef(x[:, unit], np.roll(y[:, feature], s))[0, 1])
                for s in range(-20, 21)
            ]
            expected = np.mean(np.delete(r, 20) >= r[20]) * 40 / 400
            assert found[unit, feature] == pytest.approx(expected)
    assert found[2, 1] == 0  # it follows; r is largest without a shift
    null = Null.of(np.full((19, 1), 0.1), np.array([0.5]))
    assert null.p_values(np.array([0.5]), np.array([0]), np.array([0.2])) == pytest.approx(0.25)


def test_p_values_count_the_shifts_and_agree_with_the_thresholds():
    random = np.random.default_rng(2)
    maxima, observed = random.random((39, 3)) * [1, 0.1, 0.5], np.array([0.9, 0.2, 0.1])
    null = Null.of(maxima, observed)
    scales = np.quantile(np.vstack([maxima, observed]), 0.95, axis=0)
    largest = [max(row / scales) for row in maxima]
    for r in np.linspace(-1, 1, 81):
        for feature in range(3):
            p = null.p_values(np.array(r), np.array(feature))
            count = sum(value >= abs(r) / scales[feature] for value in largest)
            assert p == (1 + count) / 40
            assert (p <= LEVEL) == (abs(r) > null.thresholds[feature])


def test_with_the_fewest_shifts_only_the_largest_of_all_is_found():
    maxima = np.linspace(0.1, 0.5, FEWEST_SHIFTS)[:, None]
    null = Null.of(maxima, np.array([0.6]))
    assert null.thresholds == pytest.approx([0.5])
    assert Null.of(maxima[1:], np.array([0.6])).p_values(np.array(1.0), np.array(0)) > LEVEL


def chance_finds(tries, shuffled=False):
    """Count the searches among unrelated values that find something."""
    found = 0
    for seed in range(tries):
        random = np.random.default_rng(seed)
        x, y = wander(random, 800, 4), wander(random, 800, 3)
        y[:, 2] = y[:, 2] > 1.5 * y[:, 2].std()
        r = correlations(x, y)
        maxima = shifted_maxima(x, y, draw_shifts(800, 59, 100, seed))
        if shuffled:
            maxima = np.stack(
                [np.abs(correlations(x, random.permutation(y))).max(0) for _ in range(59)]
            )
        p = Null.of(maxima, np.abs(r).max(0)).p_values(r, np.arange(3)[None], near_share(x, y, 100))
        found += bool((p <= LEVEL).any())
    return found


def test_chance_is_found_in_at_most_one_of_twenty_searches():
    assert chance_finds(200) <= binom.ppf(0.999, 200, LEVEL)


def test_shuffling_would_find_it_nearly_always():
    assert chance_finds(20, shuffled=True) > 10
