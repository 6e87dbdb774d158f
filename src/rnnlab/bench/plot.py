"""A benchmark as a plot: bars with ranges, and the measured peak of the machine as a ceiling."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rnnlab.bench.benchmark import Measurement
from rnnlab.bench.tasks import Case
from rnnlab.errors import UsageError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = {"literal": "#999999", "textbook": "#e69f00", "builtin": "#56b4e9", "native": "#009e73"}
"""Okabe and Ito: colour-blind readers can tell them apart, in grey print by their lightness."""
OTHER_COLOUR = "#cc79a7"
CEILING = "#d55e00"
LETTERS = {"hidden_size": "H", "batch_size": "B", "num_steps": "T"}
FORMATS = (".svg", ".pdf", ".png")

WIDTH = 7.5
BAR_HEIGHT, FACET_HEIGHT, MARGIN_HEIGHT = 0.24, 0.5, 0.9
"""In inches; a facet is this much higher than its bars."""

Facet = tuple[str, list[Measurement]]


def check_plot_file(file: str) -> None:
    """Raise UsageError if no plot can be written to `file`."""
    path = Path(file)
    if path.suffix.lower() not in FORMATS:
        raise UsageError(f"plot file {file!r} must end in one of {', '.join(FORMATS)}")
    if not path.parent.is_dir():
        raise UsageError(f"plot file {file!r}: there is no folder {str(path.parent)!r}")


def save_plot(result: Measurement, file: str) -> None:
    """Draw the result of `bench` into a file; the ending of its name is the format."""
    import matplotlib

    with matplotlib.rc_context({"font.size": 8}):
        metadata = {"Date": None} if file.lower().endswith(".svg") else None
        bench_figure(result).savefig(file, dpi=150, metadata=metadata)


def bench_figure(result: Measurement) -> "Figure":
    """Draw a facet for each size in training, on its own scale, then for each in generation."""
    from matplotlib.figure import Figure

    training = _facets(result["training"], ("hidden_size", "batch_size", "num_steps"))
    generation = _facets(result["generation"], ("hidden_size",))
    facets = [*training, *generation]
    heights = [FACET_HEIGHT + BAR_HEIGHT * len(rows) for _, rows in facets]
    figure = Figure(figsize=(WIDTH, sum(heights) + MARGIN_HEIGHT), layout="constrained")
    grid = list(figure.subplots(len(facets), 1, squeeze=False, height_ratios=heights)[:, 0])
    for axes, (title, rows) in zip(grid[: len(training)], training, strict=True):
        _draw_training(axes, title, rows, result["machine"]["peak_gflops"])
    for axes, (title, rows) in zip(grid[len(training) :], generation, strict=True):
        axes.sharex(grid[-1])
        _draw_generation(axes, title, rows)
    grid[len(training) - 1].set_xlabel("training speed [thousand tokens/s], median and range")
    grid[-1].set_xlabel("time to generate a character [µs], logarithmic, median and range")
    figure.supxlabel(_caption(result["machine"]), fontsize=7, x=0.01, ha="left")
    return figure


def _facets(rows: Sequence[Measurement], sizes: Sequence[str]) -> list[Facet]:
    """Group rows of the same sizes, all precisions together, under a title that names the sizes."""
    facets: dict[str, list[Measurement]] = {}
    for row in rows:
        title = ", ".join([row["cell"], *(f"{LETTERS[size]} {row[size]}" for size in sizes)])
        facets.setdefault(title, []).append(row)
    return list(facets.items())


def _draw_training(axes: "Axes", title: str, rows: list[Measurement], peaks: Measurement) -> None:
    """Draw bars from zero; at the ceiling, the counted arithmetic would need the measured peak."""
    speeds = [row["tokens_per_second"] / 1e3 for row in rows]
    axes.barh(range(len(rows)), speeds, height=0.72, color=_colours(rows))
    longest = _draw_ranges(axes, rows, "tokens_per_second", 1e-3)
    for y, row in enumerate(rows):
        share = row["share_of_peak"]
        figures = f"{_number(speeds[y])} k, {row['ratio_to_builtin']:.2f} x builtin"
        _write_right(axes, y, figures if share is None else f"{figures}, {share:.0%} of peak")
    for precision, peak in peaks.items():
        own = [y for y, row in enumerate(rows) if row["precision"] == precision]
        if peak and own:
            case = Case(rows[own[0]]["cell"], precision, rows[own[0]]["hidden_size"])
            ceiling = peak * 1e9 / case.flop_per_token / 1e3
            longest = max(longest, ceiling)
            axes.plot([ceiling] * 2, [own[0] - 0.45, own[-1] + 0.45], color=CEILING, linewidth=2)
            axes.annotate(
                f"measured peak\n{peak:,.0f} GFLOP/s", (ceiling, own[0]), (-5, -2),
                textcoords="offset points", ha="right", va="center", fontsize=7, color=CEILING,
            )  # fmt: skip
    axes.set_xlim(0, longest * 1.02)
    _finish(axes, title, rows)


def _draw_generation(axes: "Axes", title: str, rows: list[Measurement]) -> None:
    """Draw dots: on a logarithmic scale, bars cannot begin at zero."""
    from matplotlib.ticker import LogLocator, NullFormatter

    times = [row["microseconds_per_character"] for row in rows]
    axes.scatter(times, range(len(rows)), s=40, color=_colours(rows), zorder=2)
    _draw_ranges(axes, rows, "microseconds_per_character", 1)
    for y, time in enumerate(times):
        _write_right(axes, y, f"{_number(time)} µs")
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter("{x:,g}")
    axes.xaxis.set_minor_formatter(NullFormatter())
    _finish(axes, title, rows)


def _colours(rows: list[Measurement]) -> list[str]:
    return [COLOURS.get(row["engine"], OTHER_COLOUR) for row in rows]


def _draw_ranges(axes: "Axes", rows: list[Measurement], name: str, scale: float) -> float:
    """Draw each row's range as a thin line, and return the largest value."""
    ranges = [[float(value * scale) for value in row[f"{name}_range"]] for row in rows]
    for y, ends in enumerate(ranges):
        axes.plot(ends, [y, y], color="black", linewidth=1, marker="|", markersize=5)
    return max(high for _, high in ranges)


def _write_right(axes: "Axes", y: float, text: str) -> None:
    """Write a row's figures to the right of the axes."""
    axes.annotate(text, (1.01, y), xycoords=("axes fraction", "data"), va="center", fontsize=7)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _finish(axes: "Axes", title: str, rows: list[Measurement]) -> None:
    names = [f"{row['engine']}, {row['precision']}" for row in rows]
    axes.set_yticks(range(len(rows)), names)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_title(title, loc="left", fontsize=9, fontweight="bold")
    axes.grid(axis="x", alpha=0.25)
    axes.set_axisbelow(True)
    axes.tick_params(axis="y", length=0)
    axes.spines[["top", "right"]].set_visible(False)


def _caption(machine: Measurement) -> str:
    level = machine["instruction_set"]
    kernels = f", native kernels for {level}" if level else ""
    return (
        f"{machine['cpu']}, {machine['threads']} threads, torch {machine['torch']}{kernels}; "
        f"measured {machine['date'][:10]} with rnnlab {machine['rnnlab']}.\n"
        "One layer, one-hot input, 28 characters. Whole training steps; greedy generation. "
        "H units, B sequences, T time steps. Lines: range over the rounds."
    )
