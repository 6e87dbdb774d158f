r"""How the gradient flows back through time.

The derivative of the loss at time T by the state k steps before is a product of k Jacobians,

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
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from rnnlab.data.tokenizer import Ids
from rnnlab.engines import Network
from rnnlab.errors import UsageError
from rnnlab.lm.activations import WARM_UP, WINDOWS, embedded, read_layer_by_layer, stretches
from rnnlab.lm.model import LanguageModel, ModelState

Norms = npt.NDArray[np.float64]


def gradient_norms(model: LanguageModel, ids: Ids, steps: int) -> list[float]:
    """Return ||dL_T/dh_(T-k)|| for k = 0 .. steps, each a mean over stretches of `ids` (N,).

    L_T is the cross entropy [nats] of one token after WARM_UP + steps others. Computed by the
    textbook equations in float64, dropout off.

    h_t is what step t hands to step t+1, of all layers together: one vector of L·H numbers. The
    rest of the state, the LSTM's c_t, counts as an input of its own that is held fixed: paths from
    h_(T-k) through later c are in the derivative, paths that begin in c_(T-k) are not.

    Raises CorpusError if the text is too short.
    """
    text = stretches(ids, WARM_UP + steps + 1)  # (WARM_UP + steps + 1, B)
    network, state = _warmed_up(model, text[:WARM_UP])
    handed_on = [h.requires_grad_() for h, *_ in state]
    for layers in read_layer_by_layer(network, text[WARM_UP:-1], state):
        handed_on += [layer.state[0] for layer in layers]
    logits = F.linear(handed_on[-1], network.output_weight, network.output_bias)
    loss = F.cross_entropy(logits, text[-1], reduction="sum")  # each stretch has its own L_T
    gradients = torch.autograd.grad(loss, handed_on, materialize_grads=True)
    # (steps+1, L, B, H), from T-steps to T
    by_step = torch.stack(gradients).view(steps + 1, len(state), *gradients[0].shape)
    norms = torch.linalg.vector_norm(by_step, dim=(1, 3)).mean(dim=1)
    return list(norms.flip(0).tolist())


def input_gradient_norms(model: LanguageModel, ids: Ids, lags: int, most: int = WINDOWS) -> Norms:
    """Return ||d ln p(x_t) / d e_(t-k)|| (B, K) for the lags k = 1 .. K, before each of B tokens.

    e is the vector by which a token enters the network: its embedding, or its one-hot row. Every
    path from it counts, through h and through c, of all layers. x_t are the last tokens of B
    stretches, at most `most`, evenly spread over `ids` (N,); each follows WARM_UP + K others.
    Computed by the textbook equations in float64, dropout off.

    Raises CorpusError if the text is too short, UsageError if `lags` is below 1.
    """
    if lags < 1:
        raise UsageError(f"lags must be 1 or above, not {lags}")
    text = stretches(ids, WARM_UP + lags + 1, most)
    network, state = _warmed_up(model, text[:WARM_UP])
    vectors = embedded(network, text[WARM_UP:-1]).requires_grad_()  # (K, B, E)
    for layers in read_layer_by_layer(network, vectors, state):
        state = tuple(layer.state for layer in layers)
    logits = F.linear(state[-1][0], network.output_weight, network.output_bias)
    nats = F.cross_entropy(logits, text[-1], reduction="sum")  # each stretch has its own
    (gradient,) = torch.autograd.grad(nats, vectors)
    norms: Norms = torch.linalg.vector_norm(gradient, dim=2).flip(0).T.numpy()
    return norms


def _warmed_up(model: LanguageModel, ids: Tensor) -> tuple[Network, ModelState]:
    """Return the network in float64, and its state after ids (WARM_UP, B)."""
    network, state = _constant(model.network()), model.zero_state(ids.shape[1])
    state = tuple(tuple(part.cpu().double() for part in layer) for layer in state)
    for layers in read_layer_by_layer(network, ids, state):
        state = tuple(layer.state for layer in layers)
    return network, state


def _constant(network: Network) -> Network:
    """Return the network in float64, without gradients of its own: only those of states count."""

    def constant(parameter: Tensor) -> Tensor:
        return parameter.detach().cpu().double()

    return network._replace(
        embedding=None if network.embedding is None else constant(network.embedding),
        layers=tuple(network.cell.weights(map(constant, weights)) for weights in network.layers),
        output_weight=constant(network.output_weight),
        output_bias=constant(network.output_bias),
    )


def decay(norms: Sequence[float], steps: int = 30) -> float:
    """Return |log10(norms[1 + steps] / norms[1])| [decades]: 0 if the gradient keeps its size.

    The step from h_T to h_(T-1) is left out, because the output layer reads h_T, and only the next
    step reads h_(T-1): with small recurrent weights an LSTM loses a decade there once, however long
    its memory is.

    A norm that vanishes even in float64 counts as the smallest normal number, 2.2e-308, so that the
    result stays finite. Raises UsageError if there are too few norms.
    """
    if len(norms) < 2 + steps:
        raise UsageError(
            f"steps must be at most the number of norms less 2, {len(norms) - 2}, not {steps}"
        )
    first, last = (max(norms[k], sys.float_info.min) for k in (1, 1 + steps))
    return abs(math.log10(last) - math.log10(first))
