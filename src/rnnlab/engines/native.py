"""rnnlab's own kernels, compiled from native/; docs/native-engine.md explains them.

The kernels compute in float32, or with bfloat16 operands and float32 sums.

Legend: T time steps, B batch, I input size, H hidden size.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from rnnlab.cells import Cell, State, Weights
from rnnlab.engines.engine import Engine, LayerTrace, Network, Reader, TrainingStep, check_not_empty
from rnnlab.engines.native_kernels import (
    ISA_VARIABLE,
    as_array,
    instruction_set,
    instruction_sets,
    kernels,
    why_missing,
)
from rnnlab.engines.native_network import NativeReader, NativeTrainingStep


class Native(Engine):
    """The equations as compiled code: the same weights, and the same results except for rounding.

    `run` computes in bfloat16 under autocast, otherwise in float32. Results do not depend on the
    number of threads.
    """

    name = "native"
    about = "rnnlab's own kernels for CPUs; whole training steps and whole texts in one call"
    any_threads = True

    def fault(self, cell: str, device: torch.device) -> str | None:
        """See `Engine.fault`."""
        if reason := why_missing():
            return reason
        if device.type != "cpu":
            return f"its kernels are for the CPU, not for {device.type}"
        return None

    def run(
        self,
        cell: Cell,
        weights: Weights,
        inputs: Tensor,
        state: State,
        resets: Tensor | None = None,
    ) -> tuple[Tensor, State]:
        """See `Engine.run`.

        Raises ValueError if shapes do not fit, TypeError if a weight or a part of the state is not
        float32, IndexError if an id is not below I.
        """
        check_not_empty(inputs.shape)
        autocast = torch.is_autocast_enabled("cpu")
        inputs = inputs.float() if inputs.is_floating_point() else inputs.long()
        outputs, *last = _Layer.apply(  # type: ignore[no-untyped-call]
            cell.name, "bfloat16" if autocast else "float32", inputs, resets, *weights, *state
        )
        return outputs, tuple(last)

    @torch.no_grad()
    def trace(
        self,
        cell: Cell,
        weights: Weights,
        inputs: Tensor,
        state: State,
        resets: Tensor | None = None,
    ) -> LayerTrace:
        """See `Engine.trace`: in one call, in float32. Raises as `run` does."""
        check_not_empty(inputs.shape)
        inputs = inputs.float() if inputs.is_floating_point() else inputs.long()
        call, h, _ = _layer_call(cell.name, "float32", inputs, resets, (*weights, *state), True)
        sizes = h.shape
        has_own_gates, has_c = cell.num_gates > 1, len(state) > 1
        gates = h[:, :, None].clone()  # the only gate of an Elman network is its state
        if has_own_gates:
            gates = torch.empty(*sizes[:2], cell.num_gates, sizes[2])
        c = torch.empty(sizes)
        call.get_trace(gates.numpy() if has_own_gates else None, c.numpy() if has_c else None)
        return LayerTrace(gates, (h, c) if has_c else (h,))

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


def _layer_call(
    cell: str,
    precision: str,
    inputs: Tensor,
    resets: Tensor | None,
    tensors: tuple[Tensor, ...],
    keep: bool,
) -> tuple[Any, Tensor, list[Tensor]]:
    """Run one layer with four weights and a state; return the call, outputs and last state.

    keep: what a backward or a trace needs.
    """
    arrays = [as_array(tensor.contiguous(), "tensors") for tensor in tensors]
    weights, state = arrays[:4], arrays[4:]
    outputs = torch.empty(*inputs.shape[:2], weights[1].shape[-1])
    last = [torch.empty(part.shape) for part in state]
    call = kernels().LayerCall(
        instruction_set(), precision, cell, weights, inputs.detach().contiguous().numpy(),
        None if resets is None else resets.contiguous().numpy(), state,
        outputs.numpy(), [part.numpy() for part in last], keep, torch.get_num_threads(),
    )  # fmt: skip
    return call, outputs, last


class _Layer(torch.autograd.Function):
    """One layer over time. Each call has its own buffers, so several may precede a backward."""

    @staticmethod
    def forward(
        ctx: Any,
        cell: str,
        precision: str,
        inputs: Tensor,
        resets: Tensor | None,
        *tensors: Tensor,
    ) -> tuple[Tensor, ...]:
        keep = any(ctx.needs_input_grad)
        call, outputs, last = _layer_call(cell, precision, inputs, resets, tensors, keep)
        if keep:
            ctx.call, ctx.inputs_shape = call, inputs.shape
            ctx.shapes = [tensor.shape for tensor in tensors]
            ctx.set_materialize_grads(False)
        return outputs, *last

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *d_results: Tensor | None) -> Any:
        d_outputs, *d_last = (
            None if d is None else as_array(d.float().contiguous(), "gradients") for d in d_results
        )
        d_inputs = torch.empty(ctx.inputs_shape) if ctx.needs_input_grad[2] else None
        gradients = [torch.empty(shape) for shape in ctx.shapes]
        arrays = [gradient.numpy() for gradient in gradients]
        ctx.call.backward(
            d_outputs,
            d_last,
            arrays[:4],
            None if d_inputs is None else d_inputs.numpy(),
            arrays[4:],
        )
        return None, None, d_inputs, None, *gradients
