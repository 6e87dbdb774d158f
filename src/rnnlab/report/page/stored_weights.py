"""Weights as the page stores them: bytes, and the numbers that they stand for.

float16: each number in half precision (IEEE 754).
int8: a whole number q from -127 to 127 for each, and a float32 scale s for each row of a matrix,
whose largest number becomes ±127: w ≈ s q. Biases, which are few and may be large, stay float32.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rnnlab.errors import UsageError
from rnnlab.lm.stored_network import Arrays

WEIGHTS = ("float16", "int8")

LARGEST_HALF = 65_504
LARGEST_INT8 = 127


@dataclass(frozen=True)
class StoredWeights:
    """What the page holds, and what it computes with."""

    content: bytes
    """Little-endian, one array after the other."""
    tensors: list[dict[str, Any]]
    """Of each array: name, shape, type, at which byte it begins, and for int8 its scales."""
    arrays: Arrays
    """The numbers after rounding."""


def stored_weights(arrays: Arrays, weights: str) -> StoredWeights:
    """Round the weights of a network; weights: one of WEIGHTS.

    Raises UsageError for a number that is too large for float16.
    """
    content, tensors, rounded = bytearray(), list[dict[str, Any]](), dict[str, Any]()
    for name, array in arrays.items():
        about = {"name": name, "shape": list(array.shape), "begin": len(content)}
        if weights == "int8" and array.ndim == 2:
            whole, scales = _whole_numbers(array)
            content += whole.tobytes()
            about |= {"type": "int8", "scales": len(content)}
            content += scales.astype("<f4").tobytes()
            rounded[name] = whole.astype(np.float32) * scales[:, None]
        elif weights == "int8":
            content += array.astype("<f4").tobytes()
            about["type"], rounded[name] = "float32", array
        else:
            half = _half(name, array)
            content += half.tobytes()
            about["type"], rounded[name] = "float16", half.astype(np.float32)
        tensors.append(about)
    return StoredWeights(bytes(content), tensors, rounded)


def _whole_numbers(
    array: npt.NDArray[np.float32],
) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.float32]]:
    """Return whole numbers (R, C) and the scale of each row (R,)."""
    largest = np.abs(array).max(1)
    # A row of nothing but zeros, or almost, has no scale of its own.
    usual = largest > LARGEST_INT8 * np.finfo(np.float32).tiny
    scales = np.where(usual, largest / LARGEST_INT8, 1).astype(np.float32)
    whole = np.rint(array / scales[:, None]).clip(-LARGEST_INT8, LARGEST_INT8)
    return whole.astype(np.int8), scales


def _half(name: str, array: npt.NDArray[np.float32]) -> npt.NDArray[np.float16]:
    most = float(np.abs(array).max(initial=0))
    with np.errstate(over="ignore"):
        half = array.astype("<f2")
    if not np.isfinite(half).all():
        raise UsageError(
            f"{name} has {most:,.0f}, and float16 ends at {LARGEST_HALF:,}; use --weights int8"
        )
    return half
