"""The LSTM with peephole connections: its gates see the cell state."""

from rnnlab.cells import Cell, Gate, project_hidden, project_input


class PeepholeLSTM(Cell):
    r"""Long short-term memory with peepholes.

    .. math::
        i_t &= \sigma(W_i x_t + R_i h_{t-1} + p_i \odot c_{t-1} + b_i) \\
        f_t &= \sigma(W_f x_t + R_f h_{t-1} + p_f \odot c_{t-1} + b_f) \\
        g_t &= \tanh(W_g x_t + R_g h_{t-1} + b_g) \\
        c_t &= f_t \odot c_{t-1} + i_t \odot g_t \\
        o_t &= \sigma(W_o x_t + R_o h_{t-1} + p_o \odot c_t + b_o) \\
        h_t &= o_t \odot \tanh(c_t)

    Source: Gers and Schmidhuber 2000, "Recurrent Nets that Time and Count", IJCNN, section 3;
    in this notation Greff et al. 2017, arXiv:1503.04069, section 2.
    """

    gates = (Gate("i", 0, 1), Gate("f", 0, 1), Gate("g", -1, 1), Gate("o", 0, 1))
    state_names = ("h", "c")

    def weight_shapes(self, I, H):  # noqa: E741
        peepholes = {"peephole_i": (H,), "peephole_f": (H,), "peephole_o": (H,)}
        return super().weight_shapes(I, H) | peepholes

    def activations(self, x, state, weights):
        h, c = state
        i, f, g, o = (project_input(x, weights) + project_hidden(h, weights)).chunk(4, dim=-1)
        i = (i + weights.peephole_i * c).sigmoid()
        f = (f + weights.peephole_f * c).sigmoid()
        g = g.tanh()
        o = (o + weights.peephole_o * (f * c + i * g)).sigmoid()
        return i, f, g, o

    def update(self, activations, state):
        (i, f, g, o), (_, c) = activations, state
        c = f * c + i * g
        return o * c.tanh(), c
