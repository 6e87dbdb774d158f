"""The equations as written: a Python loop over the cell's step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rnnlab.cells import Cell, State, Weights
from rnnlab.engines.engine import Engine, check_not_empty, zeroed

if TYPE_CHECKING:
    from torch import Tensor


class Textbook(Engine):
    """The reference that every other engine is tested against."""

    name = "textbook"
    about = "the equations as written, a Python loop over time; any device, any float type"

    def run(
        self,
        cell: Cell,
        weights: Weights,
        inputs: Tensor,
        state: State,
        resets: Tensor | None = None,
    ) -> tuple[Tensor, State]:
        """See `Engine.run`."""
        import torch

        check_not_empty(inputs.shape)
        outputs = []
        for t, x in enumerate(inputs):  # (B, I) or (B,)
            if resets is not None:
                state = zeroed(state, resets[t])
            state = cell.step(x, state, weights)
            outputs.append(state[0])
        return torch.stack(outputs), state
