"""The learning curves of a run, as SVG."""

import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rnnlab.files import read_json, write_atomically
from rnnlab.runs.files import CURVES, RESULT, read_metrics

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def curve_figure(directory: Path) -> "Figure":
    """Draw a run's training and held-out curves, and its baselines as straight lines."""
    from matplotlib.figure import Figure

    metrics = read_metrics(directory)
    training = [line for line in metrics if line["kind"] == "train"]
    held_out = [line for line in metrics if line["kind"] == "held-out"]
    ratio = _bits_per_nat(held_out)
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    axes.plot(
        [line["step"] for line in training],
        [line["nats_per_token"] * ratio for line in training],
        color="#8a8a8a", linewidth=1, label="training (with dropout, if any)",
    )  # fmt: skip
    if held_out:
        axes.plot(
            [line["step"] for line in held_out],
            [line["bits_per_character"] for line in held_out],
            color="#1f5fbf", marker="o", markersize=3,
            label=f"held out: validation, {held_out[0]['context']}",
        )  # fmt: skip
    for name, style in (("ngram", "--"), ("xz", ":")):
        if (bits := _baseline(directory, name)) is not None:
            axes.axhline(
                bits, color="#c0571f", linestyle=style, linewidth=1, label=f"{name} {bits:.2f}"
            )
    axes.set_xlabel("step")
    axes.set_ylabel("bits per character" if held_out else "bits per token")
    axes.grid(alpha=0.25)
    if training:
        axes.legend(frameon=False)
    axes.set_title(directory.name, loc="left", fontsize=10)
    return figure


def draw_curves(directory: Path) -> str:
    """Return the curves of a run as SVG."""
    buffer = io.StringIO()
    curve_figure(directory).savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()


def save_curves(directory: Path) -> Path:
    """Write curves.svg into a run directory."""
    file = directory / CURVES
    write_atomically(file, draw_curves(directory).encode())
    return file


def _bits_per_nat(held_out: Sequence[dict[str, Any]]) -> float:
    """Return bits per character for one nat per token, or bits per token without held-out text."""
    if not held_out:
        return 1 / math.log(2)
    return float(held_out[-1]["bits_per_character"] / held_out[-1]["nats_per_token"])


def _baseline(directory: Path, name: str) -> float | None:
    file = directory / RESULT
    evaluations = read_json(file)["evaluations"] if file.is_file() else []
    for record in evaluations:
        if record["split"] == "validation" and name in record["baselines"]:
            return float(record["baselines"][name]["bits_per_character"])
    return None
