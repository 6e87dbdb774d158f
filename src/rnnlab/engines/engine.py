"""What every engine is: a way to run one layer over time, and maybe a whole model at once."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rnnlab.cells import Cell, State, Weights

Ids = NDArray[np.int64]
"""Token ids."""


class Dropouts(NamedTuple):
    """Shares that a training step drops; see `ModelSettings`."""

    input: float = 0.0
    layer: float = 0.0
    weight: float = 0.0
    output: float = 0.0


class Network(NamedTuple):
    """The parameters of a whole language model, in the order in which it computes with them."""

    cell: Cell
    embedding: Tensor | None  # (V, E); None: ids enter as one-hot rows
    layers: tuple[Weights, ...]
    output_weight: Tensor  # (V, H)
    output_bias: Tensor  # (V,)
    dropouts: Dropouts

    def parameters(self) -> list[Tensor | None]:
        """The embedding (or None), four tensors a layer, the output layer's two."""
        layers = [parameter for weights in self.layers for parameter in weights]
        return [self.embedding, *layers, self.output_weight, self.output_bias]


class TrainingStep(Protocol):
    """Forward, loss, backward and clipping of one batch in one call."""

    def __call__(
        self, ids: Ids, targets: Ids, state: tuple[State, ...], clip_norm: float
    ) -> tuple[float, float, tuple[State, ...]]:
        """Take a batch, ids and targets (T, B); leave every parameter's `grad`, clipped.

        clip_norm: largest L2 norm of all gradients together, 0: no clipping.
        Returns the mean loss in nats, the norm before clipping, the state after the batch.
        """


class Reader(Protocol):
    """A model that reads, scores and writes B sequences with the weights it was made with."""

    num_steps: int
    """Longest piece that one call takes."""

    def reset(self) -> None:
        """Go back to a state of zeros, where it starts too."""

    def score(self, ids: Ids, targets: Ids) -> float:
        """Sum of -ln p over targets (T, B) after ids (T, B); the state is carried on."""

    def write(
        self, ids: Ids, known: NDArray[np.bool_], uniforms: NDArray[np.float64], **choice: Any
    ) -> bool:
        """Read ids (T + 1, B) but for the last row, and fill in what is not `known`.

        A token is chosen as `rnnlab.lm.generate.choose` does, from the entry of uniforms in its
        place; choice: temperature, top_k, top_p, forbidden (-1: none). The state is carried on.
        Returns False where the model's output was NaN.
        """


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

    def level(self) -> str:
        """Say which of several ways this machine's processor is used in, if there are several."""
        return ""

    def training_step(self, network: Network, precision: str) -> TrainingStep | None:
        """Return a fused training step for these parameters, or None: go through autograd."""
        return None

    def reader(
        self, network: Network, batch_size: int, num_steps: int, precision: str
    ) -> Reader | None:
        """Return a reader of B sequences with a copy of these weights, or None: step by step."""
        return None
