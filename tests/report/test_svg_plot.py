"""A plot as an element of a page."""

import re
from xml.etree import ElementTree

import pytest

from rnnlab.report.scales import Scale
from rnnlab.report.svg_plot import (
    COLOURS,
    HEIGHT,
    INK,
    LEFT,
    RIGHT,
    WIDTH,
    Plot,
    series_colour,
)

X, Y = Scale("epochs", 0, 5), Scale("bits", 1, 3)


def drawn(name: str = "plot", label: str = "a picture") -> str:
    plot = Plot(X, Y)
    plot.axes.plot([0, 1], [1, 2], color=series_colour(3), marker="o", alpha=0.16)
    plot.text(10.25, HEIGHT - 20, "2.140 <b>", INK, "end")
    return plot.svg(name, label)


def test_the_ends_of_the_scales_are_in_the_corners() -> None:
    plot = Plot(X, Y)
    (x0, y0), (x1, y1) = plot.pixels(0, 1), plot.pixels(5, 3)
    assert (x0, x1) == pytest.approx((LEFT, WIDTH - RIGHT))
    assert 0 < y0 < y1 < HEIGHT


@pytest.mark.parametrize(
    ("scale", "values", "shares"),
    [
        (Scale("", 0, 10), (0, 2.5, 10), (0, 0.25, 1)),
        (Scale("", 1, 1e4, log=True), (1, 10, 1e4), (0, 0.25, 1)),
        (Scale("", -0.5, 2.5, names=("a", "b", "c")), (0, 1, 2), (1 / 6, 3 / 6, 5 / 6)),
    ],
)
def test_values_are_placed_evenly_on_their_scale(
    scale: Scale, values: tuple[float, ...], shares: tuple[float, ...]
) -> None:
    plot = Plot(scale, Y)
    places = [(plot.pixels(value, 1)[0] - LEFT) / (WIDTH - RIGHT - LEFT) for value in values]
    assert places == pytest.approx(shares)


def test_both_axes_have_ticks_and_a_label() -> None:
    words = [text.text for text in ElementTree.fromstring(drawn()).iter("text")]
    assert words == ["1", "1.5", "2", "2.5", "3", "0", "1", "2", "3", "4", "5", "bits", "epochs",
                     "2.140 <b>"]  # fmt: skip


def test_colours_are_those_of_the_page() -> None:
    svg = drawn()
    assert "stroke: var(--series-3)" in svg
    assert '<text x="10.2" y="20.0" text-anchor="end" style="fill: var(--ink)">' in svg
    assert not set(COLOURS) & set(re.findall(r"#\w{6}", svg))


def test_it_refers_to_nothing_elsewhere_and_has_no_style_for_the_page() -> None:
    svg = drawn()
    assert "http" not in svg
    assert "<style" not in svg
    assert "<metadata" not in svg


def test_ids_begin_with_the_name_of_the_plot_and_references_find_them() -> None:
    root = ElementTree.fromstring(drawn("speed"))
    ids = {element.attrib["id"] for element in root.iter() if "id" in element.attrib}
    assert ids
    assert all(each.startswith("speed-") for each in ids)
    used = re.findall(r'url\(#([^)]*)\)|href="#([^"]*)"', drawn("speed"))
    assert used
    assert {"".join(each) for each in used} <= ids


def test_numbers_in_text_and_style_are_left_alone() -> None:
    svg = drawn()
    assert "2.140 &lt;b&gt;" in svg
    assert "opacity: 0.16" in svg


def test_labels_are_escaped_and_the_same_plot_is_the_same_text() -> None:
    assert 'aria-label="a &lt;b&gt; &#34;c&#34;"' in drawn(label='a <b> "c"')
    assert drawn() == drawn()
