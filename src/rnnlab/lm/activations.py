"""What every layer of a model computes while it reads a text.

Legend: T time steps, B batch, H hidden size.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from rnnlab.cells import State
from rnnlab.data.tokenizer import Ids
from rnnlab.engines import Network
from rnnlab.errors import CorpusError
from rnnlab.lm.model import ModelState

WINDOWS = 32
"""Number of stretches that a text is sampled by."""

WARM_UP = 50
"""Tokens that a model reads before its activations count. From a state of zeros the gates of a
trained model are not yet where they are in the middle of a text."""


class LayerStep(NamedTuple):
    """What one layer computes in one time step."""

    gates: tuple[Tensor, ...]  # each (B, H), in the order of the cell's gates
    state: State  # the new state, each part (B, H)


def read_layer_by_layer(
    network: Network, ids: Tensor, state: ModelState
) -> Iterator[list[LayerStep]]:
    """Read ids (T, B) by the cell's own equations, dropout off; yield every layer's step.

    Instead of ids, vectors (T, B, E) may be given, those that `embedded` returns.

    The h in a yielded state is a copy. The layer above reads the original in the same time step, so
    a derivative with respect to the copy follows the paths through time alone.
    """
    for x in ids if ids.is_floating_point() else network.inputs(ids):  # (B,) or (B, E)
        steps = []
        for weights, before in zip(network.layers, state, strict=True):
            gates = network.cell.activations(x, before, weights)
            x, *rest = network.cell.update(gates, before)
            steps.append(LayerStep(gates, (x.clone(), *rest)))
        state = tuple(step.state for step in steps)
        yield steps


def embedded(network: Network, ids: Tensor) -> Tensor:
    """Return the vectors (T, B, E) by which ids (T, B) enter a network; one-hot rows have E = V."""
    if network.embedding is None:
        return F.one_hot(ids, len(network.output_weight)).to(network.output_weight.dtype)
    return network.inputs(ids)


def stretches(ids: Ids, length: int, most: int = WINDOWS) -> Tensor:
    """Cut stretches of a text that begin at even distances, shape (length, B), B at most `most`.

    They overlap if the text is short. Raises CorpusError if it is shorter than one of them.
    """
    last = len(ids) - length
    if last < 0:
        raise CorpusError(
            f"a text of {len(ids)} tokens is too short to follow the gradient; it needs {length}"
        )
    starts = np.linspace(0, last, min(most, last + 1)).astype(np.int64)
    return torch.from_numpy(ids[starts + np.arange(length)[:, None]].astype(np.int64))
