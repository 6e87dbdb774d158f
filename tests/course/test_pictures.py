"""Pictures have no background, and nothing in them is black or white."""

import re

import numpy as np

from rnnlab.course.pictures import BLUE, INK, ORANGE, heat_map, picture


def test_a_picture_is_readable_on_any_page() -> None:
    figure, axes = picture("what was found", "updates", "bits")
    axes.plot([0, 1], [2, 3], label="a line")
    axes.legend()
    svg = figure._repr_svg_()
    colours = set(re.findall(r"#[0-9a-f]{6}\b", svg))
    assert colours <= {INK, BLUE}, colours
    assert figure._repr_svg_() == svg


def test_a_heat_map_is_clear_at_zero() -> None:
    figure, axes = picture("units", "text", "gates")
    heat_map(axes, [[-1, 0], [0.5, 2]], ["f", "h"], "ab")
    (image,) = axes.images
    array = np.asarray(image.get_array())
    np.testing.assert_array_equal(array[..., 3], [[1, 0], [0.5, 1]])
    ends = [np.rint(255 * array[place][:3]).astype(np.uint8) for place in ((0, 0), (1, 1))]
    assert [f"#{end.tobytes().hex()}" for end in ends] == [BLUE, ORANGE]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["a", "b"]
    assert "<svg" in figure._repr_svg_()
