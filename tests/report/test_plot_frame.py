"""Scales: where values are placed, and which ticks are shown."""

import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnlab.report.plot_frame import (
    HEIGHT,
    LEFT,
    RIGHT,
    WIDTH,
    Frame,
    Scale,
    linear,
    logarithmic,
    near,
)


def test_places_are_even_on_their_scale() -> None:
    assert Scale("", 0, 10).share([0, 2.5, 10]).tolist() == [0, 0.25, 1]
    assert Scale("", 1, 1e4, "log").share([1, 10, 1e4]).tolist() == pytest.approx([0, 0.25, 1])


def test_a_frame_places_the_ends_of_its_scales_in_its_corners() -> None:
    frame = Frame(Scale("x", 0, 5), Scale("y", 1, 3))
    (x0, y0), (x1, y1) = frame.place([0, 5], [1, 3])
    assert (x0, x1) == (LEFT, WIDTH - RIGHT)
    assert 0 < y0 < y1 < HEIGHT


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
def test_an_axis_is_made_without_what_would_squash_the_others(
    values: list[float], kept: list[float]
) -> None:
    assert near(values) == kept
    assert near([1e5, 1.1e5, 1.2e5, 1e-40, 9e99], log=True) == [1e5, 1.1e5, 1.2e5]


@given(st.floats(allow_nan=False), st.sampled_from(["linear", "log"]))
def test_everything_has_a_place(value: float, kind: str) -> None:
    scale = Scale("", 1, 3) if kind == "linear" else Scale("", 1, 3, "log")
    share = float(scale.share([value])[0])
    assert (share < 0) == (value < 1)
    assert (share > 1) == (value > 3)
    assert math.isfinite(share)


@given(
    low=st.floats(-1e6, 1e6),
    size=st.floats(1e-3, 1e6),
    log=st.booleans(),
    decades=st.floats(0.01, 40),
)
def test_every_scale_has_a_handful_of_ticks(
    low: float, size: float, log: bool, decades: float
) -> None:
    scale = logarithmic("", [1e-12, 1e-12 * 10**decades]) if log else linear("", [low, low + size])
    ticks = scale.ticks()
    assert 2 <= len(ticks) <= 9
    assert ticks == sorted(ticks)
    assert len({scale.words(tick) for tick in ticks}) == len(ticks)
    assert all(scale.low <= tick <= scale.high for tick in ticks)


@pytest.mark.parametrize("make", [linear, logarithmic])
def test_a_single_value_has_room_around_it(make: Callable[..., Scale]) -> None:
    scale = make("", [2.0, 2.0])
    assert scale.low < 2 < scale.high
    assert math.isclose(float(scale.share([2.0])[0]), 0.5, abs_tol=0.01)


@pytest.mark.parametrize(
    ("value", "words"),
    [(0.01, "0.01"), (100_000, "100,000"), (1e-6, "10⁻⁶"), (3e-12, "3·10⁻¹²"), (1e8, "10⁸")],
)
def test_labels_of_a_logarithmic_axis(value: float, words: str) -> None:
    assert Scale("", 1e-14, 1e9, "log").words(value) == words


def test_labels_of_a_linear_axis() -> None:
    scale = Scale("", -2, 5000)
    assert [scale.words(v) for v in (-2, 0, 0.25, 2500)] == ["-2", "0", "0.25", "2,500"]
