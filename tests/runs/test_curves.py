"""Learning curves as SVG."""

import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from rnnlab.runs.curves import DARK, curve_figure, draw_curves
from rnnlab.runs.files import read_metrics


@pytest.fixture
def lines(trained: tuple[Path, str]) -> dict[str, Any]:
    """The lines of a run's figure, by the first word of their label."""
    (axes,) = curve_figure(trained[0]).axes
    return {line.get_label().split()[0].rstrip(":"): line for line in axes.get_lines()}


def test_curves_of_a_run_show_training_held_out_and_baselines(
    trained: tuple[Path, str], lines: dict[str, Any]
) -> None:
    directory = trained[0]
    validation = json.loads((directory / "result.json").read_text())["evaluations"][0]
    order = validation["baselines"]["ngram"]["order"]
    assert {"training", "held", "best", f"{order}-gram", "xz"} <= lines.keys()
    (axes,) = curve_figure(directory).axes
    steps = [line["step"] for line in read_metrics(directory) if line["kind"] == "held-out"]
    assert list(lines["held"].get_xdata()) == steps
    assert axes.get_ylabel() == "bits per character"
    svg = (directory / "curves.svg").read_text()
    assert ElementTree.fromstring(svg).tag.endswith("svg")
    assert not re.search(r'(href|src)="http', svg), "opens without a network"


def test_the_best_evaluation_is_marked(trained: tuple[Path, str], lines: dict[str, Any]) -> None:
    content = (trained[0] / "metrics.jsonl").read_text()
    metrics = [json.loads(line) for line in content.splitlines()]
    bits, step = min((m["bits_per_character"], m["step"]) for m in metrics
                     if m["kind"] == "held-out")  # fmt: skip
    assert lines["best"].get_xydata().tolist() == [[step, bits]]
    assert f"{bits:.3f} at step {step}" in lines["best"].get_label()


def test_training_is_drawn_in_bits_per_character(
    trained: tuple[Path, str], lines: dict[str, Any]
) -> None:
    """One character is one token here, and none is unknown."""
    content = (trained[0] / "metrics.jsonl").read_text()
    metrics = [json.loads(line) for line in content.splitlines()]
    nats = [m["nats_per_token"] for m in metrics if m["kind"] == "train"]
    assert (lines["training"].get_ydata() / nats).tolist() == pytest.approx(
        [1.4427] * len(nats), rel=1e-4
    )


def test_no_two_curves_look_alike_and_the_legend_covers_none(
    trained: tuple[Path, str], lines: dict[str, Any]
) -> None:
    looks = [(line.get_color(), line.get_linestyle()) for line in lines.values()]
    assert len(set(looks)) == len(looks)
    baselines = [line.get_color() for name, line in lines.items() if name.endswith(("gram", "xz"))]
    assert len(set(baselines)) == len(baselines) == 2
    figure = curve_figure(trained[0])
    figure.draw_without_rendering()
    (legend,), (axes,) = figure.legends, figure.axes
    assert not legend.get_window_extent().overlaps(axes.get_window_extent())


def test_the_title_names_run_model_and_text(trained: tuple[Path, str]) -> None:
    (axes,) = curve_figure(trained[0]).axes
    assert axes.get_title(loc="left") == f"{trained[0].name}: 1 x lstm 32 on pets.txt"


def test_every_colour_has_a_dark_form(trained: tuple[Path, str]) -> None:
    svg = draw_curves(trained[0])
    drawn = set(
        re.findall(r"#[0-9a-f]{6}", re.sub(r"<style>.*?</style>", "", svg, flags=re.DOTALL))
    )
    assert drawn <= DARK.keys()
    assert "prefers-color-scheme: dark" in svg


def test_a_run_without_metrics_is_drawn_too(tmp_path: Path) -> None:
    assert draw_curves(tmp_path).startswith("<?xml")
