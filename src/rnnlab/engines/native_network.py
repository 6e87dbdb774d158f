"""Whole models on rnnlab's own kernels: a training step, a score or a text is one call.

Legend: T time steps, B batch, V vocabulary size.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from rnnlab.cells import Cell, State
from rnnlab.engines.engine import Ids, Mixture, Network, check_not_empty
from rnnlab.engines.native_kernels import as_array, instruction_set, kernels
from rnnlab.engines.threads import threads_now

if TYPE_CHECKING:
    from torch import Tensor


def _network(cell: Cell, tensors: Sequence[Tensor | None]) -> Any:
    """Return the kernels' view of a model's parameters, or of their gradients.

    Raises ValueError if their shapes do not fit, TypeError if they are not float32 on the CPU.
    """
    arrays = [None if tensor is None else as_array(tensor, "parameters") for tensor in tensors]
    return kernels().Network(cell.name, arrays)


def _start(network: Network) -> int:
    """Return the id with which a sample begins, as the kernels take it: -1 for none."""
    return -1 if network.start is None else network.start


_mixtures: WeakKeyDictionary[Mixture, Any] = WeakKeyDictionary()


def _joined(mixture: Mixture, vocabulary_size: int) -> Any:
    """Return the kernels' view of a mixture; it is kept, since checking a table takes milliseconds.

    Raises ValueError if its shapes do not fit.
    """
    if mixture not in _mixtures:
        orders = [tuple(order) for order in mixture.orders]
        _mixtures[mixture] = kernels().Mixture(orders, vocabulary_size, mixture.gate)
    return _mixtures[mixture]


class NativeTrainingStep:
    """See `TrainingStep`. Dropout draws its seed from the network's generator."""

    def __init__(self, network: Network, precision: str) -> None:
        self.network, self.start = network, _start(network)
        self.weights = self.gradients = _network(network.cell, network.parameters())
        self.addresses: list[int] = []
        self.step = kernels().TrainingStep(instruction_set(), precision, self.weights)

    def __call__(
        self, ids: Ids, targets: Ids, state: tuple[State, ...], clip_norm: float
    ) -> tuple[float, float, tuple[State, ...]]:
        """See `TrainingStep`.

        Raises ValueError if shapes do not fit, IndexError if an id is not below V.
        """
        import torch

        check_not_empty(ids.shape)
        self._bind()
        # The kernels overwrite the state, so they get a copy of the caller's.
        after = tuple(
            tuple(torch.empty(part.shape).copy_(part) for part in layer) for layer in state
        )
        dropouts = self.network.dropouts
        seed = self._draw_seed() if any(dropouts) else 0
        loss, norm = self.step.run(
            self.weights, self.gradients, ids, targets, self.start,
            [part.numpy() for layer in after for part in layer],
            tuple(dropouts), seed, clip_norm, threads_now(),
        )  # fmt: skip
        return loss, norm, after

    def _draw_seed(self) -> int:
        import torch

        return int(torch.randint(2**63 - 1, (), generator=self.network.random).item())

    def _bind(self) -> None:
        """Give every parameter a gradient, and the kernels the arrays if their memory is new.

        Arrays are passed on only then, because checking them takes longer than a short step.
        """
        import torch

        parameters = self.network.parameters()
        gradients = []
        for parameter in parameters:
            if parameter is not None and parameter.grad is None:
                parameter.grad = torch.empty_like(parameter)
            gradients.append(None if parameter is None else parameter.grad)
        tensors = [*parameters, *gradients]
        addresses = [0 if tensor is None else tensor.data_ptr() for tensor in tensors]
        if addresses != self.addresses:
            self.weights = _network(self.network.cell, parameters)
            self.gradients = _network(self.network.cell, gradients)
            self.addresses = addresses


class NativeReader:
    """See `Reader`. The kernels pack a copy of the weights when it is made."""

    def __init__(self, network: Network, batch_size: int, num_steps: int, precision: str) -> None:
        self.num_steps = num_steps
        self._vocabulary_size, mixture = len(network.output_bias), network.mixture
        joined = mixture and _joined(mixture, self._vocabulary_size)
        units = network.layers[0].weight_hh.shape[1]
        parts = len(network.layers) * len(network.cell.state_names)
        self._parts = np.zeros((parts, batch_size, units), np.float32)
        self._contexts = np.zeros((batch_size, len(mixture.orders) if mixture else 0), np.int32)
        self.reader = kernels().Reader(
            instruction_set(), precision, _network(network.cell, network.parameters()),
            batch_size, num_steps, _start(network), threads_now(), joined,
        )  # fmt: skip

    def reset(self) -> None:
        """See `Reader.reset`."""
        self.reader.reset()

    def state(self) -> bytes:
        """See `Reader.state`."""
        self.reader.get_state([*self._parts], self._contexts if self._contexts.size else None)
        return self._parts.tobytes() + self._contexts.tobytes()

    def restore(self, state: bytes) -> None:
        """See `Reader.restore`."""
        parts, contexts = self._parts, self._contexts
        if len(state) != (size := parts.nbytes + contexts.nbytes):
            raise ValueError(f"the state has {size} bytes, not {len(state)}")
        parts.ravel()[:] = np.frombuffer(state, np.float32, parts.size)
        contexts.ravel()[:] = np.frombuffer(state, np.int32, contexts.size, parts.nbytes)
        self.reader.set_state([*parts], contexts if contexts.size else None)

    def predict(self, ids: Ids) -> NDArray[np.float32]:
        """See `Reader.predict`. Raises as `score`."""
        check_not_empty(ids.shape)
        logits = np.empty((*ids.shape, self._vocabulary_size), np.float32)
        self.reader.predict(ids, logits)
        return logits

    def score(self, ids: Ids, targets: Ids) -> NDArray[np.float32]:
        """See `Reader.score`.

        Raises ValueError if shapes do not fit, IndexError if an id is not below V.
        """
        check_not_empty(ids.shape)
        nats = np.empty(ids.shape, np.float32)
        self.reader.score(ids, targets, nats)
        return nats

    def write(
        self, ids: Ids, known: NDArray[np.bool_], uniforms: NDArray[np.float64], **choice: Any
    ) -> bool:
        """See `Reader.write`. Raises TypeError unless `ids` is a contiguous array of int64."""
        check_not_empty((len(ids) - 1, *ids.shape[1:]))
        return bool(self.reader.generate(ids, known, uniforms, **choice))
