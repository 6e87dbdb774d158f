"""Reads the tensors of a file that another program has written; runs nothing that it holds.

Of files of torch.save only tensors and plain containers are read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError, safe_open

from rnnlab.errors import ForeignFileError, as_out_of_memory
from rnnlab.files import check_not_special, check_path

if TYPE_CHECKING:
    from torch import Tensor

    Tensors = Mapping[str, Tensor]

D2L_LSTM = (
    "W_xi", "W_hi", "b_i", "W_xf", "W_hf", "b_f", "W_xo", "W_ho", "b_o", "W_xc", "W_hc", "b_c",
    "W_hq", "b_q",
)  # fmt: skip
"""The arrays of the written-out LSTM in the order in which d2l makes them.

Source: Zhang et al., Dive into Deep Learning, section 10.1.
"""
D2L_RNN = ("W_xh", "W_hh", "b_h", "W_hq", "b_q")
"""The same of the simple network, section 9.5."""
D2L_GRU = ("W_xz", "W_hz", "b_z", "W_xr", "W_hr", "b_r", "W_xh", "W_hh", "b_h", "W_hq", "b_q")
"""The same of the GRU, section 10.2, whose equations are not those of nn.GRU."""

LISTS = {len(names): names for names in (D2L_LSTM, D2L_RNN, D2L_GRU)}


def read_checkpoint(file: Path) -> Tensors:
    """Return the tensors in a safetensors file or in one of torch.save, by name.

    Raises ForeignFileError if the file is neither, or holds more than tensors.
    """
    check_path(file)
    check_not_special(file, ForeignFileError)
    try:
        with file.open("rb") as stream:
            begin = stream.read(9)
    except OSError as error:
        raise ForeignFileError(f"{file}: cannot be read: {error.strerror}") from None
    # The header of safetensors: 8 bytes for its length, then JSON.
    return _safetensors(file) if begin[8:] == b"{" else _saved_by_torch(file)


def _safetensors(file: Path) -> Tensors:
    try:
        with safe_open(file, framework="pt") as content:
            return {name: content.get_tensor(name) for name in content.keys()}  # noqa: SIM118
    except (SafetensorError, ValueError) as error:
        raise ForeignFileError(f"{file}: damaged, not a safetensors file: {error}") from None


def _saved_by_torch(file: Path) -> Tensors:
    import torch

    try:
        content = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # there is no list of what torch raises for a file of another kind
        if lack := as_out_of_memory(error):
            raise lack from None
        if found := re.search(r"GLOBAL (\S+)", str(error)):
            raise ForeignFileError(
                f"{file}: holds {found[1]}, more than tensors, and reading it could run code; save "
                "the weights alone, model.state_dict()"
            ) from None
        raise ForeignFileError(
            f"{file}: not a checkpoint, neither of safetensors nor of torch.save"
        ) from None
    return _tensors_in(file, content)


def _tensors_in(file: Path, content: Any) -> Tensors:
    """Return the one set of tensors in what torch.save has written."""
    from torch import Tensor

    def of(part: Any) -> dict[str, Tensor]:
        if not isinstance(part, Mapping):
            return {}
        return {str(name): value for name, value in part.items() if isinstance(value, Tensor)}

    if isinstance(content, list | tuple) and all(isinstance(part, Tensor) for part in content):
        if len(content) not in LISTS:
            raise ForeignFileError(
                f"{file}: a list of {len(content)} tensors; only d2l's of {len(D2L_LSTM)} (LSTM) "
                f"and {len(D2L_RNN)} (RNN) are known, others need names"
            )
        return dict(zip(LISTS[len(content)], content, strict=True))
    if found := of(content):
        return found
    nested = content if isinstance(content, Mapping) else {}
    sets = {str(name): found for name, part in nested.items() if (found := of(part))}
    if len(sets) > 1:
        raise ForeignFileError(
            f"{file}: holds several sets of tensors, {', '.join(map(repr, sets))}; save one of "
            "them alone"
        )
    if not sets:
        raise ForeignFileError(f"{file}: holds no tensors by name")
    return next(iter(sets.values()))
