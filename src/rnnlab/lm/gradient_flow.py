r"""How the gradient flows back through time.

What a loss at time T says about the state k steps before it is a product of k Jacobians,

.. math:: \frac{\partial L_T}{\partial h_{T-k}} = \frac{\partial L_T}{\partial h_T}
          \prod_{t=T-k+1}^{T} \frac{\partial h_t}{\partial h_{t-1}},

and its norm shrinks or grows about exponentially with k: Hochreiter 1991, "Untersuchungen zu
dynamischen neuronalen Netzen", chapter 3; Bengio, Simard and Frasconi 1994, IEEE Transactions on
Neural Networks 5(2), section IV; in this notation Pascanu, Mikolov and Bengio 2013,
arXiv:1211.5063, section 2.
"""

import math
import sys
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from rnnlab.cells import Cell, Weights
from rnnlab.data.tokenizer import Ids
from rnnlab.errors import UsageError
from rnnlab.lm.model import LanguageModel, ModelState

WINDOWS = 32
"""Stretches of the text that the norms are means over."""

WARM_UP = 50
"""Tokens that the model reads before the first h that counts. From a state of zeros the gates of a
trained model are not yet where they are in the middle of a text."""


def gradient_norms(model: LanguageModel, ids: Ids, steps: int) -> list[float]:
    """Return ||dL_T/dh_(T-k)|| for k = 0 .. steps, each a mean over windows of `ids` (N,).

    L_T is the cross entropy [nats] of one token after WARM_UP + steps others. The windows are
    spread evenly over the text and overlap where it is short. Textbook equations, float64,
    dropout off.

    h_t is what step t hands to step t+1, of all layers together: one vector of L·H numbers. What
    else is handed on, the LSTM's c_t, counts as an input of its own that is held fixed, so paths
    from h_(T-k) through later c are in the derivative, those that begin in c_(T-k) are not.

    Raises UsageError where the text has no window that is long enough.
    """
    windows = stretches(ids, WARM_UP + steps + 1)  # (WARM_UP + steps + 1, B)
    layers = [
        Weights(*(_fixed(parameter) for parameter in weights))
        for weights in model.recurrent.weights()
    ]
    embedding = None if model.embedding is None else _fixed(model.embedding.weight)
    inputs = windows[:-1] if embedding is None else F.embedding(windows[:-1], embedding)
    state = tuple(
        tuple(part.cpu().double() for part in layer) for layer in model.zero_state(windows.shape[1])
    )
    for x in inputs[:WARM_UP]:
        state = _step(model.recurrent.cell, layers, x, state)
    handed_on = [h.requires_grad_() for h, *_ in state]
    for x in inputs[WARM_UP:]:
        state = _step(model.recurrent.cell, layers, x, state)
        handed_on += [h for h, *_ in state]
    logits = F.linear(state[-1][0], _fixed(model.output.weight), _fixed(model.output.bias))
    loss = F.cross_entropy(logits, windows[-1], reduction="sum")  # each window has its own L_T
    gradients = torch.autograd.grad(loss, handed_on, materialize_grads=True)
    # (steps+1, L, B, H), from T-steps to T
    by_step = torch.stack(gradients).view(steps + 1, len(layers), *gradients[0].shape)
    norms = torch.linalg.vector_norm(by_step, dim=(1, 3)).mean(dim=1)
    return list(norms.flip(0).tolist())


def decay(norms: Sequence[float], steps: int = 30) -> float:
    """Return |log10(norms[1 + steps] / norms[1])| [decades]: 0 where the gradient keeps its size.

    The step from h_T, which the output layer reads, to h_(T-1), which only the next step reads, is
    no step from one h to another of its kind, and is left out: with small recurrent weights an LSTM
    loses a decade there once, however long its memory.

    A norm that has vanished even for float64 counts as the smallest normal one, 2.2e-308, so that
    the figure stays finite. Raises UsageError where `norms` do not go so far.
    """
    if len(norms) < 2 + steps:
        raise UsageError(
            f"steps must be at most the number of norms less 2, {len(norms) - 2}, not {steps}"
        )
    first, last = (max(norms[k], sys.float_info.min) for k in (1, 1 + steps))
    return abs(math.log10(last) - math.log10(first))


def stretches(ids: Ids, length: int) -> Tensor:
    """Cut stretches of text that begin at even distances, shape (length, B), B at most WINDOWS.

    Raises UsageError where the text is shorter than one of them.
    """
    last = len(ids) - length
    if last < 0:
        raise UsageError(
            f"a text of {len(ids)} tokens is too short to follow the gradient; it needs {length}"
        )
    starts = np.linspace(0, last, min(WINDOWS, last + 1)).astype(np.int64)
    return torch.from_numpy(ids[starts + np.arange(length)[:, None]].astype(np.int64))


def _fixed(parameter: Tensor) -> Tensor:
    """A weight as a constant: only gradients of states are wanted."""
    return parameter.detach().cpu().double()


def _step(cell: Cell, layers: Sequence[Weights], x: Tensor, state: ModelState) -> ModelState:
    """Advance all layers by one time step.

    Returns a state whose h are copies: a lower layer's h also feeds the layer above in the same
    step, and that path is not one through time.
    """
    new = []
    for weights, before in zip(layers, state, strict=True):
        x, *others = cell.step(x, before, weights)
        new.append((x.clone(), *others))
    return tuple(new)
