"""What the last weights of a run are, and what gates and units do while they read its text.

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
"""Tokens of each stretch that count, after WARM_UP others: with 32 stretches 4,800 moments."""

END = 0.05
"""An activation is at an end of its range when it is nearer to it than this share of the range:
below 0.05 or above 0.95 for a sigmoid, beyond -0.9 or 0.9 for tanh. There the slope, and with it
the gradient that passes, is less than a fifth of the steepest (a(1-a) = 0.0475 of 0.25). Counting
saturated gates over a text: Karpathy, Johnson and Fei-Fei 2015, arXiv:1506.02078, section 4.2,
there from 0.1 on."""

STILL = 0.01
"""A unit is dead when it varies less over the text than this share of what its layer's liveliest
do. The spread of live units differs by a factor of about ten, so a hundred leaves them alone."""

LIVELIEST = 0.05
"""Share of a layer's units, at least one, whose least spread is that measure: a few that have run
away from all others do not make those dead."""

ROUNDING = 1e-6
"""Spread of a unit that its float32 arithmetic makes, beside the size of its h: a layer whose
liveliest unit has no more is dead as a whole."""


@dataclass(frozen=True)
class GateActivity:
    """Where one gate of one layer is, over all its units and the text."""

    layer: int
    """From 1."""
    gate: Gate
    low_share: float
    """Of activations at the low end of the range, see END."""
    high_share: float


@dataclass(frozen=True)
class LayerActivity:
    """How many units of one layer never change."""

    layer: int
    """From 1."""
    units: int
    dead: int
    """See STILL."""
    silent: int
    """Those of the dead whose h is 0 all along: a relu that never fires."""


@dataclass(frozen=True)
class WeightFacts:
    """What is known of a run's last weights."""

    moved: float
    """Root mean square of what was added to a weight since the start, in units of the size that
    torch's initialisation gives it, 1/sqrt(3H). Over the recurrent layers or over the output layer,
    whichever is more: of a large vocabulary most tokens are so rare that what belongs to them stays
    where it is. An embedding begins at N(0, 1), beside which all movement looks small."""
    gates: tuple[GateActivity, ...]
    layers: tuple[LayerActivity, ...]


def weight_facts(model: LanguageModel, seed: int, ids: Ids) -> WeightFacts:
    """Look at a model, the seed that its weights were drawn with, and its training text (N,)."""
    gates, layers = _activity(model, ids)
    return WeightFacts(_moved(model, seed), gates, layers)


def _moved(model: LanguageModel, seed: int) -> float:
    """Draw the first weights again. A torch that draws others makes the distance large, and then
    no rule speaks."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        first = dict(LanguageModel(model.settings, model.vocabulary_size).named_parameters())
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
    """Read stretches of the text by the cell's own equations, dropout off."""
    cell, length = model.recurrent.cell, min(WARM_UP + READ_STEPS, len(ids))
    windows = stretches(ids, length).to(model.output.weight.device)  # (T, B)
    gates, layers = list[GateActivity](), list[LayerActivity]()
    counts = [[_Ends(gate) for gate in cell.gates] for _ in range(model.recurrent.num_layers)]
    spreads = [_Spread() for _ in counts]
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


class _Ends:
    """Counts activations at the ends of a gate's range."""

    def __init__(self, gate: Gate) -> None:
        self.gate = gate
        self.low = self.high = self.all = 0

    def add(self, block: Tensor) -> None:
        width = self.gate.high - self.gate.low
        margin = END * width if math.isfinite(width) else 0.0  # relu: nothing lies beyond an end
        self.low += int((block < self.gate.low + margin).sum())
        self.high += int((block > self.gate.high - margin).sum())
        self.all += block.numel()

    def activity(self, layer: int) -> GateActivity:
        return GateActivity(layer, self.gate, self.low / self.all, self.high / self.all)


class _Spread:
    """Gathers sums of h and h² by unit, and its largest size."""

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
        first = max(1, int(LIVELIEST * len(spread)))
        liveliest = float(spread.sort(descending=True).values[first - 1])
        live = liveliest > ROUNDING * float(self.largest.max())
        dead = spread < STILL * liveliest if live else torch.ones_like(spread, dtype=torch.bool)
        silent = dead & (self.largest == 0)
        return LayerActivity(layer, len(spread), int(dead.sum()), int(silent.sum()))
