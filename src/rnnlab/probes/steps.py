"""The equations of one layer, number by number, for some steps of a text.

For each gate the part of its sum that comes from the input, W_ih x_t + b_ih, the part that comes
from what the layer has, W_hh h_(t-1) + b_hh, and its value; and the state before and after. The sum
of both parts goes through the gate's activation; in the candidate of a GRU the second part is
multiplied by r first. All by the cell as it is written, in float32.

Legend: S steps, G gates, P parts of the state, H hidden size.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import torch

from rnnlab.cells import CELLS, Cell, State, Weights
from rnnlab.cells.cell import project_hidden, project_input
from rnnlab.errors import UsageError
from rnnlab.lm.evaluate import ShareCallback, unwatched
from rnnlab.probes.reading import Reading
from rnnlab.probes.result import ProbeResult
from rnnlab.probes.traces import traces

MOST_STEPS = 256

Values = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Steps(ProbeResult):
    """What one layer computes at S consecutive tokens."""

    name: ClassVar[str] = "steps"
    title: ClassVar[str] = "Step by step"
    axes: ClassVar[dict[str, tuple[str, ...]]] = {
        **dict.fromkeys(("from_input", "from_hidden", "gates"), ("step", "gate", "unit")),
        **dict.fromkeys(("before", "after"), ("step", "part", "unit")),
    }

    cell: str
    layer: int
    first: int
    """The token of the first step."""
    gate_names: tuple[str, ...]
    part_names: tuple[str, ...]
    from_input: Values | None  # (S, G, H); None: of a cell of the user's own it is not known
    from_hidden: Values | None  # (S, G, H)
    gates: Values  # (S, G, H)
    before: Values  # (S, P, H)
    after: Values  # (S, P, H)

    def sentences(self) -> list[str]:
        """See `ProbeResult.sentences`: numbers find nothing by themselves."""
        last = self.first + len(self.gates) - 1
        return [f"Layer {self.layer + 1} at the tokens {self.first} to {last}."]


@torch.no_grad()
def steps(
    reading: Reading, layer: int, first: int, count: int = 1, progress: ShareCallback = unwatched
) -> Steps:
    """Compute the steps of a layer at `count` tokens from `first` on, fewer at the end of the text.

    The text before them is read from a state of zeros.

    Raises UsageError for a layer or a token that does not exist, or more than MOST_STEPS,
    DivergenceError if a value is NaN or infinite.
    """
    model = reading.model.model
    check_layer(reading, layer)
    if not 0 <= first < len(reading):
        raise UsageError(f"first must be 0 to {len(reading) - 1}, a token of the text, not {first}")
    if not 1 <= count <= MOST_STEPS:
        raise UsageError(f"count must be 1 to {MOST_STEPS} steps, not {count}")
    count = min(count, len(reading) - first)
    cell, network = model.recurrent.cell, model.network()
    weights, device = network.layers[layer], network.output_bias.device
    states, below = _read(reading.first(first + count), layer, first, progress)
    ids = torch.from_numpy(reading.ids[first : first + count].astype(np.int64)).to(device)
    inputs = network.inputs(ids) if layer == 0 else torch.from_numpy(below).to(device)
    state: State = tuple(torch.from_numpy(part)[None].to(device) for part in states)
    rows = []
    for token, x in zip(ids.tolist(), inputs, strict=True):
        if token == model.start:
            state = tuple(torch.zeros_like(part) for part in state)
        gates = cell.activations(x[None], state, weights)
        after = cell.update(gates, state)
        parts = _parts(cell, x[None], state, weights)
        rows.append((*parts, torch.stack(gates, 1), torch.stack(state, 1), torch.stack(after, 1)))
        state = after
    columns = [torch.cat(column).float().cpu().numpy() for column in zip(*rows, strict=True)]
    *sums, gates_found, before, after_found = columns
    from_input, from_hidden = sums or (None, None)
    return Steps(
        cell.name, layer, first, tuple(gate.name for gate in cell.gates), cell.state_names,
        from_input, from_hidden, gates_found, before, after_found,
    )  # fmt: skip


def check_layer(reading: Reading, layer: int) -> None:
    """Raise UsageError for a layer that does not exist."""
    last = reading.model.network.settings.num_layers - 1
    if not 0 <= layer <= last:
        raise UsageError(f"layer must be 0 to {last}, not {layer}")


def _parts(cell: Cell, x: torch.Tensor, state: State, weights: Weights) -> list[torch.Tensor]:
    """Return both parts of the sums, each (1, G, H); nothing for a cell of the user's own."""
    if cell.name not in CELLS:
        return []
    both = project_input(x, weights), project_hidden(state[0], weights)
    return [part.view(len(part), cell.num_gates, -1) for part in both]


def _read(
    reading: Reading, layer: int, first: int, progress: ShareCallback
) -> tuple[list[Values], Values]:
    """Return a layer's state before `first`, parts (H,), and what the layer below gives (S, H)."""
    model = reading.model.model
    names, H = model.recurrent.cell.state_names, model.recurrent.hidden_size
    states, below, begin = [np.zeros(H, np.float32) for _ in names], [], 0
    for part in traces(reading, progress):
        if begin <= first - 1 < begin + len(part):
            states = [part[name][first - 1 - begin, layer].copy() for name in names]
        if layer and begin + len(part) > first:
            below.append(part["h"][max(0, first - begin) :, layer - 1])
        begin += len(part)
    return states, np.concatenate(below) if below else np.zeros((0, H), np.float32)
