"""The gated recurrent unit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rnnlab.cells.cell import Cell, Gate, State, Weights, project_hidden, project_input

if TYPE_CHECKING:
    from torch import Tensor


class GRU(Cell):
    r"""Gated recurrent unit with the reset gate after the matrix product; gate order r, z, n.

    .. math::
        r_t &= \sigma(W_{ir} x_t + b_{ir} + W_{hr} h_{t-1} + b_{hr}) \\
        z_t &= \sigma(W_{iz} x_t + b_{iz} + W_{hz} h_{t-1} + b_{hz}) \\
        n_t &= \tanh(W_{in} x_t + b_{in} + r_t \odot (W_{hn} h_{t-1} + b_{hn})) \\
        h_t &= (1 - z_t) \odot n_t + z_t \odot h_{t-1}

    Source: Cho et al. 2014, arXiv:1406.1078, section 2.3, there with r before the product and
    z as 1 - z; this variant, which cuDNN and torch compute, is version 1 of that paper.
    """

    name = "gru"
    gates = (Gate("r", 0, 1), Gate("z", 0, 1), Gate("n", -1, 1))

    def activations(self, x: Tensor, state: State, weights: Weights) -> tuple[Tensor, ...]:
        """See `Cell.activations`."""
        (h,) = state
        x_r, x_z, x_n = project_input(x, weights).chunk(3, dim=-1)  # each (B, H)
        h_r, h_z, h_n = project_hidden(h, weights).chunk(3, dim=-1)
        r = (x_r + h_r).sigmoid()
        z = (x_z + h_z).sigmoid()
        n = (x_n + r * h_n).tanh()
        return r, z, n

    def update(self, activations: tuple[Tensor, ...], state: State) -> State:
        """See `Cell.update`."""
        (_, z, n), (h,) = activations, state
        return ((1 - z) * n + z * h,)
