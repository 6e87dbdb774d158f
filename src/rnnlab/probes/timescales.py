"""How long each unit keeps what it has: from its gate, and measured.

If a gate of constant value f multiplies a cell at each step, what was in it decays as f^k, so

    τ_j = -1 / ln(mean f_j)      [tokens]

with the forget gate of an LSTM, and in a GRU the update gate z, which keeps the old state in
torch's convention. That leaves out what a unit tells the others and gets back, so it is checked:
the memory of one unit is changed a little at some moments of the text, the change Δ_j is followed
for STEPS tokens, and the slope of the mean of ln |Δ_j(k)| over k gives the measured τ.

Sources: Tallec and Ollivier 2018, arXiv:1804.11188, section 2; Mahto et al. 2021, arXiv:2009.12727.

Legend: L layers, H hidden size, T time steps, M moments.
"""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import torch
from scipy.stats import spearmanr

from rnnlab.cells import CELLS, short_name
from rnnlab.errors import CorpusError, UsageError
from rnnlab.lm.evaluate import Floats, ShareCallback, unwatched
from rnnlab.lm.model import ModelState
from rnnlab.probes.reading import Reading
from rnnlab.probes.result import ProbeResult
from rnnlab.probes.traces import traces
from rnnlab.probes.twin import DEFAULT_SEED, untrained_twin

KEEPING = {"lstm": ("f", "c"), "gru": ("z", "h")}
"""For each cell the gate that keeps, and the part of the state that it keeps."""

STEPS = 60
MOMENTS = 8
SIZE = 0.1
"""Of a change, in standard deviations of the unit."""
FLOOR = 1e-3
"""Of a change, as a share of its beginning; what is smaller is rounding, and is not fitted."""

LONG = 20.0
"""Tokens; the findings name the units that keep longer."""


@dataclass(frozen=True)
class Timescales(ProbeResult):
    """Times in tokens, of the trained network and of its untrained twin."""

    name: ClassVar[str] = "timescales"
    title: ClassVar[str] = "Timescales"
    axes: ClassVar[dict[str, tuple[str, ...]]] = dict.fromkeys(
        ("gate", "tau", "measured", "twin_tau"), ("layer", "unit")
    )

    gate_name: str
    gate: Floats  # (L, H) mean value of the gate
    tau: Floats  # (L, H) from the gate
    measured: Floats  # (L, H) from changes; infinite if a change does not decay
    twin_tau: Floats  # (L, H)

    @property
    def agreement(self) -> float:
        """Spearman's rank correlation of both times, over all units."""
        return float(spearmanr(self.tau.ravel(), self.measured.ravel()).statistic)

    def sentences(self) -> list[str]:
        """See `ProbeResult.sentences`."""
        long, twin = int((self.tau > LONG).sum()), int((self.twin_tau > LONG).sum())
        about = (
            f"Half of the units keep what they have for {np.median(self.tau):.1f} tokens and less, "
            f"the longest for {self.tau.max():.0f} (untrained: {np.median(self.twin_tau):.1f} and "
            f"{self.twin_tau.max():.0f})."
        )
        if long <= twin:
            return [about, f"Nothing found beyond the control: {long} units keep longer than "
                           f"{LONG:.0f} tokens, untrained {twin}."]  # fmt: skip
        return [
            about,
            f"{long} of {self.tau.size} units keep longer than {LONG:.0f} tokens, untrained "
            f"{twin}. The order of the units is the same when a change is followed instead, with a "
            f"rank correlation of {self.agreement:.2f}.",
        ]


def timescales(
    reading: Reading,
    seed: int = DEFAULT_SEED,
    progress: ShareCallback = unwatched,
) -> Timescales:
    """Measure the times of all units; seed: of the run, for the untrained twin.

    Raises UsageError for other cells, which have no gate that keeps, or none that is known;
    CorpusError if the text is too short to follow a change.
    """
    cell = reading.model.model.recurrent.cell
    if cell.name not in KEEPING:
        keeps = "keeps" if cell.name in CELLS else "is known to keep"
        raise UsageError(
            f"cell {short_name(cell.name)!r} has no gate that {keeps}; timescales need one (cells: "
            "lstm, gru)"
        )
    if len(reading) < 2 * STEPS:
        raise CorpusError(
            f"a text of {len(reading)} tokens is too short to follow a change over {STEPS}; it "
            f"needs {2 * STEPS}"
        )
    gate, spread, moments = _read(reading, lambda share: progress(0.4 * share))
    untrained = replace(reading, model=untrained_twin(reading.model, seed))
    twin, _, _ = _read(untrained, lambda share: progress(0.4 + 0.2 * share))
    measured = _follow(reading, spread, moments, lambda share: progress(0.6 + 0.4 * share))
    return Timescales(KEEPING[cell.name][0], gate, _tau(gate), measured, _tau(twin))


def _tau(gate: Floats) -> Floats:
    found: Floats = -1 / np.log(np.clip(gate, 1e-12, 1 - 1e-9))
    return found


def _read(
    reading: Reading, progress: ShareCallback
) -> tuple[Floats, Floats, list[tuple[int, ModelState]]]:
    """Return means of the gate (L, H), standard deviations of the memory (L, H), and M moments.

    A moment is the number of a token and the state after it.
    """
    model = reading.model.model
    gate_name, memory_name = KEEPING[model.recurrent.cell.name]
    last = len(reading) - 1 - STEPS
    wanted = np.unique(np.linspace(STEPS // 2, last, MOMENTS).astype(int)).tolist()
    gate = sums = squares = np.zeros(1)
    moments, begin = list[tuple[int, ModelState]](), 0
    for part in traces(reading, progress):
        memory = part[memory_name].astype(np.float64)
        gate = gate + part[gate_name].sum(0, dtype=np.float64)
        sums, squares = sums + memory.sum(0), squares + (memory**2).sum(0)
        for place in wanted:
            if begin <= place < begin + len(part):
                state = tuple(
                    tuple(
                        torch.from_numpy(part[name][place - begin, layer])[None]
                        for name in model.recurrent.cell.state_names
                    )
                    for layer in range(model.recurrent.num_layers)
                )
                moments.append((place, state))
        begin += len(part)
    mean = sums / begin
    return gate / begin, np.sqrt(np.maximum(0.0, squares / begin - mean**2)), moments


@torch.no_grad()
def _follow(
    reading: Reading,
    spread: Floats,
    moments: list[tuple[int, ModelState]],
    progress: ShareCallback,
) -> Floats:
    """Return the times (L, H) in which changes of the memory of single units decay."""
    model, compute = reading.model.model, reading.model.compute
    cell, network = model.recurrent.cell, model.network()
    part = cell.state_names.index(KEEPING[cell.name][1])
    H, L = model.recurrent.hidden_size, model.recurrent.num_layers
    logs = np.zeros((L, H, STEPS))
    counts = np.zeros((L, H, STEPS))
    for number, (place, state) in enumerate(moments):
        ids = torch.from_numpy(reading.ids[place + 1 : place + 1 + STEPS].astype(np.int64))
        inputs = network.inputs(ids[:, None].to(compute.device))
        for layer, (weights, before) in enumerate(zip(network.layers, state, strict=True)):
            before = tuple(values.to(compute.device) for values in before)
            size = torch.from_numpy(SIZE * spread[layer]).to(before[part])
            changed = [values.expand(H, -1).clone() for values in before]
            changed[part] += torch.diag(size)
            # Row j has the memory of unit j changed.
            many = inputs.expand(-1, H, *inputs.shape[2:]).contiguous()
            with compute.using_threads():
                plain = compute.engine.trace(cell, weights, inputs, before)
                found = compute.engine.trace(cell, weights, many, tuple(changed))
            own = torch.diagonal(found.states[part], dim1=1, dim2=2)  # (T, H)
            change = (own - plain.states[part][:, 0]).abs().double().cpu().numpy().T  # (H, T)
            is_seen = np.cumprod(change > FLOOR * SIZE * spread[layer][:, None], axis=1) > 0
            logs[layer] += np.where(is_seen, np.log(np.maximum(change, 1e-300)), 0.0)
            counts[layer] += is_seen
            inputs = plain.states[0]
        progress((number + 1) / len(moments))
    return _times(logs, counts, np.log(np.maximum(SIZE * spread, 1e-300)), len(moments))


def _times(logs: Floats, counts: Floats, start: Floats, moments: int) -> Floats:
    """Return -1 / slope (L, H) of mean ln |Δ| over k = 0 .. , as far as all moments are seen."""
    is_seen = counts == moments
    y = np.concatenate([start[..., None], logs / moments], axis=2)
    weight = np.concatenate([np.ones((*start.shape, 1)), is_seen], axis=2)
    k = np.arange(y.shape[2])
    total = weight.sum(2)
    mean_k, mean_y = (weight * k).sum(2) / total, (weight * y).sum(2) / total
    away = k - mean_k[..., None]
    spread = (weight * away**2).sum(2)
    slope = (weight * away * (y - mean_y[..., None])).sum(2) / np.where(spread > 0, spread, np.nan)
    # A change that is gone after one token: at most as long as it takes to reach the floor.
    slope = np.where(np.isnan(slope), np.log(FLOOR), slope)
    with np.errstate(divide="ignore"):
        return np.where(slope < 0, -1 / np.minimum(slope, -1e-300), np.inf)
