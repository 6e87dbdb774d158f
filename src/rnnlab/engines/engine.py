"""What every engine is: a way to run one layer over time."""

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor

from rnnlab.cells import Cell, State, Weights


class Engine(ABC):
    """Runs cells over time."""

    name: ClassVar[str]
    about: ClassVar[str]
    """One line for `rnnlab engines`."""

    @abstractmethod
    def run(
        self, cell: Cell, weights: Weights, inputs: Tensor, state: State
    ) -> tuple[Tensor, State]:
        """Run one layer.

        inputs: floats (T, B, I), or integer ids (T, B) that stand for one-hot rows.
        state: each part (B, H).
        Returns the outputs h_1 .. h_T (T, B, H) and the last state. Differentiable in the
        weights, the inputs and the state.
        """

    def fault(self, cell: str, device: torch.device) -> str | None:
        """Say why this engine cannot run `cell` on `device`, or None if it can."""
        return None
