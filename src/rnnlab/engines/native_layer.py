"""One layer over time on rnnlab's own kernels, as a function that torch can differentiate.

Legend: T time steps, B batch, I input size, H hidden size.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from rnnlab.cells import Cell, State, Weights
from rnnlab.engines.engine import LayerTrace
from rnnlab.engines.native_kernels import as_array, instruction_set, kernels
from rnnlab.engines.threads import threads_now


def run_layer(
    cell: Cell, weights: Weights, inputs: Tensor, state: State, resets: Tensor | None
) -> tuple[Tensor, State]:
    """See `Native.run`."""
    autocast = torch.is_autocast_enabled("cpu")
    inputs = inputs.float() if inputs.is_floating_point() else inputs.long()
    outputs, *last = _Layer.apply(  # type: ignore[no-untyped-call]
        cell.name, "bfloat16" if autocast else "float32", inputs, resets, *weights, *state
    )
    return outputs, tuple(last)


@torch.no_grad()
def trace_layer(
    cell: Cell, weights: Weights, inputs: Tensor, state: State, resets: Tensor | None
) -> LayerTrace:
    """See `Native.trace`."""
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
        outputs.numpy(), [part.numpy() for part in last], keep, threads_now(),
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
