"""Pictures have no background, and nothing in them is black or white."""

import re
from pathlib import Path

import numpy as np

from rnnlab.course.pictures import BLUE, INK, ORANGE, heat_map, picture

ROOT = Path(__file__).parents[2]


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


def test_chapters_draw_with_it_and_say_what_is_seen() -> None:
    pages = [*(ROOT / "docs" / "course").glob("*.md"), *(ROOT / "docs/zh/course").glob("*.md")]
    found = 0
    for page in pages:
        for cell in re.findall(r"```\{code-cell\}.*?\n```", page.read_text("utf-8"), re.DOTALL):
            assert "pyplot" not in cell
            if " = picture(" in cell:
                found += 1
                assert re.search(
                    r"^:mystnb: \{image: \{alt: \"[^\"]{20,}\"\}\}$", cell, re.MULTILINE
                )
    assert found > 10
