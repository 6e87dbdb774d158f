"""Tensors in a safetensors file, with facts about them and a checksum over both.

No pickle is read or written. The names, shapes and types in a file are compared with the expected
ones before any tensor is read into memory.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from rnnlab.errors import ModelFolderError
from rnnlab.files import check_not_special, check_path, write_atomically

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


def write_tensors(
    file: Path, tensors: Mapping[str, Tensor], facts: Mapping[str, Any] | None = None
) -> None:
    """Replace `file` as a whole or not at all; `facts` can be any JSON object."""
    kept = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    # The library makes two copies and aborts the process if there is no memory for them.
    bytearray(2 * sum(tensor.nbytes for tensor in kept.values()))
    text = json.dumps(facts or {})
    # One entry: the library writes several in an order that changes from call to call.
    metadata = {KEY: f"{checksum(kept, text)} {text}"}
    write_atomically(file, safetensors.torch.save(kept, metadata))


def read_tensors(
    file: Path, check: Check | None = None
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read what `write_tensors` wrote.

    check: is called before a tensor is read.

    Raises ModelFolderError, which names the file and what is wrong with it.
    """
    check_path(file)
    check_not_special(file, ModelFolderError)
    try:
        with safe_open(file, framework="pt") as content:
            names = list(content.keys())
            if check is not None:
                check({name: _described(content.get_slice(name)) for name in names})
            # Copied to get torch's own alignment: the bits of sums of products depend on it.
            tensors = {name: content.get_tensor(name).clone() for name in names}
            metadata = content.metadata() or {}
        # Files of other libraries have no such entry, and at most the usual {"format": "pt"}.
        if KEY not in metadata and metadata.keys() - {"format"}:
            raise ModelFolderError(f"{file}: damaged, its checksum is missing")
        promised, _, text = metadata.get(KEY, " {}").partition(" ")
        if promised and promised != checksum(tensors, text):
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
    return tensors, facts


def checksum(tensors: Mapping[str, Tensor], facts: str) -> str:
    """Return the SHA-256 of the facts and of the name, type, shape and bytes of each tensor."""
    digest = hashlib.sha256(facts.encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"\0{name} {tensor.dtype} {tuple(tensor.shape)}\0".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _described(part: Any) -> Described:
    return Described(tuple(part.get_shape()), part.get_dtype())
