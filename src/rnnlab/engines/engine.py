"""The interface of engines: run one layer over time, and optionally a whole model in one call."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from rnnlab.cells import Cell, State, Weights

if TYPE_CHECKING:
    import torch
    from torch import Tensor

Ids = NDArray[np.int64]
"""Token ids."""


class Dropouts(NamedTuple):
    """Dropout probabilities of a training step; see `ModelSettings`."""

    input: float = 0.0
    layer: float = 0.0
    weight: float = 0.0
    output: float = 0.0


class Successors(NamedTuple):
    """What follows each of R contexts of k - 1 symbols in a training text, E k-grams in all.

    The symbols after context r are symbols[starts[r]:starts[r + 1]], ascending. The place of a
    symbol is the number of its k-gram, and so that of a context of the next order.
    """

    starts: NDArray[np.int32]  # (R + 1,)
    symbols: NDArray[np.int32]  # (E,)
    counts: NDArray[np.int32]  # (E,) at least 1
    discounts: NDArray[np.float64]  # (4,) by count: 0, 1, 2, 3 and more


@dataclass(frozen=True, eq=False)
class Mixture:
    """An n-gram model that joins a network; `rnnlab.lm.ngram_mixture` has the equations.

    Equal only to itself, so that an engine can keep what it has made of one.
    """

    orders: tuple[Successors, ...]
    """From 1 up; order 1 has one context."""
    gate: NDArray[np.float64]  # (2, 2)


class Network(NamedTuple):
    """The parameters of a whole language model, in the order of computation."""

    cell: Cell
    embedding: Tensor | None  # (V, E); None: ids enter as one-hot rows
    layers: tuple[Weights, ...]
    output_weight: Tensor  # (V, H)
    output_bias: Tensor  # (V,)
    dropouts: Dropouts
    random: torch.Generator | None
    """Gives the random numbers of dropout; None: torch's default generator."""
    mixture: Mixture | None = None
    """For a `Reader`: all probabilities are those of both."""
    start: int | None = None
    """The id of the token with which a sample begins: before it the state is zero."""

    def inputs(self, ids: Tensor) -> Tensor:
        """Return what the first layer reads for ids (T, B): vectors, or the ids of one-hot rows."""
        import torch

        if self.embedding is None:
            return ids
        return torch.nn.functional.embedding(ids, self.embedding)

    def looking_up(self) -> Network:
        """Return the same network without embedding: its first layer reads ids by W_ih E^T."""
        if self.embedding is None:
            return self
        first, *others = self.layers
        table = (first.weight_ih @ self.embedding.T).detach()  # (G·H, V)
        layers = (first._replace(weight_ih=table), *others)
        return self._replace(embedding=None, layers=layers)

    def parameters(self) -> list[Tensor | None]:
        """Return the embedding (or None), four tensors for each layer, and the output's two."""
        layers = [parameter for weights in self.layers for parameter in weights]
        return [self.embedding, *layers, self.output_weight, self.output_bias]


class LayerTrace(NamedTuple):
    """What one layer computes at each time step: T time steps, B batch, G gates, H hidden size."""

    gates: Tensor  # (T, B, G, H), in the order of the cell's gates
    states: State  # the state after each step, each part (T, B, H)


class TrainingStep(Protocol):
    """Forward, loss, backward and clipping of one batch in one call."""

    def __call__(
        self, ids: Ids, targets: Ids, state: tuple[State, ...], clip_norm: float
    ) -> tuple[float, float, tuple[State, ...]]:
        """Write a batch's clipped gradients to the parameters' `grad`; ids and targets are (T, B).

        clip_norm: the largest L2 norm of all gradients together; 0: no clipping.
        Returns the mean loss in nats, the norm before clipping, and the state after the batch.
        Raises ValueError if T or B is 0.
        """


class Reader(Protocol):
    """Reads, scores and writes B sequences with a model's weights.

    The weights must not change while it is in use. It starts with a state of zeros. Its methods
    raise ValueError if T or B is 0.
    """

    num_steps: int
    """The largest T of one call."""

    def reset(self) -> None:
        """Set the state to zeros."""

    def state(self) -> bytes:
        """Return all that the next call depends on, for `restore`."""

    def restore(self, state: bytes) -> None:
        """Go on from a state of a reader of the same model and batch size.

        Raises ValueError if it does not have the size of one.
        """

    def predict(self, ids: Ids) -> NDArray[np.float32]:
        """Return the logits (T, B, V) of what follows each of ids (T, B); the state is carried on.

        With a mixture they are its ln p, up to a constant for each token.
        """

    def score(self, ids: Ids, targets: Ids) -> NDArray[np.float32]:
        """Return -ln p (T, B) of targets (T, B) after ids (T, B); the state is carried on."""

    def write(
        self, ids: Ids, known: NDArray[np.bool_], uniforms: NDArray[np.float64], **choice: Any
    ) -> bool:
        """Read all but the last row of ids (T + 1, B), and fill in the tokens that are not `known`.

        The first row must be known. Each token is chosen as by `lm.sampling.choose_tokens`, with
        the number at its place in `uniforms`; choice: temperature, top_k, top_p, forbidden (-1:
        none). The state is carried on. Returns False if the model's output is NaN or infinite.
        """


def zeroed(state: State, rows: Tensor) -> State:
    """Return a state, each part (B, H), with zeros in some rows (B,)."""
    return tuple(part.masked_fill(rows.to(part.device)[:, None], 0) for part in state)


def check_not_empty(sizes: Sequence[int]) -> None:
    """Raise ValueError if T or B, the first two of `sizes`, is 0: there is nothing to compute."""
    if 0 in sizes[:2]:
        words = ", ".join(f"{letter} = {n}" for letter, n in zip("TB", sizes, strict=False))
        raise ValueError(f"an engine needs at least one time step and one sequence, not {words}")


class Engine(ABC):
    """Runs cells over time."""

    name: ClassVar[str]
    about: ClassVar[str]
    """One line for `rnnlab engines`."""
    needs_torch: ClassVar[bool] = True
    """Whether its reader needs torch; without, the weights of a network may be arrays."""
    any_threads: ClassVar[bool] = False
    """Whether training steps have the same bits with any number of threads."""
    gathers: ClassVar[bool] = True
    """Whether ids are looked up in the weights, and not multiplied as rows of zeros and a one."""

    @abstractmethod
    def run(
        self,
        cell: Cell,
        weights: Weights,
        inputs: Tensor,
        state: State,
        resets: Tensor | None = None,
    ) -> tuple[Tensor, State]:
        """Run one layer.

        inputs: floats (T, B, I), or integer ids (T, B) that stand for one-hot rows.
        state: each part (B, H). resets: before which tokens (T, B) the state is set to zero.
        Returns the outputs h_1 .. h_T (T, B, H) and the last state. Differentiable in the
        weights, the inputs and the state.

        Raises ValueError if T or B is 0, see `check_not_empty`.
        """

    def trace(
        self,
        cell: Cell,
        weights: Weights,
        inputs: Tensor,
        state: State,
        resets: Tensor | None = None,
    ) -> LayerTrace:
        """Run one layer as `run` does; return what it computes at each time step, in no graph.

        Here by the equations of the cell, for engines that have no trace of their own.
        """
        import torch

        check_not_empty(inputs.shape)
        gates, states = [], []
        with torch.no_grad():
            for t, x in enumerate(inputs):
                if resets is not None:
                    state = zeroed(state, resets[t])
                now = cell.activations(x, state, weights)
                state = cell.update(now, state)
                gates.append(torch.stack(now, dim=-2))
                states.append(state)
            parts = tuple(torch.stack(part) for part in zip(*states, strict=True))
            return LayerTrace(torch.stack(gates), parts)

    def fault(self, cell: str, device: str) -> str | None:
        """Return why this engine cannot run `cell` on `device`, or None if it can."""
        return None

    def level(self) -> str:
        """Return the instruction set in use, if the engine has several to choose from."""
        return ""

    def training_step(self, network: Network, precision: str) -> TrainingStep | None:
        """Return a training step of the engine's own, or None to go through autograd."""
        return None

    def reader(
        self, network: Network, batch_size: int, num_steps: int, precision: str
    ) -> Reader | None:
        """Return a reader of the engine's own, or None to go through the model's forward pass."""
        return None
