"""The long short-term memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rnnlab.cells.cell import Cell, Gate, State, Weights, project_hidden, project_input

if TYPE_CHECKING:
    from torch import Tensor


class LSTM(Cell):
    r"""Long short-term memory with forget gate, without peepholes; gate order i, f, g, o.

    .. math::
        i_t &= \sigma(W_{ii} x_t + b_{ii} + W_{hi} h_{t-1} + b_{hi}) \\
        f_t &= \sigma(W_{if} x_t + b_{if} + W_{hf} h_{t-1} + b_{hf}) \\
        g_t &= \tanh(W_{ig} x_t + b_{ig} + W_{hg} h_{t-1} + b_{hg}) \\
        o_t &= \sigma(W_{io} x_t + b_{io} + W_{ho} h_{t-1} + b_{ho}) \\
        c_t &= f_t \odot c_{t-1} + i_t \odot g_t \\
        h_t &= o_t \odot \tanh(c_t)

    Source: Hochreiter and Schmidhuber 1997, Neural Computation 9(8), section 4; forget gate:
    Gers, Schmidhuber and Cummins 2000, Neural Computation 12(10), section 3.
    """

    name = "lstm"
    gates = (Gate("i", 0, 1), Gate("f", 0, 1), Gate("g", -1, 1), Gate("o", 0, 1))
    state_names = ("h", "c")

    def activations(self, x: Tensor, state: State, weights: Weights) -> tuple[Tensor, ...]:
        """See `Cell.activations`."""
        h, _ = state
        blocks = project_input(x, weights) + project_hidden(h, weights)  # (B, 4H)
        i, f, g, o = blocks.chunk(4, dim=-1)
        return i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()

    def update(self, activations: tuple[Tensor, ...], state: State) -> State:
        """See `Cell.update`."""
        (i, f, g, o), (_, c) = activations, state
        c = f * c + i * g
        h = o * c.tanh()
        return (h, c)
