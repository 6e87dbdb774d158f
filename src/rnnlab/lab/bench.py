"""Engines side by side: whole training steps and generation, interleaved, medians.

A step is what `rnnlab train` does: forward, loss, backward, clipping, update, on random tokens.
Every round times each variant once in turn, so that a drifting machine hits all alike; a ratio is
the median of the rounds' own ratios.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from statistics import median
from typing import Any, Literal

import numpy as np
import torch

from rnnlab.config import GenerationSettings, MachineSettings, Settings, check_name
from rnnlab.data.batches import SequentialBatches
from rnnlab.engines import ENGINES
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
    """Times greedy generation, one sequence at a time, of one (engine, precision, hidden size)."""

    def __init__(self, key: tuple[str, str, int], cell: str, device: torch.device) -> None:
        engine, self.precision, hidden_size = key
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


def bench(
    *,
    cells: Sequence[str],
    engines: Sequence[str],
    precisions: Sequence[Literal["float32", "bfloat16"]],
    hidden_sizes: Sequence[int],
    batch_sizes: Sequence[int],
    num_steps: int,
    rounds: int,
    seconds: float,
) -> dict[str, Any]:
    """Measure every combination; returns {training, generation, machine}, ready for JSON."""
    for name in engines:
        check_name("engine", name, list(ENGINES))
    names = list(dict.fromkeys([YARDSTICK, *engines]))
    devices = {set_up(MachineSettings(precision=precision)) for precision in precisions}
    device = devices.pop()
    training: list[dict[str, Any]] = []
    generation: list[dict[str, Any]] = []
    for cell, precision, hidden in product(cells, precisions, hidden_sizes):
        for batch in batch_sizes:
            variants = [Variant(cell, name, precision, hidden, batch, num_steps) for name in names]
            timers = {v.engine: TrainingTimer(v, device) for v in variants}
            speeds = _interleaved(
                {name: timer.tokens_per_second for name, timer in timers.items()}, rounds, seconds
            )
            for variant in variants:
                own, yardstick = speeds[variant.engine], speeds[YARDSTICK]
                training.append(
                    {
                        **vars(variant),
                        "tokens_per_second": median(own),
                        "tokens_per_second_range": [min(own), max(own)],
                        "ratio_to_builtin": median(
                            a / b for a, b in zip(own, yardstick, strict=True)
                        ),
                    }
                )
        writers = {name: GenerationTimer((name, precision, hidden), cell, device) for name in names}
        times = _interleaved(
            {name: lambda _, w=w: w.microseconds_per_character() for name, w in writers.items()},
            rounds, seconds,
        )  # fmt: skip
        generation += [
            {
                "cell": cell,
                "engine": name,
                "precision": precision,
                "hidden_size": hidden,
                "microseconds_per_character": median(values),
                "microseconds_per_character_range": [min(values), max(values)],
            }
            for name, values in times.items()
        ]
    return {"training": training, "generation": generation, "machine": environment()}


def _interleaved(measures: dict[str, Any], rounds: int, seconds: float) -> dict[str, list[float]]:
    """Take every measure once a round, after one round that is thrown away."""
    results: dict[str, list[float]] = {name: [] for name in measures}
    for number in range(rounds + 1):
        for name, measure in measures.items():
            value = measure(seconds)
            if number:
                results[name].append(value)
    return results
