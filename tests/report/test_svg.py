"""A figure as an element of a page."""

import re
from xml.etree import ElementTree

from matplotlib.figure import Figure

from rnnlab.report.svg import COLOURS, INK, inline_svg, series_colour, svg_text


def drawn(name: str = "plot", label: str = "a picture") -> str:
    figure = Figure(figsize=(2, 1), dpi=72)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.plot([0, 1], [0, 1], color=series_colour(3), marker="o", alpha=0.16)
    return inline_svg(figure, [svg_text(10.25, 20, "2.140 <b>", INK, "end")], name, label)


def test_colours_are_the_page_s() -> None:
    svg = drawn()
    assert "stroke: var(--series-3)" in svg
    assert '<text x="10.2" y="20.0" text-anchor="end" style="fill: var(--ink)">' in svg
    assert not set(COLOURS) & set(re.findall(r"#\w{6}", svg))


def test_it_brings_no_reference_to_elsewhere_and_no_style_for_the_page() -> None:
    svg = drawn()
    assert "http" not in svg
    assert "<style" not in svg
    assert "<metadata" not in svg


def test_ids_are_those_of_the_picture_and_still_found() -> None:
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


def test_labels_are_escaped_and_the_same_figure_is_the_same_text() -> None:
    assert 'aria-label="a &lt;b&gt; &#34;c&#34;"' in drawn(label='a <b> "c"')
    assert drawn() == drawn()
