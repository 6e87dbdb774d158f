"""An outcome against one searched setting."""

from xml.etree import ElementTree

import pytest

from rnnlab.experiments.settings import Range
from rnnlab.report.plot_frame import linear
from rnnlab.report.slice_plot import setting_scale, slice_plot


@pytest.mark.parametrize(
    ("span", "values", "shares"),
    [
        (Range(low=1, high=100, log=True), (1, 10, 100), (0, 0.5, 1)),
        (Range(low=0.0, high=0.8), (0.0, 0.4, 0.8), (0, 0.5, 1)),
        (Range(choices=("adam", True, 3)), (0, 1, 2), (1 / 6, 3 / 6, 5 / 6)),
    ],
)
def test_all_of_a_range_has_its_place(
    span: Range, values: tuple[float, ...], shares: tuple[float, ...]
) -> None:
    scale = setting_scale("setting", span)
    assert scale.share(values).tolist() == pytest.approx(shares, abs=0.03)


def test_choices_are_named() -> None:
    scale = setting_scale("optimizer", Range(choices=("adam", True, 3)))
    assert [scale.words(tick) for tick in scale.ticks()] == ["adam", "true", "3"]


def test_points_the_best_and_what_has_no_figure_are_drawn() -> None:
    points = [(0.1, 3.0), (0.4, 2.0), (0.2, 2.5)]
    plot = slice_plot(
        "slice-0", "dropout", Range(low=0.0, high=0.5), linear("bits", [2.0, 3.0]),
        points, [0.3, 0.05], best=1,
    )  # fmt: skip
    root = ElementTree.fromstring(plot)
    assert root.attrib["aria-label"] == "bits against dropout; the best: 2 at 0.4"
    style = [element.attrib.get("style", "") for element in root.iter()]
    assert sum("fill: var(--series-1)" in each for each in style) == 3
    assert sum("fill: var(--series-2)" in each for each in style) == 1
    without = slice_plot(
        "slice-0", "dropout", Range(low=0.0, high=0.5), linear("bits", [2.0, 3.0]),
        points, [], best=1,
    )  # fmt: skip
    assert len(list(ElementTree.fromstring(without).iter())) < len(list(root.iter()))
