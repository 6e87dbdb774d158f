"""Scales: their ends and ticks, and which values they leave out."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnlab.report.scales import Scale, scale_for, without_outliers


@pytest.mark.parametrize(
    ("values", "kept"),
    [
        ([2.0, 2.1, 2.3, 9e100, 8e90], [2.0, 2.1, 2.3]),
        ([2.0, 9e100], [2.0, 9e100]),
        ([2.0, 2.001, 2.4], [2.0, 2.001, 2.4]),
        ([0.9, 1.4, 4.8, 6.1, 0.9, 1.0, 0.8], [0.9, 1.4, 4.8, 6.1, 0.9, 1.0, 0.8]),
    ],
    ids=["far off", "only two", "near all the same", "wide apart"],
)
def test_outliers_that_would_squash_the_others_are_dropped(
    values: list[float], kept: list[float]
) -> None:
    assert without_outliers(values) == kept
    assert without_outliers([1e5, 1.1e5, 1.2e5, 1e-40, 9e99], log=True) == [1e5, 1.1e5, 1.2e5]


@given(st.floats(allow_nan=False), st.booleans())
def test_every_value_can_be_placed_on_its_side_of_the_axis(value: float, log: bool) -> None:
    near = float(Scale("", 1, 3, log).near(value))
    assert (near < 1) == (value < 1)
    assert (near > 3) == (value > 3)
    assert near == value or abs(near) < 1e6
    assert near > 0 or not log


@given(
    low=st.floats(-1e6, 1e6),
    size=st.floats(1e-3, 1e6),
    log=st.booleans(),
    decades=st.floats(0.01, 40),
)
def test_every_scale_has_a_handful_of_ticks(
    low: float, size: float, log: bool, decades: float
) -> None:
    scale = scale_for("", [1e-12, 1e-12 * 10**decades] if log else [low, low + size], log=log)
    ticks = scale.ticks()
    assert 2 <= len(ticks) <= 9
    assert ticks == sorted(ticks)
    assert len({scale.tick_label(tick) for tick in ticks}) == len(ticks)
    assert all(scale.low <= tick <= scale.high for tick in ticks)


@pytest.mark.parametrize("log", [False, True])
def test_a_single_value_is_in_the_middle(log: bool) -> None:
    scale = scale_for("", [2.0, 2.0], log=log)
    assert scale.low < 2 < scale.high
    middle = math.sqrt(scale.low * scale.high) if log else (scale.low + scale.high) / 2
    assert math.isclose(middle, 2)


@pytest.mark.parametrize(
    ("value", "words"),
    [(0.01, "0.01"), (100_000, "100,000"), (1e-6, "10⁻⁶"), (3e-12, "3·10⁻¹²"), (1e8, "10⁸")],
)
def test_labels_of_a_logarithmic_axis(value: float, words: str) -> None:
    assert Scale("", 1e-14, 1e9, log=True).tick_label(value) == words


def test_labels_of_a_linear_axis() -> None:
    scale = Scale("", -2, 5000)
    assert [scale.tick_label(v) for v in (-2, 0, 0.25, 2500)] == ["-2", "0", "0.25", "2,500"]


def test_a_scale_of_choices_has_a_tick_for_each_name() -> None:
    scale = Scale("optimizer", -0.5, 2.5, names=("adam", "true", "3"))
    assert [scale.tick_label(tick) for tick in scale.ticks()] == ["adam", "true", "3"]
