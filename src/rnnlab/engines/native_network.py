"""Whole models on rnnlab's own kernels: a training step, a score or a text is one call.

Legend: T time steps, B batch, H hidden size, V vocabulary size, E embedding size.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rnnlab.cells import State
from rnnlab.data.tokenizer import Ids
from rnnlab.engines.engine import Network
from rnnlab.engines.native_kernels import address, check_type, instruction_set, kernels


def _sizes(network: Network) -> tuple[str, int, int, int, int]:
    """Return cell, layers, H, V and E (0: one-hot); raises TypeError, ValueError for a misfit."""
    V, H = network.output_weight.shape
    E = 0 if network.embedding is None else network.embedding.shape[1]
    rows, width = network.cell.num_gates * H, E or V
    expected: list[tuple[int, ...] | None] = [(V, E) if E else None]
    for _ in network.layers:
        expected += [(rows, width), (rows, H), (rows,), (rows,)]
        width = H
    expected += [(V, H), (V,)]
    for parameter, shape in zip(network.parameters(), expected, strict=True):
        if parameter is None:
            continue
        if tuple(parameter.shape) != shape:
            raise ValueError(f"a parameter must be {shape}, not {tuple(parameter.shape)}")
        check_type(parameter, "parameters")
        if not parameter.is_contiguous():
            raise ValueError(f"a parameter {shape} is not contiguous")
    return network.cell.name, len(network.layers), H, V, E


def _addresses(tensors: list[Tensor | None]) -> list[int]:
    return [address(tensor) for tensor in tensors]


def _state_addresses(state: tuple[State, ...]) -> list[int]:
    """h and c of each layer; 0 for the c of a cell that has none."""
    return [
        address(part)
        for layer in state
        for part in (layer[0], layer[1] if len(layer) > 1 else None)
    ]


def _batch(ids: Ids, shape: tuple[int, ...] | None = None) -> Ids:
    """Return ids as the kernels read them; raises ValueError where `shape` is another."""
    ids = np.ascontiguousarray(ids, dtype=np.int64)
    if ids.ndim != 2 or ids.size == 0 or (shape is not None and ids.shape != shape):
        raise ValueError(f"ids must be {shape or '(T, B)'}, not {ids.shape}")
    return ids


class NativeTrainingStep:
    """See `TrainingStep`. Dropout draws its seed from torch's default generator."""

    def __init__(self, network: Network, precision: str) -> None:
        self.network = network
        self.hidden_size = network.output_weight.shape[1]
        self.step = kernels().TrainingStep(instruction_set(), precision, *_sizes(network))

    def __call__(
        self, ids: Ids, targets: Ids, state: tuple[State, ...], clip_norm: float
    ) -> tuple[float, float, tuple[State, ...]]:
        """See `TrainingStep`; raises ValueError for a misfit, IndexError for an id beyond V."""
        ids = _batch(ids)
        targets = _batch(targets, ids.shape)
        T, B = ids.shape
        parameters = self.network.parameters()
        for parameter in parameters:
            if parameter is not None and parameter.grad is None:
                parameter.grad = torch.empty_like(parameter)
        gradients = [None if p is None else p.grad for p in parameters]
        # The kernel overwrites the state, and the caller's is not ours to change.
        after = tuple(tuple(_own(part, B, self.hidden_size) for part in layer) for layer in state)
        dropouts = self.network.dropouts
        seed = int(torch.randint(2**63 - 1, ()).item()) if any(dropouts) else 0
        loss, norm = self.step.run(
            _addresses(parameters), _addresses(gradients), ids.ctypes.data, targets.ctypes.data,
            T, B, _state_addresses(after), tuple(dropouts), seed, clip_norm,
            torch.get_num_threads(),
        )  # fmt: skip
        return loss, norm, after


def _own(part: Tensor, batch_size: int, hidden_size: int) -> Tensor:
    if part.shape != (batch_size, hidden_size):
        wanted = (batch_size, hidden_size)
        raise ValueError(f"each part of the state must be {wanted}, not {tuple(part.shape)}")
    return torch.empty(part.shape).copy_(part)


class NativeReader:
    """See `Reader`. The weights are copied, packed, when it is made."""

    def __init__(self, network: Network, batch_size: int, num_steps: int, precision: str) -> None:
        cell, layers, H, V, E = _sizes(network)
        self.num_layers, self.batch_size, self.num_steps = layers, batch_size, num_steps
        # Projecting every entry of the vocabulary once pays where more tokens than that follow.
        project = batch_size * num_steps >= V
        self.reader = kernels().Reader(
            instruction_set(), precision, cell, layers, H, V, E,
            _addresses(network.parameters()), batch_size, num_steps, project,
            torch.get_num_threads(),
        )  # fmt: skip

    def reset(self) -> None:
        """See `Reader.reset`."""
        self.reader.set_state([0, 0] * self.num_layers)

    def score(self, ids: Ids, targets: Ids) -> float:
        """See `Reader.score`; raises ValueError for a misfit, IndexError for an id beyond V."""
        ids = self._piece(ids)
        targets = _batch(targets, ids.shape)
        return float(self.reader.score(ids.ctypes.data, targets.ctypes.data, len(ids)))

    def write(
        self, ids: Ids, known: NDArray[np.bool_], uniforms: NDArray[np.float64], **choice: Any
    ) -> bool:
        """See `Reader.write`; fills in `ids`, which must be contiguous int64."""
        if ids.dtype != np.int64 or not ids.flags.c_contiguous or len(ids) < 2:
            raise ValueError("ids must be contiguous int64 (T + 1, B) with T at least 1")
        self._piece(ids[:-1])
        known = np.ascontiguousarray(known, dtype=np.bool_)
        uniforms = np.ascontiguousarray(uniforms, dtype=np.float64)
        if not ids.shape == known.shape == uniforms.shape:
            raise ValueError(f"known and uniforms must be {ids.shape} as ids are")
        return bool(
            self.reader.generate(
                ids.ctypes.data, known.ctypes.data, uniforms.ctypes.data, len(ids) - 1, **choice
            )
        )

    def _piece(self, ids: Ids) -> Ids:
        ids = _batch(ids)
        if ids.shape[1] != self.batch_size or len(ids) > self.num_steps:
            raise ValueError(
                f"ids must be at most {self.num_steps} steps of {self.batch_size} sequences, "
                f"not {ids.shape}"
            )
        return ids
