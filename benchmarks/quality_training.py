"""Trains the opponents of quality.py for a number of seconds.

Progress is elapsed time as a share of the budget, and every schedule ends with it. A network may
use bfloat16 (autocast) where the processor computes in it; the faster precision is found by timing
some steps before the budget begins.
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from quality_opponents import MinGRU, Network, Size, TorchLSTM, Transformer, d2l_as_torch
from torch import Tensor, nn

from rnnlab.bench.d2l_lstm import D2lLSTM, D2lTrainer
from rnnlab.data.batches import Batches, RandomBatches, SequentialBatches
from rnnlab.data.tokenizer import Ids
from rnnlab.engines import precision_needs
from rnnlab.lm.compute import autocast
from rnnlab.lm.schedules import constant, cosine

CPU = "cpu"
CLIP_NORM = 1.0
WARMUP = 0.05
"""Share of the budget in which the rate of the Transformer and the minGRU rises."""
BETAS, WEIGHT_DECAY = (0.9, 0.99), 0.1
"""AdamW of the Transformer and the minGRU, as in nanoGPT; only matrices decay."""
TIMED_SECONDS = 0.6
"""How long a precision is timed."""

SIZES: dict[str, dict[float, Size]] = {
    "transformer": {
        15: Size(layers=2, width=64, steps=64, batch=8, rate=4e-3),
        100: Size(layers=2, width=96, steps=64, batch=8, rate=2e-3),
        math.inf: Size(layers=3, width=128, steps=64, batch=8, rate=1e-3),
    },
    "minGRU": {
        100: Size(layers=1, width=128, steps=64, batch=16, rate=4e-3),
        math.inf: Size(layers=2, width=128, steps=64, batch=16, rate=4e-3),
    },
}
"""For budgets of at most so many seconds. `--tune` compares them with others on training text."""

CANDIDATES: dict[str, dict[float, list[Size]]] = {
    "transformer": {
        100: [
            Size(layers, width, 64, 8, rate)
            for layers, width in ((2, 64), (2, 96), (2, 128), (3, 96))
            for rate in (2e-3, 4e-3)
        ],
        math.inf: [Size(2, 96, 64, 8, 2e-3), Size(3, 128, 64, 8, 1e-3), Size(4, 128, 128, 8, 1e-3)],
    },
    "minGRU": {
        100: [
            Size(layers, width, 64, 16, rate)
            for layers, width in ((1, 128), (1, 192), (2, 128))
            for rate in (4e-3, 8e-3)
        ],
        math.inf: [Size(2, 128, 64, 16, 4e-3), Size(2, 192, 64, 16, 4e-3)],
    },
}  # fmt: skip
"""What `--tune` tries for budgets of at most so many seconds."""


Choice = TypeVar("Choice")


class Learner(Protocol):
    """Something that trains in steps."""

    def step(self, progress: float) -> int:
        """Do a step at this share of the budget; return the number of tokens."""

    def trained(self) -> Network:
        """Return the network in its present state."""


class TorchLearner:
    """Trains a network with AdamW and clipping."""

    def __init__(
        self,
        network: Network,
        batches: Batches,
        optimizer: torch.optim.Optimizer,
        schedule: Callable[[float, float], float],
        seed: int,
        precision: str = "float32",
    ) -> None:
        self.network, self.optimizer, self.schedule = network, optimizer, schedule
        self.precision, self.rate = precision, optimizer.param_groups[0]["lr"]
        self.stream = stream(batches, seed)
        self.state: Any = None
        network.train()

    def step(self, progress: float) -> int:
        """See `Learner`."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate * self.schedule(progress, WARMUP)
        ids, targets, continues = next(self.stream)
        state = detached(self.state) if continues else None
        with autocast(self.precision, CPU):
            logits, self.state = self.network(ids, state)
            loss = F.cross_entropy(logits.flatten(0, 1).float(), targets.flatten())
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), CLIP_NORM)
        self.optimizer.step()
        return ids.numel()

    def trained(self) -> Network:
        """See `Learner`."""
        return self.network.eval()


class D2lLearner:
    """Trains d2l's LSTM as the book does: SGD with rate 1, weights of N(0, 0.01²), no schedule."""

    HIDDEN_SIZE, BATCH_SIZE, NUM_STEPS, RATE, STD = 256, 32, 35, 1.0, 0.01

    def __init__(self, ids: Ids, vocabulary_size: int, seed: int) -> None:
        self.model = D2lLSTM(vocabulary_size, self.HIDDEN_SIZE)
        generator = torch.Generator().manual_seed(seed)
        for parameter in self.model.parameters():  # the biases stay 0
            if parameter.dim() > 1:
                nn.init.normal_(parameter, std=self.STD, generator=generator)
        self.trainer = D2lTrainer(self.model, self.RATE, CLIP_NORM, "float32")
        self.stream = stream(SequentialBatches(ids, self.BATCH_SIZE, self.NUM_STEPS), seed)
        self.state = self.model.zero_state(self.BATCH_SIZE)

    def step(self, progress: float) -> int:
        """See `Learner`."""
        ids, targets, continues = next(self.stream)
        state = self.state if continues else self.model.zero_state(self.BATCH_SIZE)
        _, self.state = self.trainer.step(ids, targets, state)
        return ids.numel()

    def trained(self) -> Network:
        """See `Learner`."""
        return d2l_as_torch(self.model).eval()


def stream(batches: Batches, seed: int) -> Iterator[tuple[Tensor, Tensor, bool]]:
    """Yield inputs and targets (T, B) without end, and whether the state is carried to them."""
    rng = np.random.default_rng(seed)
    while True:
        for number, pair in enumerate(batches.epoch(rng)[1]):
            ids, targets = map(torch.from_numpy, pair)
            yield ids, targets, batches.carries_state and number > 0


def detached(state: Any) -> Any:
    """Cut the gradient of a state, a tensor or nested sequences of them."""
    return state.detach() if isinstance(state, Tensor) else type(state)(map(detached, state))


def for_budget(choices: Mapping[float, Choice], seconds: float) -> Choice:
    """Return what is chosen for a budget; the keys are the largest budgets of each."""
    return next(choice for most, choice in choices.items() if seconds <= most)


def make_learner(
    name: str, ids: Ids, vocabulary_size: int, seed: int, size: Size | None, precision: str
) -> Learner:
    """Return an untrained opponent; size: of a Transformer or a minGRU."""
    torch.manual_seed(seed)
    if name == "d2l":
        return D2lLearner(ids, vocabulary_size, seed)
    if size is None:
        network: Network = TorchLSTM(vocabulary_size)
        optimizer = torch.optim.AdamW(network.parameters(), lr=0.003, fused=True)
        return TorchLearner(
            network, SequentialBatches(ids, 32, 64), optimizer, plain, seed, precision
        )
    kind, order = (
        (Transformer, RandomBatches) if name == "transformer" else (MinGRU, SequentialBatches)
    )
    network = kind(vocabulary_size, size)
    groups = [
        {"params": [p for p in network.parameters() if p.dim() > 1], "weight_decay": WEIGHT_DECAY},
        {"params": [p for p in network.parameters() if p.dim() < 2], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=size.rate, betas=BETAS, fused=True)
    batches = order(ids, size.batch, size.steps)
    return TorchLearner(network, batches, optimizer, cosine, seed, precision)


def plain(progress: float, warmup: float) -> float:
    """Keep the rate."""
    return constant(progress, 0.0)


@dataclass(frozen=True)
class Trained:
    """A trained network, and how it was trained."""

    network: Network
    about: dict[str, Any]


_precisions: dict[tuple[str, Size | None], str] = {}


def train(
    name: str, ids: Ids, vocabulary_size: int, seconds: float, seed: int, size: Size | None
) -> Trained:
    """Train an opponent for `seconds`, from the first batch to the last."""
    began = time.perf_counter()
    make = partial(make_learner, name, ids, vocabulary_size, seed, size)
    if (name, size) not in _precisions:
        _precisions[name, size] = "float32" if name == "d2l" else faster_precision(make)
    precision = _precisions[name, size]
    learner = make(precision)
    started, steps, tokens = time.perf_counter(), 0, 0
    while (elapsed := time.perf_counter() - started) < seconds:
        tokens += learner.step(elapsed / seconds)
        steps += 1
    network = learner.trained()
    about = {
        "seconds": elapsed, "seconds_before": started - began, "steps": steps, "tokens": tokens,
        "epochs": tokens / len(ids), "precision": precision,
        "parameters": sum(p.numel() for p in network.parameters()),
        "size": asdict(size) if size else None,
    }  # fmt: skip
    return Trained(network, about)


def faster_precision(make: Callable[[str], Learner]) -> str:
    """Return the precision in which a network trains faster here; nothing of it is kept."""
    if precision_needs("bfloat16", CPU):
        return "float32"
    times = {}
    for precision in ("float32", "bfloat16"):
        learner = make(precision)
        learner.step(0.0)
        began, steps = time.perf_counter(), 0
        while (elapsed := time.perf_counter() - began) < TIMED_SECONDS:
            learner.step(0.0)
            steps += 1
        times[precision] = elapsed / steps
    return min(times, key=times.__getitem__)
