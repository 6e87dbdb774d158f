"""torch's own recurrent kernels: oneDNN or ATen on a CPU, cuDNN on a GPU.

These are the functions behind nn.RNN, nn.GRU and nn.LSTM, called with rnnlab's weights.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from rnnlab.cells import Cell, State, Weights, short_name
from rnnlab.engines.engine import Engine, check_not_empty, zeroed

if TYPE_CHECKING:
    from torch import Tensor

_KERNELS = {"rnn": "rnn_tanh", "rnn-relu": "rnn_relu", "gru": "gru", "lstm": "lstm"}
"""Functions of torch."""

_ONE_LAYER: dict[str, Any] = {
    "has_biases": True,
    "num_layers": 1,
    "dropout": 0.0,
    "bidirectional": False,
    "batch_first": False,
}


class Builtin(Engine):
    """PyTorch's kernels; the yardstick for speed."""

    name = "builtin"
    about = "torch's nn.RNN, nn.GRU and nn.LSTM kernels; oneDNN or ATen on a CPU, cuDNN on a GPU"
    gathers = False

    def fault(self, cell: str, device: str) -> str | None:
        """See `Engine.fault`."""
        if cell in _KERNELS:
            return None
        return f"torch has no kernels for the cell {short_name(cell)}, textbook computes it"

    def run(
        self,
        cell: Cell,
        weights: Weights,
        inputs: Tensor,
        state: State,
        resets: Tensor | None = None,
    ) -> tuple[Tensor, State]:
        """See `Engine.run`; raises ValueError for a state of another shape.

        The kernels know no resets, so each call ends where one of the sequences has one.
        """
        import torch

        check_not_empty(inputs.shape)
        wanted = (inputs.shape[1], weights.weight_hh.shape[1])  # (B, H)
        if any(part.shape != wanted for part in state):  # torch's kernels would read past its end
            shapes = ", ".join(str(tuple(part.shape)) for part in state)
            raise ValueError(f"each part of the state must be {wanted}, not {shapes}")
        if not inputs.is_floating_point():
            inputs, weights = _dense(inputs, weights)
        if resets is None:
            return self._run(cell, weights, inputs, state)
        outputs, begins = [], resets.any(1).nonzero().flatten().tolist()
        for begin, end in pairwise(sorted({0, *begins, len(inputs)})):
            state = zeroed(state, resets[begin])
            part, state = self._run(cell, weights, inputs[begin:end], state)
            outputs.append(part)
        return torch.cat(outputs), state

    def _run(
        self, cell: Cell, weights: Weights, inputs: Tensor, state: State
    ) -> tuple[Tensor, State]:
        import torch

        initial = tuple(part.unsqueeze(0) for part in state)  # (1, B, H)
        outputs, *last = getattr(torch, _KERNELS[cell.name])(
            inputs,
            initial if len(initial) > 1 else initial[0],
            list(weights),
            train=torch.is_grad_enabled(),  # cuDNN keeps what backward needs only on request
            **_ONE_LAYER,
        )
        return outputs, tuple(part.squeeze(0) for part in last)


def _dense(ids: Tensor, weights: Weights) -> tuple[Tensor, Weights]:
    """Return float inputs and weights that give torch's kernels the same W_ih x for one-hot x.

    torch's kernels take float inputs only, which they multiply by W_ih. One-hot rows e would have V
    elements. If V is larger than G·H, the products W_ih e are gathered instead and the kernel's
    weight is the identity, so that a row never has more than G·H elements.
    """
    import torch

    rows, vocabulary = weights.weight_ih.shape  # G·H, V
    if vocabulary <= rows:
        table = torch.eye(vocabulary, dtype=weights.weight_ih.dtype, device=ids.device)
        return table[ids], weights
    identity = torch.eye(rows, dtype=weights.weight_ih.dtype, device=ids.device)
    gathered = torch.nn.functional.embedding(ids, weights.weight_ih.T)  # (T, B, G·H)
    return gathered, weights._replace(weight_ih=identity)
