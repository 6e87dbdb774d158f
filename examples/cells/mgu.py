"""The minimal gated unit: a GRU with one gate."""

from rnnlab.cells import Cell, Gate, project_input


class MGU(Cell):
    r"""Minimal gated unit; its forget gate f is also the reset gate.

    .. math::
        f_t &= \sigma(W_f x_t + R_f h_{t-1} + b_f) \\
        n_t &= \tanh(W_n x_t + R_n (f_t \odot h_{t-1}) + b_n) \\
        h_t &= (1 - f_t) \odot h_{t-1} + f_t \odot n_t

    Source: Zhou et al. 2016, arXiv:1603.09420, section 3.
    """

    gates = (Gate("f", 0, 1), Gate("n", -1, 1))

    def weight_shapes(self, I, H):  # noqa: E741
        return {"weight_ih": (2 * H, I), "weight_hh": (2 * H, H), "bias_ih": (2 * H,)}

    def activations(self, x, state, weights):
        (h,) = state
        x_f, x_n = project_input(x, weights).chunk(2, dim=-1)
        R_f, R_n = weights.weight_hh.chunk(2)
        f = (x_f + h @ R_f.T).sigmoid()
        n = (x_n + (f * h) @ R_n.T).tanh()
        return f, n

    def update(self, activations, state):
        (f, n), (h,) = activations, state
        return ((1 - f) * h + f * n,)
