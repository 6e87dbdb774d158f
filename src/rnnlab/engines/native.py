"""rnnlab's own kernels, compiled from native/; docs/native-engine.md explains them.

This file takes tensors to addresses: it checks shapes, types and strides, and keeps what is passed
alive during the call. The kernels compute in float32, or with bfloat16 operands and float32 sums.

Legend: T time steps, B batch, I input size, H hidden size, G gates, V vocabulary size.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from rnnlab.cells import Cell, State, Weights
from rnnlab.engines.engine import Engine, Network, Reader, TrainingStep
from rnnlab.engines.native_kernels import (
    ISA_VARIABLE,
    address,
    check_type,
    instruction_set,
    instruction_sets,
    kernels,
    why_missing,
)
from rnnlab.engines.native_network import NativeReader, NativeTrainingStep


class Native(Engine):
    """The equations as compiled code; the weights, and the results but for rounding, are the same.

    Precision of `run` is bfloat16 under autocast, otherwise float32. Its results do not depend on
    the number of threads.
    """

    name = "native"
    about = "rnnlab's own kernels for CPUs; whole training steps and whole texts in one call"

    def fault(self, cell: str, device: torch.device) -> str | None:
        """See `Engine.fault`."""
        if reason := why_missing():
            return reason
        if device.type != "cpu":
            return f"its kernels are for the CPU, not for {device.type}"
        return None

    def run(
        self, cell: Cell, weights: Weights, inputs: Tensor, state: State
    ) -> tuple[Tensor, State]:
        """See `Engine.run`.

        Raises ValueError for a shape that does not fit, TypeError for another float type.
        """
        autocast = torch.is_autocast_enabled("cpu")
        check(cell, weights, inputs, state)
        if inputs.is_floating_point():
            inputs = inputs.float()
        outputs, *last = _Layer.apply(  # type: ignore[no-untyped-call]
            cell.name, "bfloat16" if autocast else "float32", inputs, *weights, *state
        )
        return outputs, tuple(last)

    def level(self) -> str:
        """See `Engine.level`."""
        others = [name for name in instruction_sets() if name != instruction_set()]
        return f"{instruction_set()} ({ISA_VARIABLE} also takes {', '.join(others)})"

    def training_step(self, network: Network, precision: str) -> TrainingStep | None:
        """See `Engine.training_step`."""
        return NativeTrainingStep(network, precision)

    def reader(
        self, network: Network, batch_size: int, num_steps: int, precision: str
    ) -> Reader | None:
        """See `Engine.reader`."""
        return NativeReader(network, batch_size, num_steps, precision)


def check(cell: Cell, weights: Weights, inputs: Tensor, state: State) -> None:
    """Raise ValueError or TypeError where these do not fit together."""
    rows, H = weights.weight_hh.shape
    I = weights.weight_ih.shape[1]  # noqa: E741
    floats = inputs.is_floating_point()
    if inputs.dim() != (3 if floats else 2) or (floats and inputs.shape[2] != I):
        wanted = f"(T, B, {I})" if floats else "(T, B)"
        raise ValueError(f"inputs must be {wanted}, not {tuple(inputs.shape)}")
    if inputs.shape[0] == 0 or inputs.shape[1] == 0:
        raise ValueError(f"inputs must hold at least one step and one sequence, not {inputs.shape}")
    G, B = cell.num_gates, inputs.shape[1]
    shapes = ((rows, I), (G * H, H), (rows,), (rows,))
    for name, tensor, shape in zip(Weights._fields, weights, shapes, strict=True):
        if tuple(tensor.shape) != shape:
            raise ValueError(f"{name} must be {shape}, not {tuple(tensor.shape)}")
    if any(part.shape != (B, H) for part in state) or len(state) != len(cell.state_names):
        parts = ", ".join(str(tuple(part.shape)) for part in state)
        raise ValueError(f"each part of the state must be {(B, H)}, not {parts}")
    for tensor in (*weights, *state):
        check_type(tensor, "tensors")


class _Layer(torch.autograd.Function):
    """One layer over time; buffers belong to the call, so calls may overlap before a backward."""

    @staticmethod
    def forward(
        ctx: Any, cell: str, precision: str, inputs: Tensor, *tensors: Tensor
    ) -> tuple[Tensor, ...]:
        tensors = tuple(tensor.contiguous() for tensor in tensors)
        inputs = inputs.contiguous()
        if not inputs.is_floating_point():
            inputs = inputs.to(torch.int64)
        weights, state = tensors[:4], tensors[4:]
        (T, B), (I, H) = inputs.shape[:2], (weights[0].shape[1], weights[1].shape[1])  # noqa: E741
        ids = not inputs.is_floating_point()
        keep = any(ctx.needs_input_grad)
        call = kernels().LayerCall(
            instruction_set(), precision, cell, T, B, H, I, ids, keep, torch.get_num_threads()
        )
        outputs = torch.empty(T, B, H)
        last = [torch.empty(B, H) for _ in state]
        call.forward(
            [address(w) for w in weights],
            0 if ids else address(inputs),
            address(inputs) if ids else 0,
            address(state[0]),
            address(state[1]) if len(state) > 1 else 0,
            address(outputs),
            address(last[0]),
            address(last[1]) if len(last) > 1 else 0,
        )
        if keep:
            ctx.call, ctx.inputs_shape, ctx.ids = call, inputs.shape, ids
            ctx.shapes = [tensor.shape for tensor in tensors]
            ctx.set_materialize_grads(False)
        return outputs, *last

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_outputs: Tensor | None, *d_last: Tensor | None) -> Any:
        d_outputs = None if d_outputs is None else d_outputs.float().contiguous()
        d_last = tuple(None if d is None else d.float().contiguous() for d in d_last)
        gradients = [torch.empty(shape) for shape in ctx.shapes]
        d_weights, d_state = gradients[:4], gradients[4:]
        d_inputs = None
        if not ctx.ids and ctx.needs_input_grad[2]:
            d_inputs = torch.empty(ctx.inputs_shape)
        ctx.call.backward(
            address(d_outputs),
            address(d_last[0]),
            address(d_last[1]) if len(d_last) > 1 else 0,
            [address(d) for d in d_weights],
            address(d_inputs),
            address(d_state[0]),
            address(d_state[1]) if len(d_state) > 1 else 0,
        )
        return None, None, d_inputs, *gradients
