"""Learning curves as SVG."""

import json
import re
import shutil
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from command_line import TINY, Cli

from rnnlab.runs import writer
from rnnlab.runs.curves import DARK, curve_figure, draw_curves, save_curves
from rnnlab.runs.files import read_metrics

BASELINES = {
    "ngram": {"order": 6, "smoothing": "modified Kneser-Ney", "bits_per_character": 0.61},
    "ppmd": {"order": 6, "bits_per_character": 0.62},
    "xz": {"bits_per_character": 0.75},
}


@pytest.fixture(scope="module")
def run(trained: tuple[Path, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with baselines that a text of its length may not have."""
    directory = tmp_path_factory.mktemp("copy") / "pets"
    shutil.copytree(trained[0], directory)
    result = json.loads((directory / "result.json").read_text())
    for record in result["evaluations"]:
        record["baselines"] = BASELINES
    (directory / "result.json").write_text(json.dumps(result))
    return directory


@pytest.fixture
def lines(run: Path) -> dict[str, Any]:
    """The lines of a run's figure, by the first word of their label."""
    (axes,) = curve_figure(run).axes
    return {re.split("[:, ]", line.get_label())[0]: line for line in axes.get_lines()}


def test_curves_of_a_run_show_training_held_out_and_baselines(
    trained: tuple[Path, str], lines: dict[str, Any]
) -> None:
    directory = trained[0]
    assert list(lines) == ["training", "held", "best", "6-gram", "PPMd", "xz"]
    assert [lines[name].get_ydata()[0] for name in ("6-gram", "PPMd", "xz")] == [0.61, 0.62, 0.75]
    (axes,) = curve_figure(directory).axes
    steps = [line["step"] for line in read_metrics(directory) if line["kind"] == "held-out"]
    assert list(lines["held"].get_xdata()) == steps
    assert axes.get_ylabel() == "bits per character"


def test_a_run_draws_its_curves(
    cli: Cli, text_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "save_curves", save_curves)
    done = cli(
        "train", "--corpus", str(text_file), *TINY, "--max-tokens", "400", "--run-dir",
        str(tmp_path / "run"),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    svg = (tmp_path / "run" / "curves.svg").read_text()
    assert ElementTree.fromstring(svg).tag.endswith("svg")
    assert not re.search(r'(href|src)="http', svg), "opens without a network"
    assert svg == draw_curves(tmp_path / "run")


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
    run: Path, lines: dict[str, Any]
) -> None:
    looks = [(line.get_color(), line.get_linestyle()) for line in lines.values()]
    assert len(set(looks)) == len(looks)
    assert len({lines[name].get_color() for name in ("6-gram", "PPMd", "xz")}) == 3
    figure = curve_figure(run)
    figure.draw_without_rendering()
    (legend,), (axes,) = figure.legends, figure.axes
    assert not legend.get_window_extent().overlaps(axes.get_window_extent())


def test_the_title_names_run_model_and_text(trained: tuple[Path, str]) -> None:
    root = ElementTree.fromstring(draw_curves(trained[0]))
    titles = [element.text for element in root.iter() if element.tag.endswith("text")]
    assert titles == [f"{trained[0].name}: 1 x lstm 32 on pets.txt"]


def test_a_name_of_any_characters_is_a_title(tmp_path: Path) -> None:
    """Matplotlib's font lacks Chinese, XML has no control characters, and $ would be a formula."""
    directory = tmp_path / "中 $x$ <&> \x1b \udce9"
    directory.mkdir()
    svg = save_curves(directory).read_text(encoding="utf-8")
    titles = [e.text for e in ElementTree.fromstring(svg).iter() if e.tag.endswith("text")]
    assert titles == ["中 $x$ <&> ␛ \\udce9"]


def test_every_colour_has_a_dark_form(trained: tuple[Path, str]) -> None:
    svg = draw_curves(trained[0])
    drawn = set(
        re.findall(r"#[0-9a-f]{6}", re.sub(r"<style>.*?</style>", "", svg, flags=re.DOTALL))
    )
    assert drawn <= DARK.keys()
    assert "prefers-color-scheme: dark" in svg


def test_a_run_without_metrics_is_drawn_too(tmp_path: Path) -> None:
    assert draw_curves(tmp_path).startswith("<?xml")


def test_a_run_with_an_n_gram_model_shows_what_is_the_networks(run: Path, tmp_path: Path) -> None:
    directory = tmp_path / "joined"
    shutil.copytree(run, directory)
    result = json.loads((directory / "result.json").read_text())
    for number, record in enumerate(result["evaluations"]):
        record["parts"] = {"network": {}, "ngram": {}}
        record["bits_per_character"] = 0.5 + number
    (directory / "result.json").write_text(json.dumps(result))
    (axes,) = curve_figure(directory).axes
    found = {line.get_label(): line for line in axes.get_lines()}
    assert "held out: validation, windows:256, network alone" in found
    steps = [line["step"] for line in read_metrics(run) if line["kind"] == "held-out"]
    star = found["joined by its n-gram: 1.500"]
    assert (list(star.get_xdata()), list(star.get_ydata())) == ([steps[-1]], [1.5])
    assert "network alone" not in draw_curves(run)
