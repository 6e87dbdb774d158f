"""Arrays in one binary answer, and answers that are kept.

    uint32       the length of the header in bytes, little endian
    header       JSON, with blanks at its end
    arrays       each begins at a multiple of 8 bytes from the beginning of the answer

The key `arrays` of the header is a list of {name, axes, shape, dtype, offset}: numbers as float16,
or float32 where said, integers as int32, yes and no as uint8; all little endian, in C order.
"""

from __future__ import annotations

import json
import math
import struct
import threading
from collections import OrderedDict
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from starlette.responses import Response

from rnnlab.web.faults import json_line

ALIGNED = 8
"""Bytes."""

OFFSET_DIGITS = 12

MOST_BYTES = 64 * 2**20
"""Of all answers that are kept."""

Array = npt.NDArray[Any]


class Packed(Response):
    """A binary answer, see the module."""

    media_type = "application/octet-stream"


def packed(
    header: Mapping[str, Any],
    arrays: Mapping[str, Array],
    axes: Mapping[str, Sequence[str]],
    *,
    exact: bool = False,
) -> bytes:
    """Return header and arrays as bytes, see the module.

    axes: the names of the axes of each array. exact: numbers as float32.
    """
    own = {name: _as_sent(array, exact=exact) for name, array in arrays.items()}
    about: list[dict[str, Any]] = [
        {
            "name": name, "axes": list(axes[name]), "shape": list(array.shape),
            "dtype": array.dtype.name, "offset": 0,
        }
        for name, array in own.items()
    ]  # fmt: skip
    # Each offset takes the place of a 0.
    size = len(_line({**header, "arrays": about})) + OFFSET_DIGITS * len(about)
    first = _aligned(4 + size)
    parts, length = list[bytes](), first
    for entry, array in zip(about, own.values(), strict=True):
        entry["offset"] = length
        parts.append(array.tobytes().ljust(_aligned(array.nbytes), b"\0"))
        length += len(parts[-1])
    line = _line({**header, "arrays": about}).ljust(first - 4)
    return struct.pack("<I", len(line)) + line + b"".join(parts)


def unpacked(content: bytes) -> tuple[dict[str, Any], dict[str, Array]]:
    """Return header and arrays of bytes that `packed` has made."""
    (size,) = struct.unpack_from("<I", content)
    header: dict[str, Any] = json.loads(content[4 : 4 + size])
    arrays = {}
    for entry in header["arrays"]:
        kind = np.dtype(entry["dtype"]).newbyteorder("<")
        count = math.prod(entry["shape"])
        found = np.frombuffer(content, kind, count, entry["offset"])
        arrays[entry["name"]] = found.reshape(entry["shape"])
    return header, arrays


def _as_sent(array: Array, *, exact: bool) -> Array:
    match array.dtype.kind:
        case "b":
            kind = "<u1"
        case "i" | "u":
            kind = "<i4"
        case _:
            kind = "<f4" if exact else "<f2"
    with np.errstate(over="ignore"):  # beyond float16 is infinite
        return np.ascontiguousarray(array, kind)


def _line(header: Mapping[str, Any]) -> bytes:
    return json_line(dict(header)).encode("ascii")


def _aligned(offset: int) -> int:
    return -(-offset // ALIGNED) * ALIGNED


class Kept:
    """The answers that were used last, of MOST_BYTES together; all threads may ask."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most, self._bytes = most_bytes, 0
        self._answers = OrderedDict[Hashable, bytes]()
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> bytes | None:
        """Return an answer, if it is kept."""
        with self._lock:
            if key in self._answers:
                self._answers.move_to_end(key)
            return self._answers.get(key)

    def put(self, key: Hashable, answer: bytes) -> None:
        """Keep an answer, and forget those that were not used for the longest time."""
        with self._lock:
            self._bytes += len(answer) - len(self._answers.pop(key, b""))
            self._answers[key] = answer
            while self._bytes > self._most:
                _, gone = self._answers.popitem(last=False)
                self._bytes -= len(gone)
