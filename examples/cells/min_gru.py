"""The minimal GRU, whose gates do not see the hidden state."""

from math import inf

from rnnlab.cells import Cell, Gate, project_input


class MinGRU(Cell):
    r"""Minimal gated recurrent unit, in its sequential form.

    .. math::
        z_t &= \sigma(W_z x_t + b_z) \\
        n_t &= W_n x_t + b_n \\
        h_t &= (1 - z_t) \odot h_{t-1} + z_t \odot n_t

    Source: Feng et al. 2024, arXiv:2410.01201, section 3.1.
    """

    gates = (Gate("z", 0, 1), Gate("n", -inf, inf))

    def weight_shapes(self, I, H):  # noqa: E741
        return {"weight_ih": (2 * H, I), "bias_ih": (2 * H,)}

    def activations(self, x, state, weights):
        z, n = project_input(x, weights).chunk(2, dim=-1)
        return z.sigmoid(), n

    def update(self, activations, state):
        (z, n), (h,) = activations, state
        return ((1 - z) * h + z * n,)
