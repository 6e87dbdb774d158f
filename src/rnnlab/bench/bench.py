"""Engines side by side: whole training steps and generation, interleaved, medians.

A step is what `rnnlab train` does: forward, loss, backward, clipping, update, on random tokens.
Every round times each variant once in turn, so that a drifting machine hits all alike; a ratio is
the median of the rounds' own ratios. What the processor can do at most takes its turn too.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import product
from statistics import median
from typing import Any, Protocol

import torch

from rnnlab.bench.d2l_lstm import ABOUT
from rnnlab.bench.workloads import (
    LITERAL,
    Case,
    Work,
    bare_multiply_adds,
    generation,
    rate,
    training,
)
from rnnlab.config import BenchSettings
from rnnlab.engines import ENGINES
from rnnlab.engines.native_kernels import instruction_set
from rnnlab.errors import UnavailableError, unknown
from rnnlab.lm.compute import check_precision, choose_device
from rnnlab.runs.environment import environment

YARDSTICK = "builtin"
PEAK = "peak"

Measurement = dict[str, Any]


class BenchWatcher(Protocol):
    """Is told what goes on while it goes on."""

    def note(self, text: str) -> None:
        """Take a remark for a person."""

    def begin(self, machine: Measurement) -> None:
        """Take what is known of the machine before anything is measured."""

    def measuring(self, what: str, share: float) -> None:
        """Take what is about to be measured, and the share of all work done, 0 .. 1."""

    def row(self, part: str, row: Measurement) -> None:
        """Take a finished row of `part`, training or generation."""


class Unwatched:
    """Watches nothing."""

    def note(self, text: str) -> None:
        """See `BenchWatcher`."""

    def begin(self, machine: Measurement) -> None:
        """See `BenchWatcher`."""

    def measuring(self, what: str, share: float) -> None:
        """See `BenchWatcher`."""

    def row(self, part: str, row: Measurement) -> None:
        """See `BenchWatcher`."""


def bench(settings: BenchSettings, watch: BenchWatcher | None = None) -> Measurement:
    """Measure every combination; returns {training, generation, machine}, ready for JSON.

    Raises UsageError for an unknown engine, UnavailableError for an engine or a precision that was
    asked for and is not here.
    """
    device = choose_device("auto")
    for precision in settings.precision:
        check_precision(precision, device)
    return _Bench(settings, device, watch or Unwatched()).run()


def fault(name: str, cell: str, device: torch.device) -> str | None:
    """Say why an engine, or the written-out LSTM, cannot run `cell` on `device`; None if it can."""
    if name == LITERAL:
        return None if cell == "lstm" else f"{ABOUT} has no cell {cell!r}"
    return ENGINES[name].fault(cell, device)


class _Bench:
    def __init__(self, settings: BenchSettings, device: torch.device, watch: BenchWatcher) -> None:
        self.settings, self.device, self.watch = settings, device, watch
        self._check()
        self.has_peak = device.type == "cpu" and fault("native", "lstm", device) is None
        self.peaks: dict[str, list[float]] = {precision: [] for precision in settings.precision}
        self.texts = [
            Case(cell, precision, hidden)
            for cell, precision, hidden in product(
                settings.cell, settings.precision, settings.hidden_size
            )
        ]
        self.steps = [
            replace(case, batch_size=batch, num_steps=settings.num_steps)
            for case, batch in product(self.texts, settings.batch_size)
        ]
        variants = [len(self._names(case)) + self.has_peak for case in self.steps]
        variants += [len(self._names(case)) for case in self.texts]
        self.left = self.measurements = sum(variants) * (settings.rounds + 1)

    def _check(self) -> None:
        for name in self.settings.engine:
            if name not in (LITERAL, *ENGINES):
                raise unknown("engine", name, [LITERAL, *ENGINES])
            for cell in self.settings.cell:
                if why := fault(name, cell, self.device):
                    raise UnavailableError(f"engine {name!r} cannot run here: {why}")

    def _names(self, case: Case) -> list[str]:
        """What is compared: the engines asked for, or else all that can run this cell."""
        everyone = [LITERAL, *ENGINES]
        if self.settings.engine:
            return [n for n in everyone if n in self.settings.engine or n == YARDSTICK]
        return [n for n in everyone if not fault(n, case.cell, self.device)]

    def run(self) -> Measurement:
        machine = environment()
        machine["instruction_set"] = instruction_set() if self.has_peak else None
        if not self.settings.engine:
            for name in ENGINES:
                reasons = (fault(name, cell, self.device) for cell in self.settings.cell)
                if why := next(filter(None, reasons), None):
                    self.watch.note(f"engine {name!r} is left out: {why}")
        self.watch.begin(machine)
        rows = {
            "training": [row for case in self.steps for row in self._training(case)],
            "generation": [row for case in self.texts for row in self._generation(case)],
        }
        machine["peak_gflops"] = {
            precision: median(values) / 1e9 if values else None
            for precision, values in self.peaks.items()
        }
        return {**rows, "machine": machine}

    def _training(self, case: Case) -> Iterator[Measurement]:
        names = self._names(case)
        works = {name: training(name, case, self.device) for name in names}
        if self.has_peak:
            works[PEAK] = bare_multiply_adds(case.precision)
        sizes = f"{case.cell} {case.precision} H {case.hidden_size} B {case.batch_size}"
        rates = self._interleaved(f"training, {sizes}", works)
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
                "ratio_to_builtin": _ratio(own, rates[YARDSTICK]),
                "share_of_peak": _ratio(own, peak) * case.flop_per_token if peak else None,
            }
            self.watch.row("training", row)
            yield row

    def _generation(self, case: Case) -> Iterator[Measurement]:
        works = {name: generation(name, case, self.device) for name in self._names(case)}
        sizes = f"{case.cell} {case.precision} H {case.hidden_size}"
        for name, rates in self._interleaved(f"generation, {sizes}", works).items():
            times = [1e6 / value for value in rates]
            row = {
                "cell": case.cell,
                "engine": name,
                "precision": case.precision,
                "hidden_size": case.hidden_size,
                "microseconds_per_character": median(times),
                "microseconds_per_character_range": [min(times), max(times)],
            }
            self.watch.row("generation", row)
            yield row

    def _interleaved(self, what: str, works: dict[str, Work]) -> dict[str, list[float]]:
        def tell(name: str, number: int) -> None:
            turn = f"round {number} of {self.settings.rounds}" if number else "warming up"
            self.watch.measuring(f"{what}: {name}, {turn}", 1 - self.left / self.measurements)
            self.left -= 1

        return interleaved(works, self.settings.rounds, self.settings.seconds, tell)


def interleaved(
    works: dict[str, Work], rounds: int, seconds: float, tell: Callable[[str, int], None]
) -> dict[str, list[float]]:
    """Time every work for about `seconds` once a round, after a round that is thrown away.

    tell is called before each measurement with the name and the round's number, 0 for the first.
    Returns each work's amount per second, one figure a round.
    """
    rates: dict[str, list[float]] = {name: [] for name in works}
    turns = list(works.items())
    for number in range(rounds + 1):
        # Each begins with another one, so that none always runs after the same neighbour's rest.
        at = number % max(1, len(turns))
        for name, work in turns[at:] + turns[:at]:
            tell(name, number)
            value = rate(work, seconds)
            if number:
                rates[name].append(value)
    return rates


def _ratio(own: list[float], other: list[float]) -> float:
    return median(a / b for a, b in zip(own, other, strict=True))
