"""Load the compiled module `rnnlab._native`, explain why it is missing, choose the kernels."""

from __future__ import annotations

import os
import shutil
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rnnlab.errors import UnavailableError, unknown

if TYPE_CHECKING:
    from torch import Tensor

ISA_VARIABLE = "RNNLAB_ISA"
"""Environment variable that names the instruction set to use."""
REBUILD = "RNNLAB_REQUIRE_NATIVE=1 pip install --verbose --no-deps --force-reinstall ."

FASTER_THAN_TORCH = {
    "avx512bf16": ("float32", "bfloat16"),
    "avx512": ("float32",),
    "avx2": ("float32",),
}
"""Instruction set -> precisions in which these kernels train faster than torch's, measured with
`rnnlab bench` (see benchmarks/engines.md). An instruction set without bfloat16 arithmetic computes
bfloat16 at float32's speed."""


@cache
def _module() -> ModuleType | ImportError:
    try:
        return import_module("rnnlab._native")
    except ImportError as error:
        return error


def why_missing() -> str | None:
    """Return the reason why the kernels cannot be loaded and what to do about it, or None."""
    error = _module()
    if not isinstance(error, ImportError):
        return None
    if not isinstance(error, ModuleNotFoundError):
        return f"its kernels were compiled but do not load: {error}"
    compiler = next(filter(None, map(shutil.which, ("c++", "g++", "clang++"))), None)
    if compiler is None:
        return (
            "its kernels were not compiled because there is no C++ compiler; install one (Debian: "
            "apt install g++, Fedora: dnf install gcc-c++), then reinstall rnnlab"
        )
    return (
        f"its kernels were not compiled when rnnlab was installed; there is a C++ compiler now "
        f"({compiler}), so reinstall rnnlab; `{REBUILD}` in its source folder shows what fails"
    )


def kernels() -> Any:
    """Return the compiled module; raise UnavailableError if it cannot be loaded."""
    if reason := why_missing():
        raise UnavailableError(f"engine 'native' cannot run here: {reason}")
    return _module()


def instruction_sets() -> list[str]:
    """Return the instruction sets that were compiled and run here, the fastest first."""
    return list(kernels().instruction_sets())


def instruction_set() -> str:
    """Return the instruction set in use: the fastest, or the one that RNNLAB_ISA names.

    Raises UsageError if RNNLAB_ISA names an instruction set that cannot run here.
    """
    choices = instruction_sets()
    wanted = os.environ.get(ISA_VARIABLE, "")
    if wanted and wanted not in choices:
        raise unknown(f"{ISA_VARIABLE} level", wanted, choices)
    return wanted or choices[0]


def as_array(tensor: Tensor | NDArray[np.float32], what: str) -> NDArray[np.float32]:
    """Return a tensor's memory as a NumPy array; nanobind takes one 15 times faster than a tensor.

    An array is returned as it is. `what` names a tensor in the message of an error.

    Raises TypeError unless the tensor is float32 on the CPU, ValueError unless it is contiguous.
    """
    if isinstance(tensor, np.ndarray):
        return tensor
    import torch

    if tensor.dtype != torch.float32 or not tensor.is_cpu:
        raise TypeError(
            f"engine 'native' computes float32 {what} on the CPU, not {tensor.dtype} on "
            f"{tensor.device.type}"
        )
    if not tensor.is_contiguous():
        raise ValueError(f"{what} must be contiguous, not {tuple(tensor.shape)} with gaps")
    array: NDArray[np.float32] = tensor.numpy(force=True)  # detached; does not copy here
    return array
