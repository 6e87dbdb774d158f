"""How fast this machine trains: measured in two sizes, and estimated for all others."""

import math
import time
from dataclasses import dataclass

from rnnlab.config import ModelSettings, Settings
from rnnlab.data.batches import Batches
from rnnlab.engines.thread_pace import ThreadPace
from rnnlab.lm.compute import Compute
from rnnlab.lm.model import LanguageModel
from rnnlab.lm.stored_network import parameter_shapes
from rnnlab.lm.train import Trainer

HIDDEN_SIZES = (64, 256)
"""The sizes that are measured."""

SECONDS = 0.6
"""For each of them, after one step for warming up; a step that takes longer is the last."""

Size = tuple[float, float]
"""Multiply-adds of the forward pass for one token, and seconds of training for one token."""


@dataclass(frozen=True)
class MachineSpeed:
    """Seconds per token = overhead + work · seconds_per_unit, a line through what was measured."""

    overhead: float
    seconds_per_unit: float

    @classmethod
    def through(cls, small: Size, large: Size) -> "MachineSpeed":
        """Draw the line; it never falls, and its overhead is never below 0."""
        slope = max(0.0, (large[1] - small[1]) / (large[0] - small[0]))
        slope = min(slope, large[1] / large[0]) or large[1] / large[0]
        return cls(max(0.0, large[1] - slope * large[0]), slope)

    def seconds_per_token(self, model: ModelSettings, vocabulary_size: int) -> float:
        """Estimate the time to train a model on one token."""
        return self.overhead + work(model, vocabulary_size) * self.seconds_per_unit


def work(model: ModelSettings, vocabulary_size: int) -> int:
    """Return the multiply-adds of the forward pass for one token: the sizes of all matrices.

    A one-hot input is a look-up, and costs nothing.
    """
    looked_up = ["embedding.weight", "output.weight"]
    if model.input == "one-hot":
        looked_up.append("recurrent.weight_ih_l0")
    shapes = dict(parameter_shapes(model, vocabulary_size))
    matrices = (math.prod(s) for name, s in shapes.items() if len(s) > 1 and name not in looked_up)
    return sum(matrices) + vocabulary_size * model.hidden_size


def measure_speed(
    settings: Settings,
    batches: Batches,
    vocabulary_size: int,
    compute: Compute,
    start: int | None = None,
) -> MachineSpeed:
    """Train models of two sizes for a moment; nothing of them is kept."""
    measured = []
    for size in HIDDEN_SIZES:
        tied = {"embedding_size": size} if settings.model.tie_weights else {}
        model = settings.with_changes(hidden_size=size, **tied).model
        network = LanguageModel(model, vocabulary_size, 0, start).to(compute.device)
        pace = ThreadPace(adapts=compute.engine.any_threads)
        trainer = Trainer(network, compute, batches, settings.training, pace=pace)
        steps = trainer.steps_without_end()
        began, spent = time.perf_counter(), 0.0
        times = []
        while spent < SECONDS:
            started = time.perf_counter()
            tokens = next(steps)
            now = time.perf_counter()
            times.append((now - started) / tokens)
            spent = now - began
        # The last half: by then all buffers exist, and the number of threads is chosen.
        last = times[len(times) // 2 :]
        measured.append((float(work(model, vocabulary_size)), sum(last) / len(last)))
    return MachineSpeed.through(*measured)
