"""Every gate and state of every layer while a network reads a text.

Legend: T time steps, L layers, G gates, S parts of the state, H hidden size.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from rnnlab.engines import Engine
from rnnlab.lm.evaluate import ShareCallback, unwatched
from rnnlab.lm.model import LanguageModel, ModelState
from rnnlab.lm.sampling import not_finite
from rnnlab.probes.reading import Reading

CHUNK_TOKENS = 2048
"""Tokens read in one call. It bounds the memory of a trace that is reduced as it is made."""

Values = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Trace:
    """What a network computes at T time steps."""

    quantities: tuple[str, ...]
    """Names of the gates in the cell's order, then of the parts of the state: i f g o h c."""
    values: Values  # (T, L, G + S, H)

    def __getitem__(self, quantity: str) -> Values:
        """Return one quantity (T, L, H)."""
        return self.values[:, :, self.quantities.index(quantity)]

    def __len__(self) -> int:
        return len(self.values)


def quantities(model: LanguageModel) -> tuple[str, ...]:
    """Return what is traced, see `Trace`. The only gate of an Elman network is its h: once."""
    cell = model.recurrent.cell
    gates = tuple(gate.name for gate in cell.gates if gate.name not in cell.state_names)
    return (*gates, *cell.state_names)


def trace(reading: Reading) -> Trace:
    """Trace a whole text, from a state of zeros: T · L · (G + S) · H numbers in memory."""
    model = reading.model.model
    return Trace(quantities(model), np.concatenate([part.values for part in traces(reading)]))


def traces(reading: Reading, progress: ShareCallback = unwatched) -> Iterator[Trace]:
    """Yield the traces of consecutive parts of a text, each of at most CHUNK_TOKENS.

    An engine that has a trace of its own, `native`, gives a layer's in one call; others compute the
    cell's equations step by step. In float32, dropout off.

    Raises DivergenceError if the network's values have become NaN or infinite.
    """
    text_model = reading.model
    model, compute = text_model.model, text_model.compute
    names, state = quantities(model), model.zero_state(1)
    for begin in range(0, len(reading), CHUNK_TOKENS):
        ids = torch.from_numpy(reading.ids[begin : begin + CHUNK_TOKENS].astype(np.int64))
        # One sequence is too little work for threads to share.
        with compute.with_threads(1).using_threads():
            values, state = _trace(model, ids[:, None].to(compute.device), state, compute.engine)
        # A NaN at one time step is in all units at the next.
        if not np.isfinite(values[-1]).all():
            raise not_finite()
        yield Trace(names, values)
        progress(min(1.0, (begin + CHUNK_TOKENS) / len(reading)))


@torch.no_grad()
def _trace(
    model: LanguageModel, ids: torch.Tensor, state: ModelState, engine: Engine
) -> tuple[Values, ModelState]:
    """Return values (T, L, G + S, H) and the last state for ids (T, 1)."""
    cell, network = model.recurrent.cell, model.network()
    resets = None if model.start is None else ids == model.start
    inputs = network.inputs(ids)
    own_gates = [
        place for place, gate in enumerate(cell.gates) if gate.name not in cell.state_names
    ]
    layers, last = [], []
    for weights, before in zip(network.layers, state, strict=True):
        found = engine.trace(cell, weights, inputs, before, resets)
        inputs = found.states[0]
        gates = found.gates[:, 0, own_gates]  # (T, G, H)
        layers.append(torch.cat([gates, torch.stack([part[:, 0] for part in found.states], 1)], 1))
        last.append(tuple(part[-1] for part in found.states))
    return torch.stack(layers, 1).float().cpu().numpy(), tuple(last)
