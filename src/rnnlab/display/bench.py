"""What `rnnlab bench` prints: rows as they are measured, or one JSON object."""

import json
import os
import sys
import time
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from rnnlab.bench.benchmark import BenchWatcher, Measurement
from rnnlab.console import notice

TITLES = {
    "training": "training: whole steps, medians; ratio to builtin, share of the measured peak",
    "generation": "generation: greedy, one sequence, medians",
}
HEADINGS = {
    "training": ("H, B, T", ("k tokens/s", "range", "ratio", "of peak")),
    "generation": ("H", ("µs/character", "range")),
}
WIDTHS = (12, 20, 7, 9)
"""Widths of the columns of figures."""

WORKING_SECONDS = 10.0
"""Without a terminal, a line in this interval shows the progress."""


class BenchDisplay(BenchWatcher):
    """Print rows to standard output as they are measured, or one JSON object at the end.

    Standard error says what is being measured: if it is a terminal, in one line that changes;
    elsewhere in a line now and then.
    """

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self.part = ""
        console = Console(stderr=True, highlight=False)
        self.progress = Progress(
            BarColumn(bar_width=10),
            TextColumn("{task.percentage:>3.0f}% {task.description}", markup=False),
            console=console,
            transient=True,
            disable=not console.is_terminal,
            redirect_stdout=sys.stdout.isatty(),  # otherwise rich would send it to standard error
        )
        # In the file that the results go to, these lines would stand between rows or before JSON.
        self.is_apart = self.progress.disable and not _same_file()
        self.told = time.perf_counter()
        self.task = self.progress.add_task("", total=1.0)

    def __enter__(self) -> Self:
        self.progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.progress.stop()

    def note(self, text: str) -> None:
        """See `BenchWatcher`."""
        notice(text)

    def begin(self, machine: Measurement) -> None:
        """See `BenchWatcher`."""
        level = machine["instruction_set"]
        kernels = f", native kernels for {level}" if level else ""
        self._print(
            f"{machine['cpu']}, {machine['threads']} threads, torch {machine['torch']}{kernels}"
        )

    def measuring(self, what: str, share: float) -> None:
        """See `BenchWatcher`."""
        self.progress.update(self.task, completed=share, description=what)
        if self.is_apart and time.perf_counter() - self.told > WORKING_SECONDS:
            self.told = time.perf_counter()
            print(f"{share:4.0%} {what}", file=sys.stderr, flush=True)

    def row(self, part: str, row: Measurement) -> None:
        """See `BenchWatcher`."""
        if part != self.part:
            self.part = part
            sizes, figures = HEADINGS[part]
            heading = _line("cell", "engine", "precision", sizes, figures)
            self._print(f"\n{TITLES[part]}\n\n{heading}\n {'─' * (len(heading) - 1)}")
        names = row["cell"], row["engine"], row["precision"]
        if part == "training":
            speed, (low, high) = row["tokens_per_second"], row["tokens_per_second_range"]
            share = row["share_of_peak"]
            figures = (
                f"{speed / 1e3:.1f}", f"{low / 1e3:.1f} .. {high / 1e3:.1f}",
                f"{row['ratio_to_builtin']:.2f}", "-" if share is None else f"{share:.0%}",
            )  # fmt: skip
            sizes = f"{row['hidden_size']}, {row['batch_size']}, {row['num_steps']}"
        else:
            low, high = row["microseconds_per_character_range"]
            time = row["microseconds_per_character"]
            figures = (f"{time:.1f}", f"{low:.1f} .. {high:.1f}")
            sizes = str(row["hidden_size"])
        self._print(_line(*names, sizes, figures))

    def end(self, result: Measurement) -> None:
        """Print the JSON object, or the peak that shares refer to."""
        if self.as_json:
            print(json.dumps(result, indent=2))
        peaks = [
            f"{precision} {value:,.0f} GFLOP/s"
            for precision, value in result["machine"]["peak_gflops"].items()
            if value is not None
        ]
        if peaks:
            self._print(f"\npeak, bare multiply-adds by all threads: {', '.join(peaks)}")

    def _print(self, text: str) -> None:
        if not self.as_json:
            print(text, flush=True)


def _same_file() -> bool:
    """Whether standard output and standard error are one file, as after `2>&1`."""
    try:
        return os.path.sameopenfile(sys.stdout.fileno(), sys.stderr.fileno())
    except (OSError, ValueError):
        return False


def _line(cell: str, engine: str, precision: str, sizes: str, figures: tuple[str, ...]) -> str:
    words = f"  {cell:<9}{engine:<11}{precision:<12}{sizes:<13}"
    return words + "".join(f"{f:>{width}}" for f, width in zip(figures, WIDTHS, strict=False))
