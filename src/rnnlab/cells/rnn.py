"""The simple recurrent network."""

from collections.abc import Callable

import torch
from torch import Tensor

from rnnlab.cells.cell import Cell, State, Weights, project_hidden, project_input


class RNN(Cell):
    r"""Elman's network.

    .. math:: h_t = \phi(W_{ih} x_t + b_{ih} + W_{hh} h_{t-1} + b_{hh}),
              \qquad \phi \in \{\tanh, \mathrm{relu}\}

    Source: Elman 1990, "Finding Structure in Time", Cognitive Science 14, pp. 183-184;
    with relu: Le, Jaitly and Hinton 2015, arXiv:1504.00941, section 2.
    """

    num_gates = 1

    def __init__(self, name: str, activation: Callable[[Tensor], Tensor]) -> None:
        self.name = name
        self.activation = activation

    def step(self, x: Tensor, state: State, weights: Weights) -> State:
        """See `Cell.step`."""
        (h,) = state
        return (self.activation(project_input(x, weights) + project_hidden(h, weights)),)


RNN_TANH = RNN("rnn", torch.tanh)
RNN_RELU = RNN("rnn-relu", torch.relu)
