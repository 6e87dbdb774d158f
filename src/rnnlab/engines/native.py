"""rnnlab's own kernels, compiled from native/.

docs/explanation/native-engine.md explains them.

The kernels compute in float32, or with bfloat16 operands and float32 sums.

Legend: T time steps, B batch, I input size, H hidden size.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rnnlab.cells import CELLS, Cell, State, Weights, short_name
from rnnlab.engines.engine import Engine, LayerTrace, Network, Reader, TrainingStep, check_not_empty
from rnnlab.engines.native_kernels import (
    ISA_VARIABLE,
    instruction_set,
    instruction_sets,
    why_missing,
)
from rnnlab.engines.native_network import NativeReader, NativeTrainingStep

if TYPE_CHECKING:
    from torch import Tensor


class Native(Engine):
    """The equations as compiled code: the same weights, and the same results except for rounding.

    `run` computes in bfloat16 under autocast, otherwise in float32. Results do not depend on the
    number of threads.
    """

    name = "native"
    about = "rnnlab's own kernels for CPUs; whole training steps and whole texts in one call"
    needs_torch = False
    any_threads = True

    def fault(self, cell: str, device: str) -> str | None:
        """See `Engine.fault`."""
        if cell not in CELLS:
            return f"its kernels do not know the cell {short_name(cell)}, textbook computes it"
        if reason := why_missing():
            return reason
        if device != "cpu":
            return f"its kernels are for the CPU, not for {device}"
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
        from rnnlab.engines.native_layer import run_layer

        check_not_empty(inputs.shape)
        return run_layer(cell, weights, inputs, state, resets)

    def trace(
        self,
        cell: Cell,
        weights: Weights,
        inputs: Tensor,
        state: State,
        resets: Tensor | None = None,
    ) -> LayerTrace:
        """See `Engine.trace`: in one call, in float32. Raises as `run` does."""
        from rnnlab.engines.native_layer import trace_layer

        check_not_empty(inputs.shape)
        return trace_layer(cell, weights, inputs, state, resets)

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
