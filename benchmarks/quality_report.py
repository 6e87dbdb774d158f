"""Tables and the picture of what quality.py measured."""

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from rnnlab.console import counted
from rnnlab.experiments.statistics import Estimate, estimate_mean
from rnnlab.report.line_plot import spread_out

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = {
    "rnnlab": "#d55e00", "rnnlab: network": "#e69f00", "rnnlab: n-grams": "#e69f00",
    "rnnlab dynamic": "#000000", "nn.LSTM": "#56b4e9", "transformer": "#0072b2",
    "minGRU": "#009e73", "d2l": "#cc79a7",
}  # fmt: skip
"""Okabe and Ito: colour-blind readers can tell them apart."""
DASHES = {"rnnlab: network": (4, 1.5), "rnnlab: n-grams": (1, 1.5), "d2l": (6, 1.5, 1, 1.5)}
PARTS = {"network": "rnnlab: network", "ngram": "rnnlab: n-grams"}
FIXED_COLOUR = "#777777"
HIGHEST = 1.6
"""What is above so many times the lowest figure is cut off."""
WIDTH, HEIGHT, TEXT = 8.0, 5.2, 8.5
"""In inches, and in points."""

Record = Mapping[str, Any]
Cells = dict[tuple[str, float | None], list[float]]
"""Contender and budget (None: it has none), and the figure for each seed."""


def report(folder: Path, corpus: str) -> str:
    """Draw quality.svg and return the tables, of all records for a corpus."""
    lines = (folder / "quality.jsonl").read_text(encoding="utf-8").splitlines()
    records = [r for r in map(json.loads, lines) if r["corpus"] == corpus]
    if not records:
        return f"nothing is measured on {corpus}"
    carried = collect(records, "carried", "bits_per_character")
    draw(carried, corpus, folder / "quality.svg")
    parts = [
        conditions(records, corpus),
        table("bits per character, carried (a Transformer slides)", carried),
        table(
            "bits per character, windows:256", collect(records, "windows:256", "bits_per_character")
        ),
        table("nats per character, carried", collect(records, "carried", "nats_per_character")),
        amounts(records),
    ]
    return "\n\n".join(parts)


def collect(records: Iterable[Record], context: str, figure: str) -> Cells:
    """Return a figure under a context rule for each contender, budget and seed.

    rnnlab's parts are contenders of their own.
    """
    cells: Cells = defaultdict(list)
    for record in records:
        found = {record["contender"]: record["contexts"]}
        found |= {PARTS[name]: own for name, own in record.get("parts", {}).items()}
        for name, contexts in found.items():
            if context in contexts:
                cells[name, record["seconds"]].append(contexts[context][figure])
    return cells


def table(title: str, cells: Cells) -> str:
    """Return a table in Markdown: mean ± half of the 95% t interval."""
    budgets = sorted({seconds for _, seconds in cells if seconds is not None})
    head = f"| {title} | " + " | ".join(f"{seconds:g} s" for seconds in budgets) + " |"
    rows = [head, "|---" * (len(budgets) + 1) + "|"]
    for name in dict.fromkeys(name for name, _ in cells):
        fixed = cells.get((name, None))
        values = [in_words(fixed or cells.get((name, seconds))) for seconds in budgets]
        rows.append(f"| {name} | " + " | ".join(values or [in_words(fixed)]) + " |")
    counts = {len(values) for (_, seconds), values in cells.items() if seconds is not None}
    if max(counts, default=1) == 1:
        return "\n".join(rows)
    fewer = "" if len(counts) == 1 else ", fewer where not all are measured"
    note = f"Mean and half of the 95% t interval over {max(counts)} seeds{fewer}."
    return "\n".join([*rows, "", note])


def in_words(values: Sequence[float] | None) -> str:
    """Return a mean with its uncertainty."""
    if not values:
        return ""
    found = estimate(values)
    if found is None:
        return "diverged"
    return f"{found.mean:.3f}" + ("" if found.half is None else f" ± {found.half:.3f}")


def estimate(values: Sequence[float]) -> Estimate | None:
    """Return the mean; None if a value is not finite."""
    return estimate_mean(values) if all(map(math.isfinite, values)) else None


def conditions(records: Sequence[Record], corpus: str) -> str:
    """Say on which machine and for how many real seconds contenders trained."""
    found = (record["machine"] for record in records)
    machines = sorted({
        f"{counted(m['threads'], 'thread')} of {m['cpu']}, {m['instruction_set']}, "
        f"torch {m['torch'].partition('+')[0]}"
        for m in found
    })  # fmt: skip
    speeds = [record["speed"] for record in records]
    low, high = (f"{value:,.0f}" for value in (min(speeds), max(speeds)))
    lines = [
        f"{corpus}, last tenth; {'; '.join(machines)}; the reference network trained at "
        f"{low if low == high else f'{low} to {high}'} tokens/s."
    ]
    scaled = sorted({(r["reference_speed"], round(r["factor"], 3)) for r in records})
    for reference, factor in scaled:
        if reference:
            lines.append(
                f"Seconds are those of a machine with {reference:,.0f} tokens/s; here they were "
                f"multiplied by {factor:g}."
            )
    return "\n".join(lines)


def amounts(records: Sequence[Record]) -> str:
    """Return a table of how much was read in each budget, medians over the seeds."""
    cells: dict[tuple[str, float], list[Record]] = defaultdict(list)
    for record in records:
        if record["seconds"] is not None and record["about"]:
            cells[record["contender"], record["seconds"]].append(record["about"])
    head = ("s", "weights", "k tokens/s", "epochs", "s trained", "s before the first batch")
    rows = ["| | " + " | ".join(head) + " |", "|---" * (len(head) + 1) + "|"]
    for (name, seconds), found in sorted(cells.items()):
        speed = median(one["tokens"] / one["seconds"] for one in found) / 1e3
        epochs, trained, before = (
            median(one[key] for one in found) for key in ("epochs", "seconds", "seconds_before")
        )
        weights = median(one["parameters"] for one in found)
        rows.append(
            f"| {name} | {seconds:g} | {weights:,.0f} | {speed:.1f} | {epochs:.2f} | {trained:.1f} "
            f"| {before:.1f} |"
        )
    return "\n".join(rows)


def show_tuning(records: Sequence[Record], name: str) -> str:
    """Return what was tried for each budget, the best first."""
    tried = [record for record in records if record["contender"] == name]
    rows = []
    for record in sorted(tried, key=lambda r: (r["seconds"], r["nats_per_token"])):
        size = ", ".join(f"{key} {value:g}" for key, value in record["size"].items())
        rows.append(f"{record['seconds']:6g} s  {record['nats_per_token']:.4f} nats/token  {size}")
    return "\n".join(rows)


def draw(cells: Cells, corpus: str, file: Path) -> None:
    """Draw lines with bands for what trains, horizontal lines for what does not."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context({"font.size": TEXT, "svg.hashsalt": corpus}):
        figure = Figure(figsize=(WIDTH, HEIGHT))
        axes = figure.add_axes((0.07, 0.1, 0.68, 0.82))
        ends = draw_lines(axes, cells)
        axes.set_xscale("log")
        budgets = sorted({seconds for _, seconds in cells if seconds is not None}) or [1.0]
        axes.set_xticks(budgets, [f"{seconds:g}" for seconds in budgets])
        axes.minorticks_off()
        axes.set_xlim(budgets[0] / 1.1, budgets[-1] * 1.05)
        lowest, highest = axes.get_ylim()
        axes.set_ylim(lowest, min(highest, HIGHEST * min(min(own) for own in cells.values())))
        axes.set_xlabel("seconds of training, logarithmic")
        axes.set_title(
            f"held-out bits per character, {corpus}; bands: 95% t intervals over seeds; "
            "figures: longest budget",
            loc="left", fontsize=TEXT + 0.5,
        )  # fmt: skip
        axes.grid(axis="y", alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
        label_ends(axes, ends)
        figure.savefig(file, metadata={"Date": None})


def draw_lines(axes: "Axes", cells: Cells) -> dict[str, tuple[float, str]]:
    """Draw all contenders; return the height at the right end and the colour of each."""
    ends = {}
    for name in dict.fromkeys(name for name, _ in cells):
        colour = COLOURS.get(name, FIXED_COLOUR)
        if fixed := cells.get((name, None)):
            axes.axhline(fixed[0], color=colour, linewidth=1, dashes=(2, 2))
            ends[name] = fixed[0], colour
            continue
        points = sorted(
            (seconds, found)
            for (own, seconds), values in cells.items()
            if own == name and seconds is not None and (found := estimate(values))
        )
        if not points:
            continue
        x, means = [seconds for seconds, _ in points], [found.mean for _, found in points]
        width = 2.4 if name == "rnnlab" else 1.4
        axes.plot(x, means, color=colour, linewidth=width, marker="o", markersize=3,
                  dashes=DASHES.get(name, (None, None)))  # fmt: skip
        bands = [(at, *found.interval) for at, found in points if found.interval]
        if bands:
            at, low, high = zip(*bands, strict=True)
            axes.fill_between(at, low, high, color=colour, alpha=0.2, linewidth=0)
        ends[name] = means[-1], colour
    return ends


def label_ends(axes: "Axes", ends: Mapping[str, tuple[float, str]]) -> None:
    """Write names and last figures to the right of the axes, moved apart."""
    low, high = (axes.transAxes.transform((0, y))[1] for y in (0, 1))
    places = [axes.transData.transform((1, value))[1] for value, _ in ends.values()]
    # Pixels are points here, as the picture has 72 to the inch.
    points = axes.get_figure().dpi / 72  # type: ignore[union-attr]
    moved = spread_out(places, (TEXT + 2) * points, float(low), float(high))
    for (name, (value, colour)), place in zip(ends.items(), moved, strict=True):
        height = axes.transAxes.inverted().transform((0, place))[1]
        axes.annotate(
            f"{name} {value:.3f}", (1.015, height), xycoords="axes fraction", color=colour,
            va="center", annotation_clip=False,
        )  # fmt: skip
