"""Learning curves as text and as SVG."""

import re
from pathlib import Path
from xml.etree import ElementTree

from rnnlab.runs.curves import BLOCKS, curve_figure, draw_curves, text_chart


def heights(lines: list[str]) -> list[int]:
    """Eighths of a line that each column is filled with."""
    columns = zip(*(line.partition("│")[2] for line in lines), strict=True)
    return [sum(BLOCKS.index(cell) for cell in column) for column in columns]


def test_text_chart_rises_with_its_values() -> None:
    lines = text_chart([1.0, 2.0, 3.0, 5.0], height=4)
    filled = heights(lines)
    assert filled[0] == 1
    assert filled[-1] == 4 * 8
    assert filled == sorted(filled)
    assert filled[1] - filled[0] < filled[3] - filled[2]
    assert lines[0].startswith("  5.000 │")
    assert lines[-1].startswith("  1.000 │")


def test_text_chart_of_many_values_keeps_its_width_and_of_none_is_nothing() -> None:
    assert len(heights(text_chart([float(i) for i in range(1000)], width=30))) == 30
    assert text_chart([]) == text_chart([float("nan")]) == []
    assert len(heights(text_chart([2.0, 2.0]))) == 2


def test_curves_of_a_run_show_training_held_out_and_baselines(trained: tuple[Path, str]) -> None:
    directory = trained[0]
    axes = curve_figure(directory).axes[0]
    labels = [line.get_label() for line in axes.get_lines()]
    assert [label.split()[0] for label in labels] == ["training", "held", "ngram", "xz"]
    held_out = axes.get_lines()[1]
    assert len(held_out.get_xdata()) == 4
    assert axes.get_ylabel() == "bits per character"
    svg = (directory / "curves.svg").read_text()
    assert ElementTree.fromstring(svg).tag.endswith("svg")
    assert not re.search(r'(href|src)="http', svg), "opens without a network"


def test_a_run_that_has_logged_nothing_still_draws(tmp_path: Path) -> None:
    assert draw_curves(tmp_path).startswith("<?xml")
