"""Curves of several seeds: their mean and band."""

import math

import numpy as np
import pytest
from scipy import stats

from rnnlab.report.curve_bands import (
    MAX_POINTS,
    band,
    geometric_range,
    geometric_t_band,
    t_band,
)


def curve(xs: list[float], ys: list[float]) -> list[tuple[float, float]]:
    return list(zip(xs, ys, strict=True))


def test_band_is_the_t_interval_at_each_point() -> None:
    ys = [[3.0, 2.0, 1.5], [3.2, 2.1, 1.4], [2.9, 2.4, 1.6]]
    made = band([curve([1, 2, 3], each) for each in ys], t_band)
    assert made is not None
    assert made.x.tolist() == [1, 2, 3]
    expected = stats.t.interval(
        0.95, 2, loc=np.mean(ys, axis=0), scale=stats.sem(np.array(ys), axis=0)
    )
    assert made.middle == pytest.approx(np.mean(ys, axis=0))
    assert made.low == pytest.approx(expected[0])
    assert made.high == pytest.approx(expected[1])


def test_logarithms_give_geometric_means() -> None:
    perplexities = np.array([[2.0, 4.0], [8.0, 4.0]])
    curves = [curve([0, 1], list(np.log(row))) for row in perplexities]
    for summary in (geometric_t_band, geometric_range):
        made = band(curves, summary)
        assert made is not None
        assert made.middle == pytest.approx([4, 4])
    assert made.low == pytest.approx([2, 4])
    assert made.high == pytest.approx([8, 4])


def test_one_seed_has_a_line_and_no_band() -> None:
    made = band([curve([0, 1], [2.0, 1.0])], t_band)
    assert made is not None
    assert made.middle.tolist() == [2, 1]
    assert np.isnan(made.low).all()
    assert np.isnan(made.high).all()


def test_seeds_that_end_at_different_times_are_interpolated_where_all_have_values() -> None:
    made = band([curve([1, 2, 3, 4], [4, 3, 2, 1]), curve([1.5, 3.5], [1, 3])], t_band)
    assert made is not None
    assert made.x.tolist() == [2, 3]
    assert made.middle.tolist() == pytest.approx([(3 + 1.5) / 2, (2 + 2.5) / 2])


def test_curves_without_a_common_x_have_no_band() -> None:
    assert band([], t_band) is None
    assert band([[], []], t_band) is None
    assert band([curve([1, 2], [1, 1]), curve([3, 4], [1, 1])], t_band) is None
    assert band([[(1.0, math.nan)], [(1.0, math.inf)]], t_band) is None


def test_points_that_are_not_finite_are_dropped() -> None:
    made = band([curve([1, 2, 3], [5, math.nan, 3])], t_band)
    assert made is not None
    assert made.x.tolist() == [1, 3]


def test_long_curves_are_thinned_and_keep_their_ends() -> None:
    xs = [float(x) for x in range(1000)]
    made = band([curve(xs, xs)], t_band)
    assert made is not None
    assert len(made.x) == MAX_POINTS
    assert (made.x[0], made.x[-1]) == (0, 999)
    assert made.middle.tolist() == made.x.tolist()


def test_a_loss_beyond_floating_point_is_drawn_as_its_largest() -> None:
    made = band([curve([0], [1e6]), curve([0], [2e6])], geometric_t_band)
    assert made is not None
    assert np.isfinite(made.middle).all()
    assert np.isfinite(made.high).all()


def test_points_that_nearly_coincide_have_finite_values_between_them() -> None:
    near = [(0.0, 0.0), (1e-310, 1e300), (1.0, 0.0)]
    made = band([[(0.0, 0.0), (5e-311, 1.0), (1.0, 1.0)], near], t_band)
    assert made
    assert np.isfinite(made.middle).all()
