"""The gradients of a simple recurrent network, by each of rnnlab's engines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rnnlab.cells import CELLS, Weights
from rnnlab.engines import choose_engine, list_engines

if TYPE_CHECKING:
    from torch import Tensor


def engine_gradients(
    ids: Tensor, targets: Tensor, weights: Sequence[Tensor], h: Tensor | None = None
) -> dict[str, tuple[Tensor, ...]]:
    """Return the derivatives of L by W_xh, W_hh, b, W_hy and c, for each engine that runs here.

    L is the sum of -ln y_t[target] [nats] over ids and targets (T, B) of one or more texts;
    weights: these five, float32. h: the state before (B, H), default: zeros.
    """
    import torch
    from torch.nn.functional import cross_entropy

    W_xh, W_hh, b, W_hy, c = weights
    start = torch.zeros(ids.shape[1], len(b)) if h is None else h
    found = {}
    for name in [engine.name for engine in list_engines() if not engine.fault]:
        engine, _ = choose_engine(name, "rnn", "cpu")
        layer = Weights(W_xh, W_hh, b, torch.zeros_like(b))
        hs, _ = engine.run(CELLS["rnn"], layer, ids, (start,))
        z = hs @ W_hy.T + c
        loss = cross_entropy(z.flatten(0, 1), targets.flatten(), reduction="sum")
        found[name] = torch.autograd.grad(loss, list(weights))
    return found
