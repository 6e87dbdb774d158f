"""Scores networks of torch on held-out text, under the context rules of `rnnlab.lm.evaluate`."""

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from quality_opponents import Network

from rnnlab.data.tokenizer import Ids

Floats = npt.NDArray[np.float64]

CHUNK_STEPS, CHUNK_COLUMNS = 256, 64
"""Most that is scored at once. It bounds memory and does not change the result."""
STRIDE = 0.25
"""Share of its block by which a Transformer's window moves on."""


def target_nats(network: Network, ids: Ids, context: str) -> Floats:
    """Return -ln p (N-1,) of each target of `ids` (N,); see `rnnlab.lm.evaluate` for contexts.

    A Transformer slides its block over the text, or over each window: see `sliding_windows`.
    """
    nats = np.empty(len(ids) - 1)
    size = len(nats) if context == "carried" else int(context.removeprefix("windows:"))
    whole = len(nats) // size * size
    for part in (slice(0, whole), slice(whole, None)):
        if len(nats[part]):
            shape = (-1, min(size, len(nats[part])))
            inputs, targets = (array[part].reshape(shape) for array in (ids[:-1], ids[1:]))
            nats[part] = _rows_nats(network, inputs, targets).ravel()
    return nats


@torch.no_grad()
def _rows_nats(network: Network, inputs: Ids, targets: Ids) -> Floats:
    """Return -ln p (R, T) of targets; each row is a text of its own."""
    nats, (R, T) = np.empty(inputs.shape), inputs.shape
    if network.block is None:
        for rows in (slice(r, r + CHUNK_COLUMNS) for r in range(0, R, CHUNK_COLUMNS)):
            state = None
            for steps in (slice(t, t + CHUNK_STEPS) for t in range(0, T, CHUNK_STEPS)):
                found, state = _nats(network, inputs[rows, steps], targets[rows, steps], state)
                nats[rows, steps] = found
        return nats
    starts, firsts = sliding_windows(T, network.block)
    row, window = (index.ravel() for index in np.indices((R, len(starts))))
    for begin in range(0, len(row), CHUNK_COLUMNS):
        r, w = (index[begin : begin + CHUNK_COLUMNS, None] for index in (row, window))
        places = starts[w] + np.arange(min(network.block, T))
        found, _ = _nats(network, inputs[r, places], targets[r, places], None)
        new = places >= firsts[w]
        nats[np.broadcast_to(r, places.shape)[new], places[new]] = found[new]
    return nats


def sliding_windows(length: int, block: int) -> tuple[Ids, Ids]:
    """Return where windows of min(block, length) tokens begin, and the first target of each.

    The first one predicts all of its targets. The others move on by a quarter of a block and
    predict what is new, so that every later target is predicted from at least three quarters of a
    block.
    """
    stride = max(1, int(block * STRIDE))
    ends = np.minimum(np.arange(min(block, length), length + stride, stride), length)
    firsts = np.concatenate([[0], ends[:-1]])
    return ends - min(block, length), firsts


def _nats(network: Network, inputs: Ids, targets: Ids, state: Any) -> tuple[Floats, Any]:
    """Return -ln p (B, T) of targets, and the next state."""
    ids = torch.from_numpy(np.ascontiguousarray(inputs.T, np.int64))
    expected = torch.from_numpy(np.ascontiguousarray(targets.T, np.int64))
    logits, state = network(ids, state)
    nats = F.cross_entropy(logits.flatten(0, 1).double(), expected.flatten(), reduction="none")
    return nats.view(expected.shape).T.numpy(), state
