"""What a unit is for: what the text costs more when the unit is switched off.

The memory of one unit, the c of an LSTM and the h of other cells, is held at one value while the
text is read in windows. Each window begins with the state that the whole network has there. The
value is the unit's mean, or its value at another moment of the text, one for each window.

A unit that is held is a network with other weights: its gates keep what it has, and its memory
begins with the value; see `holding`.

The control are directions drawn at random in the space of all memories of a layer: the part of the
memory along the direction is taken out, to such a degree that the change has the variance of a
unit's. A unit stands out if it costs more, with its whole interval, than one more control of its
variance does by chance: 5% for all units together, see `twin_limit`.

Source: Lakretz et al. 2019, arXiv:1903.07435, section 4.

Legend: L layers, H hidden size, B windows, T tokens of a window, C controls.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from scipy.stats import t as student
from torch import Tensor

from rnnlab.cells import State
from rnnlab.engines import Network
from rnnlab.errors import CorpusError, UsageError
from rnnlab.lm.evaluate import Floats, ShareCallback, unwatched
from rnnlab.lm.model import ModelState
from rnnlab.probes.holding import check_holdable, keeping
from rnnlab.probes.reading import Reading
from rnnlab.probes.result import ProbeResult
from rnnlab.probes.traces import traces
from rnnlab.probes.twin_limit import twin_limit

LARGEST_WINDOW = 250
WINDOWS = 8
"""At least so many, for the interval."""

CONTROLS = 24
CONTROL_TOKENS = 3_000
"""Controls are read step by step, so on a part of the text."""

MAX_CELLS = 4_000_000
"""Logits in memory at a time."""


@dataclass(frozen=True)
class Ablation(ProbeResult):
    """What it costs to hold each unit, in bits per character more than the whole network."""

    name: ClassVar[str] = "ablation"
    title: ClassVar[str] = "What a unit is for"
    axes: ClassVar[dict[str, tuple[str, ...]]] = {
        **dict.fromkeys(
            ("at_mean", "at_another_moment", "half_width", "variance", "limit"), ("layer", "unit")
        ),
        **dict.fromkeys(("control_cost", "control_variance"), ("layer", "control")),
    }

    bits_per_character: float
    """Of the whole network alone, on the same windows."""
    tokens: int
    at_mean: Floats  # (L, H)
    at_another_moment: Floats  # (L, H)
    half_width: Floats  # (L, H) of the 95% interval of at_mean, over windows
    variance: Floats  # (L, H) of the memory
    control_cost: Floats  # (L, C)
    control_variance: Floats  # (L, C)
    limit: Floats  # (L, H) of the cost of one more control of the same variance

    @property
    def stands_out(self) -> npt.NDArray[np.bool_]:
        """Which units cost more than their limit, with their whole interval, (L, H)."""
        found: npt.NDArray[np.bool_] = self.at_mean - self.half_width > np.maximum(0.0, self.limit)
        return found

    def sentences(self) -> list[str]:
        """See `ProbeResult.sentences`."""
        out, units = self.stands_out, self.at_mean.size
        if not out.any():
            return [
                f"Nothing found beyond the control: of {units} units, switched off one by one, "
                "none costs more than random directions of the same variance."
            ]
        layer, unit = np.unravel_index(np.argmax(np.where(out, self.at_mean, -1)), out.shape)
        return [
            f"{int(out.sum())} of {units} units cost more than random directions of the same "
            "variance when they are switched off.",
            f"Unit {unit} of layer {layer + 1} costs most: {self.at_mean[layer, unit]:.3f} ± "
            f"{self.half_width[layer, unit]:.3f} bits per character at its mean, "
            f"{self.at_another_moment[layer, unit]:.3f} with its value of another moment; random "
            f"directions reach {self.limit[layer, unit]:.3f} by chance.",
        ]


def ablation(
    reading: Reading,
    seed: int = 0,
    progress: ShareCallback = unwatched,
) -> Ablation:
    """Switch off every unit; seed: of the moments and of the directions.

    Raises CorpusError for a text that is too short for WINDOWS windows of two tokens, UsageError
    for a model of samples, whose memory is set to zero before each of them, or for a cell of the
    user's own.
    """
    if reading.model.network.start is not None:
        raise UsageError(
            "a model of samples begins each with a memory of zero, so that no unit can be held; "
            "ablation needs a model of running text"
        )
    check_holdable(reading.model.network.settings.cell, "ablation")
    windows = _Windows.of(reading)
    L, H = windows.memory.shape[1:]
    random = np.random.default_rng(seed)
    whole = windows.cost(windows.network, windows.state)  # (B,)
    at_mean, other = np.empty((L, H, len(whole))), np.empty((L, H))
    for layer in range(L):
        for unit in range(H):
            values = windows.memory[:, layer, unit]
            at_mean[layer, unit] = windows.holding(layer, unit, values.mean(keepdims=True)) - whole
            elsewhere = values[random.integers(0, len(values), windows.values)]
            other[layer, unit] = (windows.holding(layer, unit, elsewhere) - whole).mean()
            progress(0.8 * (layer * H + unit + 1) / (L * H))
    variance = windows.memory.var(0)
    controls = [_controls(windows, layer, variance[layer], random) for layer in range(L)]
    progress(1.0)
    cost, spread = (np.stack(part) for part in zip(*controls, strict=True))
    B = len(whole)
    by_chance = [_by_chance(*each) for each in zip(variance, spread, cost, strict=True)]
    half = student.ppf(0.975, B - 1) * at_mean.std(2, ddof=1) / np.sqrt(B)
    return Ablation(
        float(whole.mean()), windows.tokens, at_mean.mean(2), other, half, variance, cost, spread,
        twin_limit(np.hstack(by_chance)).reshape(L, H),
    )  # fmt: skip


def _by_chance(variance: Floats, control_variance: Floats, control_cost: Floats) -> Floats:
    """Return the costs (C, H) that the controls would have if they changed as much as each unit.

    The size of a change is the root of its variance; what a change costs is about in proportion.
    """
    sizes = np.sqrt(np.maximum(control_variance, 1e-12))
    found: Floats = (control_cost / sizes)[:, None] * np.sqrt(variance)
    return found


@dataclass
class _Windows:
    """The windows of a text, the states in which they begin, and all memories of the text."""

    reading: Reading
    network: Network
    ids: Tensor  # (T, B)
    targets: Tensor  # (T, B)
    state: ModelState
    memory: Floats  # (T · B, L, H)
    characters: Floats  # (B,) of the targets of each window

    @classmethod
    def of(cls, reading: Reading) -> "_Windows":
        count = len(reading) - 1
        length = min(LARGEST_WINDOW, count // WINDOWS)
        if length < 2:
            raise CorpusError(
                f"a text of {len(reading)} tokens is too short for an ablation; it needs "
                f"{2 * WINDOWS + 1}"
            )
        B = count // length
        places = np.arange(B * length).reshape(B, length).T  # (T, B)
        model, device = reading.model.model, reading.model.compute.device
        names = model.recurrent.cell.state_names
        begins = length * np.arange(B)
        states = np.zeros((len(names), model.recurrent.num_layers, B, model.recurrent.hidden_size))
        memories, begin = [], 0
        for part in traces(reading.first(B * length)):
            memories.append(part[names[-1]])
            at = begins - 1 - begin
            here = (at >= 0) & (at < len(part))
            for s, name in enumerate(names):
                states[s][:, here] = part[name][at[here]].transpose(1, 0, 2)
            begin += len(part)
        state = tuple(
            tuple(torch.from_numpy(part[layer]).float().to(device) for part in states)
            for layer in range(model.recurrent.num_layers)
        )
        ids, targets = (
            torch.from_numpy(reading.ids[places + k].astype(np.int64)).to(device) for k in (0, 1)
        )
        ends = reading.ends[np.append(begins, B * length)].astype(float)
        network = model.network()
        # What each token brings to the first layer is the same for all units: computed once.
        if reading.model.compute.engine.gathers and len(network.output_bias) <= ids.numel():
            network = network.looking_up()
        return cls(
            reading, network, ids, targets, state,
            np.concatenate(memories).astype(np.float64), np.maximum(1.0, np.diff(ends)),
        )  # fmt: skip

    @property
    def tokens(self) -> int:
        return self.ids.numel()

    @torch.no_grad()
    def cost(self, network: Network, state: ModelState) -> Floats:
        """Return the bits per character (B,) of each window, read from a state."""
        compute = self.reading.model.compute
        values = network.inputs(self.ids)
        with compute.using_threads():
            for weights, before in zip(network.layers, state, strict=True):
                values, _ = compute.engine.run(network.cell, weights, values, before)
            return self.bits(network, values, self.targets, self.characters)

    def bits(self, network: Network, h: Tensor, targets: Tensor, characters: Floats) -> Floats:
        """Return bits per character (B,) from outputs (T, B, H)."""
        T, B, V = *h.shape[:2], len(network.output_bias)
        nats, step = torch.zeros(B, dtype=torch.float64), max(1, MAX_CELLS // (B * V))
        for t in range(0, T, step):
            logits = F.linear(h[t : t + step], network.output_weight, network.output_bias)
            losses = F.cross_entropy(
                logits.flatten(0, 1), targets[t : t + step].flatten(), reduction="none"
            )
            nats += losses.view(-1, B).double().sum(0).cpu()
        found: Floats = nats.numpy() / np.log(2) / characters
        return found

    @property
    def values(self) -> int:
        """How many values a unit is held at: one for each window, if a gate can keep them."""
        return 1 if self.network.cell.num_gates == 1 else self.ids.shape[1]

    def holding(self, layer: int, unit: int, values: Floats) -> Floats:
        """Return the bits per character (B,) while a unit's memory is one of `values` (1 or B,)."""
        layers, state = list(self.network.layers), list(self.state)
        layers[layer] = keeping(self.network.cell, layers[layer], unit, float(values[0]))
        *others, memory = (part.clone() for part in state[layer])
        memory[:, unit] = torch.from_numpy(values).to(memory)
        state[layer] = (*others, memory)
        return self.cost(self.network._replace(layers=tuple(layers)), tuple(state))


@torch.no_grad()
def _controls(
    windows: _Windows, layer: int, variance: Floats, random: np.random.Generator
) -> tuple[Floats, Floats]:
    """Return costs and variances (C,) of changes along random directions of a layer's memory.

    The variances are evenly spaced among those of the units. All directions are read as one batch.
    """
    network, steps = windows.network, max(2, CONTROL_TOKENS // windows.ids.shape[1])
    ids, targets = windows.ids[:steps], windows.targets[:steps]
    B, C, H = ids.shape[1], CONTROLS, len(variance)
    share = windows.characters * len(ids) / len(windows.ids)
    wanted = np.quantile(variance, (np.arange(C) + 0.5) / C)
    directions = random.standard_normal((C, H))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    along = windows.memory[:, layer] @ directions.T  # (N, C)
    strength = np.sqrt(wanted / np.maximum(along.var(0), 1e-12))
    state = windows.state

    def as_tensor(values: Floats) -> Tensor:
        return torch.from_numpy(values).to(state[0][0])

    u, means, s = as_tensor(directions), as_tensor(along.mean(0)), as_tensor(strength)

    def changed(memory: Tensor) -> Tensor:  # (C · B, H), and the B of the whole network at the end
        of = memory[: C * B].view(C, B, H)
        away = torch.einsum("cbh,ch->cb", of, u) - means[:, None]
        of = of - (s[:, None] * away)[..., None] * u[:, None]
        return torch.cat([of.reshape(C * B, H), memory[C * B :]])

    states = [tuple(part.repeat(C + 1, 1) for part in parts) for parts in state]
    outputs = []
    for now in ids.repeat(1, C + 1):  # ((C + 1) · B,)
        x = network.inputs(now)
        for number, weights in enumerate(network.layers):
            gates = network.cell.activations(x, states[number], weights)
            after = network.cell.update(gates, states[number])
            if number == layer:
                after = _with_memory(gates, after, changed(after[-1]))
            states[number], x = after, after[0]
        outputs.append(x)
    h = torch.stack(outputs)
    found = windows.bits(network, h, targets.repeat(1, C + 1), np.tile(share, C + 1))
    costs = found.reshape(C + 1, B).mean(1)
    return costs[:C] - costs[C], wanted


def _with_memory(gates: tuple[Tensor, ...], state: State, memory: Tensor) -> State:
    """Return the state with another memory: of an LSTM h is o tanh(c)."""
    if len(state) == 1:
        return (memory,)
    return (gates[3] * torch.tanh(memory), memory)
