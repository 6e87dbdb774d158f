"""Measure engines side by side: whole training steps and generation, interleaved.

A step is what `rnnlab train` does: forward, loss, backward, clipping, update, on random tokens.
Every round times each variant once, so that a change in the machine's speed affects all of them.
Figures are medians over the rounds; a ratio is the median of the ratios within each round. The
processor's peak is measured in the same rounds.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import product
from statistics import median
from typing import Any

from rnnlab.bench.d2l_lstm import ABOUT
from rnnlab.bench.tasks import (
    D2L,
    Case,
    Task,
    bare_multiply_adds,
    generation_task,
    items_per_second,
    training_task,
)
from rnnlab.config import BenchSettings
from rnnlab.engines import ENGINES
from rnnlab.engines.native_kernels import instruction_set
from rnnlab.engines.threads import using_threads
from rnnlab.errors import UnavailableError, unknown
from rnnlab.lm.compute import check_precision, choose_device
from rnnlab.runs.environment import environment

COMPARED = (D2L, *ENGINES)
REFERENCE = "builtin"
PEAK = "peak"

BUSY_FACTOR = 1.5
"""On an idle machine, the fastest and the slowest round of a variant differ by less."""

Measurement = dict[str, Any]


class BenchWatcher:
    """Follows a benchmark while it runs; these methods do nothing."""

    def note(self, text: str) -> None:
        """Take a remark for the user."""

    def begin(self, machine: Measurement) -> None:
        """Take the description of the machine, before anything is measured."""

    def measuring(self, what: str, share: float) -> None:
        """Take what is measured next, and the share of all measurements done, 0 to 1."""

    def row(self, part: str, row: Measurement) -> None:
        """Take a finished row of `part`: training or generation."""


def run_benchmark(settings: BenchSettings, watcher: BenchWatcher | None = None) -> Measurement:
    """Measure every combination; return {training, generation, machine}, ready for JSON.

    Raises UsageError for an unknown engine, UnavailableError if an engine or precision in the
    settings is not available on this machine.
    """
    device = choose_device("auto")
    for precision in settings.precision:
        check_precision(precision, device)
    with using_threads():
        return _Benchmark(settings, device, watcher or BenchWatcher()).run()


def why_unavailable(name: str, cell: str, device: str) -> str | None:
    """Return why an engine, or d2l's LSTM, cannot run `cell` on `device`; None if it can."""
    if name == D2L:
        return None if cell == "lstm" else f"{ABOUT} has no cell {cell!r}"
    return ENGINES[name].fault(cell, device)


class _Benchmark:
    """The state of one benchmark."""

    def __init__(self, settings: BenchSettings, device: str, watcher: BenchWatcher) -> None:
        self.settings, self.device, self.watcher = settings, device, watcher
        self._check()
        self.has_peak = device == "cpu" and why_unavailable("native", "lstm", device) is None
        self.peaks: dict[str, list[float]] = {precision: [] for precision in settings.precision}
        models = product(settings.cell, settings.precision, settings.hidden_size)
        self.texts = [Case(*model) for model in models]
        self.steps = [
            replace(case, batch_size=batch, num_steps=settings.num_steps)
            for case, batch in product(self.texts, settings.batch_size)
        ]
        variants = [len(self._names(case)) + self.has_peak for case in self.steps]
        variants += [len(self._names(case)) for case in self.texts]
        self.left = self.measurements = sum(variants) * (settings.rounds + 1)

    def _check(self) -> None:
        for name in self.settings.engine:
            if name not in COMPARED:
                raise unknown("engine", name, COMPARED)
            for cell in self.settings.cell:
                if why := why_unavailable(name, cell, self.device):
                    raise UnavailableError(f"engine {name!r} cannot run here: {why}")

    def _names(self, case: Case) -> list[str]:
        """Return what is compared: the engines in the settings, or all that can run this cell."""
        if self.settings.engine:
            return [n for n in COMPARED if n in self.settings.engine or n == REFERENCE]
        return [n for n in COMPARED if not why_unavailable(n, case.cell, self.device)]

    def run(self) -> Measurement:
        machine = environment()
        machine["instruction_set"] = instruction_set() if self.has_peak else None
        if not self.settings.engine:
            for name in ENGINES:
                reasons = (why_unavailable(name, cell, self.device) for cell in self.settings.cell)
                if why := next(filter(None, reasons), None):
                    self.watcher.note(f"engine {name!r} is left out: {why}")
        self.watcher.begin(machine)
        rows = {
            "training": [row for case in self.steps for row in self._training(case)],
            "generation": [row for case in self.texts for row in self._generation(case)],
        }
        if note := busy_note([*rows["training"], *rows["generation"]]):
            self.watcher.note(note)
        machine["peak_gflops"] = {
            precision: median(values) / 1e9 if values else None
            for precision, values in self.peaks.items()
        }
        return {**rows, "machine": machine}

    def _training(self, case: Case) -> Iterator[Measurement]:
        names = self._names(case)
        tasks = {name: training_task(name, case, self.device) for name in names}
        if self.has_peak:
            tasks[PEAK] = bare_multiply_adds(case.precision)
        sizes = f"{case.cell} {case.precision} H {case.hidden_size} B {case.batch_size}"
        rates = self._interleaved(f"training, {sizes}", tasks)
        peak = rates.pop(PEAK, [])
        self.peaks[case.precision] += peak
        for name, own in rates.items():
            row = {
                "cell": case.cell,
                "engine": name,
                "precision": case.precision,
                "hidden_size": case.hidden_size,
                "batch_size": case.batch_size,
                "num_steps": case.num_steps,
                "tokens_per_second": median(own),
                "tokens_per_second_range": [min(own), max(own)],
                "ratio_to_builtin": _ratio(own, rates[REFERENCE]),
                "share_of_peak": _ratio(own, peak) * case.flop_per_token if peak else None,
            }
            self.watcher.row("training", row)
            yield row

    def _generation(self, case: Case) -> Iterator[Measurement]:
        tasks = {name: generation_task(name, case, self.device) for name in self._names(case)}
        sizes = f"{case.cell} {case.precision} H {case.hidden_size}"
        for name, rates in self._interleaved(f"generation, {sizes}", tasks).items():
            times = [1e6 / value for value in rates]
            row = {
                "cell": case.cell,
                "engine": name,
                "precision": case.precision,
                "hidden_size": case.hidden_size,
                "microseconds_per_character": median(times),
                "microseconds_per_character_range": [min(times), max(times)],
            }
            self.watcher.row("generation", row)
            yield row

    def _interleaved(self, what: str, tasks: dict[str, Task]) -> dict[str, list[float]]:
        def announce(name: str, number: int) -> None:
            turn = f"round {number} of {self.settings.rounds}" if number else "warming up"
            self.watcher.measuring(f"{what}: {name}, {turn}", 1 - self.left / self.measurements)
            self.left -= 1

        return time_interleaved(tasks, self.settings.rounds, self.settings.seconds, announce)


def busy_note(rows: Sequence[Measurement]) -> str:
    """Say that the machine was busy, if the rounds of a variant differ much; otherwise ""."""
    spreads = []
    for row in rows:
        (low, high), *_ = (value for name, value in row.items() if name.endswith("_range"))
        spreads.append(
            (high / low, f"{row['cell']}, engine {row['engine']}, H {row['hidden_size']}")
        )
    factor, where = max(spreads, default=(1.0, ""))
    if factor < BUSY_FACTOR:
        return ""
    return (
        f"the machine is busy: between rounds, speeds differ by a factor of up to {factor:.1f} "
        f"({where}), so the ratios are unreliable; stop other programs and measure again"
    )


def time_interleaved(
    tasks: dict[str, Task], rounds: int, seconds: float, announce: Callable[[str, int], None]
) -> dict[str, list[float]]:
    """Time every task for about `seconds` once per round, after one round of warming up.

    announce is called before each measurement with the name and the number of the round, which is 0
    while warming up. Returns the items per second of each task, one figure per round.
    """
    rates: dict[str, list[float]] = {name: [] for name in tasks}
    turns = list(tasks.items())
    for number in range(rounds + 1):
        # Every round begins with another task, so that none always follows the same one.
        at = number % max(1, len(turns))
        for name, task in turns[at:] + turns[:at]:
            announce(name, number)
            value = items_per_second(task, seconds)
            if number:
                rates[name].append(value)
    return rates


def _ratio(own: list[float], other: list[float]) -> float:
    return median(a / b for a, b in zip(own, other, strict=True))
