"""Measure a run's last weights, and what gates and units do while they read its training text.

Legend: T time steps, B batch, H hidden size.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from rnnlab.cells import Gate
from rnnlab.data.tokenizer import Ids
from rnnlab.lm.activations import WARM_UP, read_layer_by_layer, stretches
from rnnlab.lm.model import LanguageModel

READ_STEPS = 150
"""Tokens measured in each stretch, after WARM_UP others; 4,800 positions with 32 stretches."""

END_SHARE = 0.05
"""Share of a range within which an activation counts as being at an end: below 0.05 or above 0.95
for a sigmoid, beyond -0.9 or 0.9 for tanh. There the slope, and so the gradient, is less than a
fifth of its maximum (a(1-a) = 0.0475 of 0.25). Source of the count: Karpathy, Johnson and Fei-Fei
2015, arXiv:1506.02078, section 4.2, which uses 0.1."""

DEAD_SPREAD = 0.01
"""A unit is dead if its standard deviation over the text is less than this share of that of the
most active units in its layer. Active units differ by a factor of about ten, so none of them
counts."""

MOST_ACTIVE = 0.05
"""Share of a layer's units, at least one, that count as the most active; the lowest standard
deviation among them is the measure, so that a few extreme units do not make all others dead."""

ROUNDING = 1e-6
"""Standard deviation, relative to the size of h, that float32 rounding alone causes. If the most
active units have no more, the whole layer is dead."""


@dataclass(frozen=True)
class GateActivity:
    """How often one gate of one layer is at an end of its range, over all units and the text."""

    layer: int
    """From 1."""
    gate: Gate
    low_share: float
    """Share of activations at the low end of the range; see END_SHARE."""
    high_share: float


@dataclass(frozen=True)
class LayerActivity:
    """How many units of one layer hardly change."""

    layer: int
    """From 1."""
    units: int
    dead: int
    """See DEAD_SPREAD."""
    silent: int
    """Dead units whose h is always 0: a relu that never fires."""


@dataclass(frozen=True)
class WeightFacts:
    """What is known about a run's last weights."""

    moved: float
    """Root mean square of the change since the start, in units of the initial size that torch gives
    weights, 1/sqrt(3H). It is the larger of the values for the recurrent layers and for the output
    layer, because the output weights of rare tokens do not move. The embedding is left out: it
    begins at N(0, 1), so that its relative change is small."""
    gates: tuple[GateActivity, ...]
    layers: tuple[LayerActivity, ...]


def weight_facts(model: LanguageModel, seed: int, ids: Ids) -> WeightFacts:
    """Measure a model, given the seed of its initial weights and its training text (N,)."""
    gates, layers = _activity(model, ids)
    return WeightFacts(_moved(model, seed), gates, layers)


def _moved(model: LanguageModel, seed: int) -> float:
    """Compare with the initial weights, which are drawn again.

    If another version of torch draws other weights, the distance is large and no rule applies.
    """
    first = dict(LanguageModel(model.settings, model.vocabulary_size, seed).named_parameters())
    added: dict[str, list[Tensor]] = {}
    for name, parameter in model.named_parameters():
        part = name.partition(".")[0]
        if part != "embedding":
            added.setdefault(part, []).append((parameter.cpu() - first[name]).detach().flatten())
    sizes = [float(torch.cat(part).double().square().mean().sqrt()) for part in added.values()]
    return max(sizes) * math.sqrt(3 * model.settings.hidden_size)


def _activity(
    model: LanguageModel, ids: Ids
) -> tuple[tuple[GateActivity, ...], tuple[LayerActivity, ...]]:
    """Measure gates and units while the model reads stretches of the text, without dropout."""
    cell, length = model.recurrent.cell, min(WARM_UP + READ_STEPS, len(ids))
    windows = stretches(ids, length).to(model.output.weight.device)  # (T, B)
    gates, layers = list[GateActivity](), list[LayerActivity]()
    counts = [[_EndCount(gate) for gate in cell.gates] for _ in range(model.recurrent.num_layers)]
    spreads = [_Variation() for _ in counts]
    warm_up = min(WARM_UP, length // 2)
    with torch.inference_mode():
        start = model.zero_state(windows.shape[1])
        for t, layers_now in enumerate(read_layer_by_layer(model.network(), windows, start)):
            if t < warm_up:
                continue
            for layer, (blocks, (h, *_)) in enumerate(layers_now):
                spreads[layer].add(h)
                for ends, block in zip(counts[layer], blocks, strict=True):
                    ends.add(block)
    for number, (of_layer, spread) in enumerate(zip(counts, spreads, strict=True), start=1):
        gates += [ends.activity(number) for ends in of_layer]
        layers.append(spread.activity(number))
    return tuple(gates), tuple(layers)


class _EndCount:
    """Count activations at the ends of a gate's range."""

    def __init__(self, gate: Gate) -> None:
        self.gate = gate
        self.low = self.high = self.all = 0

    def add(self, block: Tensor) -> None:
        width = self.gate.high - self.gate.low
        margin = END_SHARE * width if math.isfinite(width) else 0.0  # relu: no end to be near to
        self.low += int((block < self.gate.low + margin).sum())
        self.high += int((block > self.gate.high - margin).sum())
        self.all += block.numel()

    def activity(self, layer: int) -> GateActivity:
        return GateActivity(layer, self.gate, self.low / self.all, self.high / self.all)


class _Variation:
    """Sum h and h² for each unit, and keep its largest magnitude."""

    def __init__(self) -> None:
        self.count = 0
        self.sum = self.squares = self.largest = torch.zeros(1, dtype=torch.float64)

    def add(self, h: Tensor) -> None:
        h = h.double().cpu()  # (B, H)
        self.count += len(h)
        self.sum = self.sum + h.sum(0)
        self.squares = self.squares + h.square().sum(0)
        self.largest = torch.maximum(self.largest, h.abs().amax(0))

    def activity(self, layer: int) -> LayerActivity:
        mean = self.sum / self.count
        spread = (self.squares / self.count - mean.square()).clamp(min=0).sqrt()
        first = max(1, int(MOST_ACTIVE * len(spread)))
        most_active = float(spread.sort(descending=True).values[first - 1])
        alive = most_active > ROUNDING * float(self.largest.max())
        threshold = DEAD_SPREAD * most_active if alive else math.inf
        dead = spread < threshold
        silent = dead & (self.largest == 0)
        return LayerActivity(layer, len(spread), int(dead.sum()), int(silent.sum()))
