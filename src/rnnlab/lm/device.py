"""Where and in which number format a model is computed."""

from contextlib import AbstractContextManager
from typing import Any

import torch

from rnnlab.config import ComputeSettings
from rnnlab.errors import UnavailableError


def choose_device(name: str) -> torch.device:
    """Return the device asked for, or with `auto` a GPU where torch sees one.

    Raises UnavailableError where `cuda` is asked for and torch sees none.
    """
    if name == "cuda" and not torch.cuda.is_available():
        raise UnavailableError(
            "device 'cuda' is not available: torch sees no GPU here (choices: cpu, auto)"
        )
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


def check_precision(precision: str, device: torch.device) -> None:
    """Raise UnavailableError where `device` does not compute in `precision`."""
    if precision != "bfloat16":
        return
    if device.type == "cuda":
        available, needs = torch.cuda.is_bf16_supported(), "a GPU of compute capability 8.0"
    else:
        onednn = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
        available = onednn and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
        needs = "a CPU with AVX-512"
    if not available:
        raise UnavailableError(
            f"precision 'bfloat16' is not available on this {device.type}: it needs {needs} "
            "(choices: float32)"
        )


def autocast(precision: str, device: torch.device) -> AbstractContextManager[Any]:
    """Compute matrix products in bfloat16 where `precision` says so; weights stay float32."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16")


def set_up(settings: ComputeSettings) -> torch.device:
    """Apply threads and check device and precision; returns the device."""
    device = choose_device(settings.device)
    check_precision(settings.precision, device)
    if settings.threads:
        torch.set_num_threads(settings.threads)
    return device
