"""Lines, their labels, and their description for screen readers."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import LinearConstraint, minimize

from rnnlab.report.curve_bands import Band
from rnnlab.report.line_plot import DASHES, Level, Line, line_plot, line_swatch, spread_out
from rnnlab.report.scales import Scale
from rnnlab.report.svg_plot import SERIES, Plot

X, Y = Scale("epochs", 0, 10), Scale("bits", 1, 3)


def line(number: int, series: int, middle: list[float], half: float = 0.1) -> Line:
    ys = np.array(middle)
    return Line(
        number, f"variant {number}", series, Band(np.array([0.0, 5, 10]), ys, ys - half, ys + half)
    )


def test_a_plot_is_well_formed_and_says_what_it_shows() -> None:
    lines = [line(1, 0, [3, 2, 1.5]), line(4, 1, [3, 2.5, 2.25])]
    svg = line_plot("held-out", Plot(X, Y), lines, Level(2.0, "6-gram 2.000"))
    root = ElementTree.fromstring(svg)
    assert root.attrib["role"] == "img"
    assert root.attrib["aria-label"] == (
        "bits against epochs; at the end: variant 1 1.5, variant 4 2.25, 6-gram 2.000"
    )
    texts = [text.text for text in root.iter("text")]
    assert {"bits", "epochs", "6-gram 2.000", "1", "4", "0", "10"} <= set(texts)


def test_lines_run_through_their_points() -> None:
    svg = line_plot("p", Plot(X, Y), [line(1, 1, [3, 2, 1])])
    (path,) = re.findall(
        r'd="([^"]*)"[^>]*style="[^"]*fill: none[^"]*stroke: var\(--series-1\)', svg
    )
    points = np.array(re.findall(r"[ML] ([\d.]+) ([\d.]+)", path), dtype=float)
    assert len(points) == 3
    assert np.diff(points, axis=0) == pytest.approx(np.array([[162, 104], [162, 104]]), abs=0.2)


def test_the_reference_and_a_single_seed_have_no_band() -> None:
    lone = line(2, 1, [3, 2, 1], half=float("nan"))
    svg = line_plot("p", Plot(X, Y), [line(1, 0, [3, 2, 1]), lone, line(3, 2, [3, 2, 1])])
    filled = re.findall(r"fill: var\(--series-(\d)\); fill-opacity: 0.16", svg)
    assert filled == ["2"]


def test_series_also_differ_in_their_dashes() -> None:
    assert len(DASHES) == SERIES + 1
    assert len(set(DASHES[1:])) == SERIES
    swatches = [line_swatch(series) for series in range(1, SERIES + 1)]
    assert len({re.sub(r"--series-\d", "", swatch) for swatch in swatches}) == SERIES
    svg = line_plot("p", Plot(X, Y), [line(s, s, [3, 2, 1]) for s in range(1, SERIES + 1)])
    for series in range(2, SERIES + 1):
        (dashes,) = re.findall(r"stroke-dasharray: ([^;\"]*)", swatches[series - 1])
        assert f"stroke-dasharray: {dashes.replace(' ', ',')};" in svg


@given(st.lists(st.floats(0, 100), min_size=1, max_size=7))
def test_labels_are_spread_as_little_as_possible(positions: list[float]) -> None:
    gap, low, high = 12.0, 0.0, 100.0
    placed = np.array(spread_out(positions, gap, low, high))
    order = np.argsort(positions, kind="stable")
    assert (np.diff(placed[order]) >= gap - 1e-9).all()
    assert placed.min() >= low - 1e-9
    assert placed.max() <= high + 1e-9
    count = len(positions)
    differences = np.eye(count)[order][1:] - np.eye(count)[order][:-1]
    constraints = [LinearConstraint(differences, lb=gap)] if count > 1 else []
    best = minimize(
        lambda y: float(((y - positions) ** 2).sum()), x0=placed, jac=lambda y: 2 * (y - positions),
        bounds=[(low, high)] * count, constraints=constraints, method="SLSQP",
    )  # fmt: skip
    cost = float(((placed - positions) ** 2).sum())
    assert cost <= best.fun + 1e-3


def test_labels_without_room_keep_their_distance() -> None:
    assert spread_out([5.0, 5.0, 5.0], 10, 0, 10) == [0, 10, 20]


def test_a_plot_can_be_drawn_on_again() -> None:
    plot, lines = Plot(X, Y), [line(1, 1, [3, 2, 1])]
    line_plot("other", plot, [line(2, 2, [1, 2, 3])], Level(2.0, "6-gram 2.000"))
    assert line_plot("p", plot, lines) == line_plot("p", Plot(X, Y), lines)
