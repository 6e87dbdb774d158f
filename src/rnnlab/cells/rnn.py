"""The simple recurrent network."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from rnnlab.cells.cell import Cell, Gate, State, Weights, project_hidden, project_input

if TYPE_CHECKING:
    from torch import Tensor


class RNN(Cell):
    r"""Elman's network.

    .. math:: h_t = \phi(W_{ih} x_t + b_{ih} + W_{hh} h_{t-1} + b_{hh}),
              \qquad \phi \in \{\tanh, \mathrm{relu}\}

    Source: Elman 1990, "Finding Structure in Time", Cognitive Science 14, pp. 183-184;
    with relu: Le, Jaitly and Hinton 2015, arXiv:1504.00941, section 2.
    """

    def __init__(
        self, name: str, activation: Literal["tanh", "relu"], low: float, high: float
    ) -> None:
        self.name = name
        self.activation = activation
        self.gates = (Gate("h", low, high),)

    def activations(self, x: Tensor, state: State, weights: Weights) -> tuple[Tensor, ...]:
        """See `Cell.activations`."""
        (h,) = state
        sums = project_input(x, weights) + project_hidden(h, weights)  # (B, H)
        return (sums.tanh() if self.activation == "tanh" else sums.relu(),)

    def update(self, activations: tuple[Tensor, ...], state: State) -> State:
        """See `Cell.update`; the only gate is the new h itself."""
        return activations


RNN_TANH = RNN("rnn", "tanh", -1, 1)
RNN_RELU = RNN("rnn-relu", "relu", 0, math.inf)
