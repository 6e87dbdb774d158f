"""The interface of cells: pure functions of (input, state, weights).

Legend: T time steps, B batch, I input size, H hidden size, G gates (blocks of H rows in a weight).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import namedtuple
from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, TypeAlias

if TYPE_CHECKING:  # models are read and written with native kernels without torch
    from torch import Tensor

State: TypeAlias = "tuple[Tensor, ...]"
"""(h,) or (h, c), each (B, H)."""


class Weights(NamedTuple):
    """The parameters of one layer, with torch's names, shapes, gate orders and both biases.

    A cell with other parameters has a named tuple of its own, see `Cell.weight_shapes`.
    """

    weight_ih: Tensor  # (G·H, I)
    weight_hh: Tensor  # (G·H, H)
    bias_ih: Tensor  # (G·H,)
    bias_hh: Tensor  # (G·H,)


class Gate(NamedTuple):
    """One block of H rows in a weight: its letter in the equations, and its activation's range."""

    name: str
    low: float
    high: float


class Cell(ABC):
    """One recurrent cell; holds no weights."""

    name: str
    gates: tuple[Gate, ...]
    """In the order of the blocks of rows in a weight."""
    state_names: ClassVar[tuple[str, ...]] = ("h",)

    @property
    def num_gates(self) -> int:
        """Blocks of H rows in a weight, G."""
        return len(self.gates)

    def weight_shapes(self, I: int, H: int) -> dict[str, tuple[int, ...]]:  # noqa: E741
        """Return the name and the shape of each parameter of a layer, in their order.

        A cell with others than torch's four overrides this. `weight_ih`, of shape (rows, I), must
        be there, and is the only one that depends on I: it alone meets the input, one-hot or not.
        """
        rows = self.num_gates * H
        return {
            "weight_ih": (rows, I), "weight_hh": (rows, H), "bias_ih": (rows,), "bias_hh": (rows,),
        }  # fmt: skip

    def weights(self, parameters: Iterable[Any]) -> Weights:
        """Return parameters, in the order of `weight_shapes`, as a named tuple."""
        return weights_type(self.weight_names)._make(parameters)

    @property
    def weight_names(self) -> tuple[str, ...]:
        """The names of the parameters of a layer."""
        return tuple(self.weight_shapes(1, 1))

    def step(self, x: Tensor, state: State, weights: Weights) -> State:
        """Advance by one time step; the output of the layer is the new h.

        x: (B, I) floats, or (B,) integer ids that stand for one-hot rows.
        Returns the new state, each part (B, H).
        """
        return self.update(self.activations(x, state, weights), state)

    @abstractmethod
    def activations(self, x: Tensor, state: State, weights: Weights) -> tuple[Tensor, ...]:
        """Compute the gates of one time step, each (B, H), in the order of `gates`."""

    @abstractmethod
    def update(self, activations: tuple[Tensor, ...], state: State) -> State:
        """Compute the new state from the gates and the previous state, each part (B, H)."""


@cache
def weights_type(names: tuple[str, ...]) -> type[Weights]:
    """Return the class of named tuples with these fields: for torch's four names `Weights`."""
    if names == Weights._fields:
        return Weights
    make: Any = namedtuple  # fields that are not known before are beyond static types
    own: type[Weights] = make("Weights", names)
    return own


def project_input(x: Tensor, weights: Weights) -> Tensor:
    """Compute W_ih x + b_ih, shape (B, G·H); for one-hot x a column of W_ih is gathered."""
    import torch

    F = torch.nn.functional
    if x.is_floating_point():
        return F.linear(x, weights.weight_ih, weights.bias_ih)
    return F.embedding(x, weights.weight_ih.T) + weights.bias_ih


def project_hidden(h: Tensor, weights: Weights) -> Tensor:
    """Compute W_hh h + b_hh, shape (B, G·H)."""
    import torch

    F = torch.nn.functional
    return F.linear(h, weights.weight_hh, weights.bias_hh)
