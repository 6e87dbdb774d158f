"""Points and their labels."""

from xml.etree import ElementTree

import numpy as np
import pytest

from rnnlab.report.scales import Scale, scale_for
from rnnlab.report.scatter_plot import (
    MARKERS,
    SIZE,
    Mean,
    Point,
    label_places,
    marker_swatch,
    scatter_plot,
    slice_plot,
)
from rnnlab.report.svg_plot import SERIES, TEXT


def test_points_are_drawn_labelled_and_described() -> None:
    points = [
        Point(3, "LSTM", 1, Mean(1e5, 0.9e5, 1.1e5), Mean(2.0, 1.9, 2.1)),
        Point(12, "<GRU>", 2, Mean(2e5, 2e5, 2e5), Mean(2.5, 2.5, 2.5)),
    ]
    scales = scale_for("tokens/s", [1e5, 2e5], log=True), scale_for("bits", [2.0, 2.5])
    root = ElementTree.fromstring(scatter_plot("speed", *scales, points))
    assert root.attrib["aria-label"] == (
        "bits against tokens/s: LSTM 2 at 1e+05, <GRU> 2.5 at 2e+05"
    )
    assert {"3", "12"} <= {text.text for text in root.iter("text")}


def test_markers_differ_in_shape() -> None:
    assert len(set(MARKERS)) == SERIES
    swatches = [ElementTree.fromstring(marker_swatch(series + 1)) for series in range(SERIES)]
    assert len({swatch[0].attrib["points"] for swatch in swatches}) == SERIES


@pytest.mark.parametrize("count", [1, 5, 20])
def test_labels_cover_neither_points_nor_each_other(count: int) -> None:
    rng = np.random.default_rng(count)
    points = [(float(x), float(y)) for x, y in rng.uniform(0, 300, (count, 2))]
    places = label_places(points, ["88"] * count)
    for i, (x, y) in enumerate(places):
        for j, (px, py) in enumerate(points):
            assert abs(x - px) > (SIZE + TEXT) / 2 or abs(y - py) > (SIZE + TEXT) / 2, (i, j)
        for other in places[:i]:
            assert abs(x - other[0]) >= 1.2 * TEXT or abs(y - other[1]) >= TEXT


@pytest.mark.parametrize("spread", [0.0, 3.0, 20.0])
def test_labels_of_points_on_one_spot_do_not_cover_each_other(spread: float) -> None:
    rng = np.random.default_rng(1)
    points = [(200 + float(x), 150 + float(y)) for x, y in rng.uniform(0, 1, (20, 2)) * spread]
    places = label_places(points, [str(n) for n in range(20)], (46, 38, 370, 286))
    for i, (x, y) in enumerate(places):
        for px, py in places[:i]:
            assert abs(x - px) >= 1.2 * TEXT / 2 or abs(y - py) >= TEXT
        assert 40 < x < 376
        assert 32 < y < 292


def test_a_label_far_from_its_point_is_connected_with_it() -> None:
    same = Mean(1e5, 1e5, 1e5), Mean(2.0, 2.0, 2.0)
    scales = scale_for("tokens/s", [1e4, 1e6], log=True), scale_for("bits", [1.0, 3.0])
    drawn = [
        scatter_plot("speed", *scales, [Point(n, f"v{n}", 1, *same) for n in range(count)])
        for count in (1, 15)
    ]
    lines = [plot.count("stroke-width: 0.5") for plot in drawn]
    assert lines[0] == 0
    assert lines[1] >= 5


def test_trials_the_best_and_those_without_a_figure_are_drawn() -> None:
    points, scales = (
        [(0.1, 3.0), (0.4, 2.0), (0.2, 2.5)],
        (Scale("dropout", 0, 0.5), Scale("bits", 2, 3)),
    )
    root = ElementTree.fromstring(slice_plot("slice-0", *scales, points, [0.3, 0.05], best=1))
    assert root.attrib["aria-label"] == "bits against dropout; the best: 2 at 0.4"
    style = [element.attrib.get("style", "") for element in root.iter()]
    assert sum("fill: var(--series-1)" in each for each in style) == 3
    assert sum("fill: var(--series-2)" in each for each in style) == 1
    without = ElementTree.fromstring(slice_plot("slice-0", *scales, points, [], best=1))
    assert len(list(without.iter())) < len(list(root.iter()))
