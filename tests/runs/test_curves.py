"""Learning curves as SVG."""

import re
from pathlib import Path
from xml.etree import ElementTree

from rnnlab.runs.curves import curve_figure, draw_curves
from rnnlab.runs.files import read_metrics


def test_curves_of_a_run_show_training_held_out_and_baselines(trained: tuple[Path, str]) -> None:
    directory = trained[0]
    axes = curve_figure(directory).axes[0]
    labels = [line.get_label() for line in axes.get_lines()]
    assert [label.split()[0] for label in labels] == ["training", "held", "ngram", "xz"]
    held_out = axes.get_lines()[1]
    steps = [line["step"] for line in read_metrics(directory) if line["kind"] == "held-out"]
    assert list(held_out.get_xdata()) == steps
    assert axes.get_ylabel() == "bits per character"
    svg = (directory / "curves.svg").read_text()
    assert ElementTree.fromstring(svg).tag.endswith("svg")
    assert not re.search(r'(href|src)="http', svg), "opens without a network"


def test_a_run_without_metrics_is_drawn_too(tmp_path: Path) -> None:
    assert draw_curves(tmp_path).startswith("<?xml")
