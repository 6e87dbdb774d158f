"""The learning curves of a run, as SVG."""

import html
import io
import math
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rnnlab.console import visible
from rnnlab.files import read_json, write_atomically
from rnnlab.lm.baseline_titles import baseline_title
from rnnlab.runs.files import CURVES, RESULT, RUN_CONFIG, read_metrics

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAPER, INK, GRID = "#fdfcf9", "#1c1b19", "#dcd8cf"
TRAINING, HELD_OUT = "#8b877f", "#0067a8"
BASELINES = ("#c44d00", "#00805c", "#a3437f", "#8a6a00")
DASHES = ("--", ":", "-.", (0, (1, 3)))
"""Of the baselines, so that they can be told apart in grey as well."""

DARK = {
    PAPER: "#151719", INK: "#e3e0d9", GRID: "#363839", TRAINING: "#a09c94", HELD_OUT: "#5aaeea",
    "#c44d00": "#ef8a4b", "#00805c": "#35bd94", "#a3437f": "#d68fbf", "#8a6a00": "#d9b44a",
}  # fmt: skip
"""What a colour becomes where the reader prefers dark pages."""

STYLE: dict[Any, str] = {
    "text.color": INK, "axes.labelcolor": INK, "axes.edgecolor": INK, "xtick.color": INK,
    "ytick.color": INK, "grid.color": GRID, "figure.facecolor": PAPER, "axes.facecolor": PAPER,
    "svg.hashsalt": "rnnlab",
}  # fmt: skip

SHOWN = ("ngram", "ppmd", "xz")
"""Baselines with a line, if the run has them."""


def curve_figure(directory: Path) -> "Figure":
    """Draw a run's training and held-out curves, and its baselines as straight lines."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator, StrMethodFormatter

    metrics = read_metrics(directory)
    training = [line for line in metrics if line["kind"] == "train"]
    held_out = [line for line in metrics if line["kind"] == "held-out"]
    with rc_context(STYLE):
        figure = Figure(figsize=(7, 4.6), layout="constrained")
        axes = figure.subplots()
        axes.plot(
            [line["step"] for line in training],
            [_training_bits(line, held_out) for line in training],
            color=TRAINING, linewidth=1, label="training (with dropout, if any)",
        )  # fmt: skip
        if held_out:
            steps = [line["step"] for line in held_out]
            bits = [line["bits_per_character"] for line in held_out]
            context = held_out[0]["context"]
            joined = _joined(directory, context)
            axes.plot(
                steps, bits, color=HELD_OUT, marker="o", markersize=3,
                label=f"held out: validation, {context}{', network alone' if joined else ''}",
            )  # fmt: skip
            best = min(range(len(bits)), key=lambda n: math.inf if bits[n] is None else bits[n])
            if bits[best] is not None:
                axes.plot(
                    steps[best], bits[best], color=HELD_OUT, marker="D", markersize=8,
                    markerfacecolor=PAPER, markeredgewidth=2, linestyle="none",
                    label=f"best: {bits[best]:.3f} at step {steps[best]:,}",
                )  # fmt: skip
            if joined:
                axes.plot(
                    steps[-1], joined, color=HELD_OUT, marker="*", markersize=11, linestyle="none",
                    label=f"joined by its n-gram: {joined:.3f}",
                )  # fmt: skip
        for (name, value), colour, dashes in zip(
            _baselines(directory).items(), BASELINES, DASHES, strict=False
        ):
            axes.axhline(
                value, color=colour, linestyle=dashes, linewidth=1.2, label=f"{name}: {value:.3f}"
            )
        axes.set_xlabel("step")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        axes.set_ylabel(
            "bits per character" if held_out or _has_bits(training) else "bits per token"
        )
        axes.grid()
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_title(" ", fontsize=11)  # room for the title, see `draw_curves`
        if training or held_out:
            figure.legend(loc="outside lower left", ncols=2, frameon=False, fontsize=9)
    return figure


def draw_curves(directory: Path) -> str:
    """Return the curves of a run as SVG, dark where the reader prefers that.

    The title is text that the reader's fonts show: names may have any characters, and matplotlib's
    own font lacks many.
    """
    from matplotlib import rc_context

    buffer = io.StringIO()
    figure = curve_figure(directory)
    with rc_context(STYLE):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    rules = "".join(
        f'[style*="{kind}: {light}"] {{ {kind}: {dark} !important }}\n'
        for light, dark in DARK.items()
        for kind in ("fill", "stroke")
    )
    style = f"<style>@media (prefers-color-scheme: dark) {{\n{rules}}}</style>\n"
    head, opening, rest = buffer.getvalue().partition("<svg ")
    tag, end, content = rest.partition(">")
    words = html.escape(visible(_title(directory))).encode("utf-8", "backslashreplace").decode()
    font = f"font: bold 11px sans-serif; fill: {INK}"
    title = f'<text x="8" y="14" style="{font}">{words}</text>\n'
    drawn = content.removesuffix("</svg>\n")
    return f"{head}{opening}{tag}{end}\n{style}{drawn}{title}</svg>\n"


def save_curves(directory: Path) -> Path:
    """Write curves.svg into a run directory."""
    file = directory / CURVES
    write_atomically(file, draw_curves(directory).encode())
    return file


def _title(directory: Path) -> str:
    """Return the name of a run, its model and its text."""
    try:
        settings = tomllib.loads((directory / RUN_CONFIG).read_text(encoding="utf-8"))
        model = f"{settings['num_layers']} x {settings['cell']} {settings['hidden_size']}"
        texts = ", ".join("standard input" if name == "-" else Path(name).name
                          for name in settings["corpus"])  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError):  # a damaged or missing file: still a curve
        return directory.name
    return f"{directory.name}: {model} on {texts}"


def _has_bits(training: Sequence[dict[str, Any]]) -> bool:
    return bool(training) and "bits_per_character" in training[-1]


def _training_bits(line: dict[str, Any], held_out: Sequence[dict[str, Any]]) -> float:
    """Return bits per character; runs of old versions have only nats per token."""
    if "bits_per_character" in line:
        bits = line["bits_per_character"]
        return math.nan if bits is None else float(bits)
    if held_out:
        last = held_out[-1]
        return float(line["nats_per_token"] * last["bits_per_character"] / last["nats_per_token"])
    return float(line["nats_per_token"] / math.log(2))


def _validation_records(directory: Path) -> list[dict[str, Any]]:
    file = directory / RESULT
    evaluations = read_json(file)["evaluations"] if file.is_file() else []
    return [record for record in evaluations if record["split"] == "validation"]


def _joined(directory: Path, context: str) -> float | None:
    """Return bits per character of network and n-gram model together; None for a network alone."""
    for record in _validation_records(directory):
        if record["context"] == context and record.get("parts"):
            return float(record["bits_per_character"])
    return None


def _baselines(directory: Path) -> dict[str, float]:
    """Return the bits per character of baselines on the validation split, by their names."""
    records = _validation_records(directory)
    found: dict[str, Any] = records[0]["baselines"] if records else {}
    return {
        baseline_title(name, found[name]): float(found[name]["bits_per_character"])
        for name in SHOWN
        if name in found
    }
