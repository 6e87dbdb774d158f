"""Tensors in a safetensors file, with facts about them and a checksum over both.

They are read and written as NumPy arrays, for which torch is not needed.

No pickle is read or written. The names, shapes and types in a file are compared with the expected
ones before any tensor is read into memory.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
import safetensors.numpy
from safetensors import SafetensorError, safe_open

from rnnlab.errors import ModelFolderError
from rnnlab.files import check_not_special, check_path, write_atomically

if TYPE_CHECKING:
    from torch import Tensor

Arrays = Mapping[str, npt.NDArray[Any]]

KEY = "rnnlab"
"""Entry of the file's metadata: the checksum, a space, the facts."""

MODEL_CONFIG = "config.json"
"""The file that says which tensors a model folder must hold."""


class Described(NamedTuple):
    """Shape and type of a tensor in a file."""

    shape: tuple[int, ...]
    type: str
    """As safetensors names it: F32, I32."""

    def __str__(self) -> str:
        return f"{self.shape} {self.type}"


Check = Callable[[Mapping[str, Described]], None]
"""Raises ModelFolderError if tensors, by name, are not what a file must hold."""


def arrays_of(tensors: Mapping[str, Tensor]) -> Arrays:
    """Return the values of tensors as arrays."""
    return {name: tensor.detach().cpu().contiguous().numpy() for name, tensor in tensors.items()}


def write_arrays(file: Path, arrays: Arrays, facts: Mapping[str, Any] | None = None) -> None:
    """Replace `file` as a whole or not at all; `facts` can be any JSON object."""
    # The library makes two copies and aborts the process if there is no memory for them.
    bytearray(2 * sum(array.nbytes for array in arrays.values()))
    text = json.dumps(facts or {})
    # One entry: the library writes several in an order that changes from call to call.
    metadata = {KEY: f"{checksum(arrays, text)} {text}"}
    write_atomically(file, safetensors.numpy.save(dict(arrays), metadata))


def read_tensors(
    file: Path, check: Check | None = None
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return what `read_arrays` returns, as tensors of torch."""
    import torch

    arrays, facts = read_arrays(file, check)
    # Copied to get torch's own alignment: the bits of sums of products depend on it.
    return {name: torch.from_numpy(array).clone() for name, array in arrays.items()}, facts


def read_arrays(
    file: Path, check: Check | None = None
) -> tuple[dict[str, npt.NDArray[Any]], dict[str, Any]]:
    """Read what `write_arrays` wrote.

    check: is called before a tensor is read.

    Raises ModelFolderError, which names the file and what is wrong with it.
    """
    check_path(file)
    check_not_special(file, ModelFolderError)
    try:
        with safe_open(file, framework="numpy") as content:
            names = list(content.keys())
            if check is not None:
                check({name: _described(content.get_slice(name)) for name in names})
            arrays = {name: content.get_tensor(name) for name in names}
            metadata = content.metadata() or {}
        # Files of other libraries have no such entry, and at most the usual {"format": "pt"}.
        if KEY not in metadata and metadata.keys() - {"format"}:
            raise ModelFolderError(f"{file}: damaged, its checksum is missing")
        promised, _, text = metadata.get(KEY, " {}").partition(" ")
        if promised and promised != checksum(arrays, text):
            raise ModelFolderError(f"{file}: damaged, its checksum does not match")
        facts = json.loads(text)
    except FileNotFoundError:
        raise ModelFolderError(f"{file}: cannot be read: No such file or directory") from None
    except OSError as error:
        reason = error.strerror or str(error)
        raise ModelFolderError(f"{file}: cannot be read: {reason}") from None
    except (SafetensorError, ValueError, RecursionError) as error:
        raise ModelFolderError(f"{file}: damaged, not a safetensors file: {error}") from None
    if not isinstance(facts, dict):
        raise ModelFolderError(f"{file}: damaged, its facts are not a JSON object")
    return arrays, facts


def checksum(arrays: Arrays, facts: str) -> str:
    """Return the SHA-256 of the facts and of the name, type, shape and bytes of each array."""
    digest = hashlib.sha256(facts.encode())
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"\0{name} torch.{array.dtype.name} {array.shape}\0".encode())
        digest.update(array.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def _described(part: Any) -> Described:
    return Described(tuple(part.get_shape()), part.get_dtype())
