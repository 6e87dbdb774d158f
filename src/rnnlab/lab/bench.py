"""Engines side by side: whole training steps and generation, interleaved, medians.

A step is what `rnnlab train` does: forward, loss, backward, clipping, update, on random tokens.
Every round times each variant once in turn, so that a drifting machine hits all alike; a ratio is
the median of the rounds' own ratios.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import product
from statistics import median
from typing import Any

import numpy as np
import torch

from rnnlab.config import BenchSettings, GenerationSettings, MachineSettings, Settings
from rnnlab.data.batches import SequentialBatches
from rnnlab.engines import ENGINES
from rnnlab.errors import unknown
from rnnlab.lab.environment import environment
from rnnlab.lm.generate import generate_ids
from rnnlab.lm.model import LanguageModel
from rnnlab.lm.precision import set_up
from rnnlab.lm.train import Trainer

VOCABULARY = 28
YARDSTICK = "builtin"


@dataclass(frozen=True)
class Variant:
    """One row of the training table."""

    cell: str
    engine: str
    precision: str
    hidden_size: int
    batch_size: int
    num_steps: int


class TrainingTimer:
    """Times training steps of one variant."""

    def __init__(self, variant: Variant, device: torch.device) -> None:
        settings = Settings().changed(
            cell=variant.cell, hidden_size=variant.hidden_size, input="one-hot",
            optimizer="sgd", learning_rate=0.1,
        )  # fmt: skip
        ids = np.random.default_rng(0).integers(
            0, VOCABULARY, variant.batch_size * variant.num_steps * 8
        )
        model = LanguageModel(settings.model, VOCABULARY).to(device)
        self.batches = SequentialBatches(ids, variant.batch_size, variant.num_steps)
        self.trainer = Trainer(
            model, ENGINES[variant.engine], self.batches, settings.training,
            precision=variant.precision,
        )  # fmt: skip
        self.state = model.zero_state(variant.batch_size)
        self.stream = self._stream()

    def _stream(self) -> Iterator[tuple[Any, Any]]:
        while True:
            yield from self.batches.epoch(self.trainer.rng)[1]

    def tokens_per_second(self, seconds: float) -> float:
        """Run steps for about `seconds`."""
        began, tokens = time.perf_counter(), 0
        while (elapsed := time.perf_counter() - began) < seconds or not tokens:
            inputs, targets = next(self.stream)
            _, _, self.state = self.trainer.train_step(inputs, targets, self.state)
            tokens += inputs.size
        return tokens / elapsed


class GenerationTimer:
    """Times greedy generation, one sequence at a time."""

    def __init__(
        self, cell: str, engine: str, precision: str, hidden_size: int, device: torch.device
    ) -> None:
        self.precision = precision
        settings = Settings().changed(cell=cell, hidden_size=hidden_size, input="one-hot")
        self.model = LanguageModel(settings.model, VOCABULARY).to(device)
        self.engine = ENGINES[engine]

    def microseconds_per_character(self, length: int = 200) -> float:
        """Write `length` characters after a prefix of one."""
        settings = GenerationSettings(length=length, temperature=0)
        began = time.perf_counter()
        prefixes = [np.array([1])]
        for _ in generate_ids(
            self.model, self.engine, prefixes, settings, precision=self.precision
        ):
            pass
        return (time.perf_counter() - began) / length * 1e6


def bench(settings: BenchSettings) -> dict[str, Any]:
    """Measure every combination; returns {training, generation, machine}, ready for JSON.

    Raises UsageError for an unknown engine, UnavailableError for a precision that is not here.
    """
    for name in settings.engine:
        if name not in ENGINES:
            raise unknown("engine", name, ENGINES)
    for precision in settings.precision:
        device = set_up(MachineSettings(precision=precision))
    return {
        "training": _training(settings, device),
        "generation": _generation(settings, device),
        "machine": environment(),
    }


def _training(settings: BenchSettings, device: torch.device) -> list[dict[str, Any]]:
    rows = []
    grid = product(settings.cell, settings.precision, settings.hidden_size, settings.batch_size)
    for cell, precision, hidden, batch in grid:
        variants = [
            Variant(cell, engine, precision, hidden, batch, settings.num_steps)
            for engine in _engines(settings)
        ]
        timers = {v.engine: TrainingTimer(v, device) for v in variants}
        speeds = _interleaved(
            settings.rounds,
            {name: partial(t.tokens_per_second, settings.seconds) for name, t in timers.items()},
        )
        for variant in variants:
            own, yardstick = speeds[variant.engine], speeds[YARDSTICK]
            rows.append(
                {
                    **vars(variant),
                    "tokens_per_second": median(own),
                    "tokens_per_second_range": [min(own), max(own)],
                    "ratio_to_builtin": median(a / b for a, b in zip(own, yardstick, strict=True)),
                }
            )
    return rows


def _generation(settings: BenchSettings, device: torch.device) -> list[dict[str, Any]]:
    rows = []
    for cell, precision, hidden in product(settings.cell, settings.precision, settings.hidden_size):
        timers = {
            engine: GenerationTimer(cell, engine, precision, hidden, device)
            for engine in _engines(settings)
        }
        times = _interleaved(
            settings.rounds, {name: t.microseconds_per_character for name, t in timers.items()}
        )
        rows += [
            {
                "cell": cell,
                "engine": engine,
                "precision": precision,
                "hidden_size": hidden,
                "microseconds_per_character": median(values),
                "microseconds_per_character_range": [min(values), max(values)],
            }
            for engine, values in times.items()
        ]
    return rows


def _engines(settings: BenchSettings) -> list[str]:
    return list(dict.fromkeys([*settings.engine, YARDSTICK]))


def _interleaved(rounds: int, measures: dict[str, Callable[[], float]]) -> dict[str, list[float]]:
    """Take every measure once a round, after one round that is thrown away."""
    results: dict[str, list[float]] = {name: [] for name in measures}
    for number in range(rounds + 1):
        for name, measure in measures.items():
            value = measure()
            if number:
                results[name].append(value)
    return results
