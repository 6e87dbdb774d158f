"""How a model is computed: by which engine, on which device, in which number format."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import torch

from rnnlab.config import ComputeSettings
from rnnlab.engines import Engine, choose_engine
from rnnlab.errors import UnavailableError

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Compute:
    """Engine, device and precision: everything that a model needs to run."""

    engine: Engine
    device: torch.device = CPU
    precision: str = "float32"
    why: str = "asked for"
    """Why this engine, in words."""

    @classmethod
    def choose(cls, settings: ComputeSettings, cell: str) -> "Compute":
        """Resolve every `auto` for a model with this cell, and set the number of threads.

        Raises UsageError for an unknown engine, UnavailableError if this machine lacks the engine,
        device or precision.
        """
        device = choose_device(settings.device)
        check_precision(settings.precision, device)
        if settings.threads:
            torch.set_num_threads(settings.threads)
        engine, why = choose_engine(settings.engine, cell, device, settings.precision)
        return cls(engine, device, settings.precision, why)

    def autocast(self) -> AbstractContextManager[Any]:
        """See the function `autocast`."""
        return autocast(self.precision, self.device)


def choose_device(name: str) -> torch.device:
    """Return the device called `name`; `auto` is a GPU if torch sees one.

    Raises UnavailableError for `cuda` if torch sees no GPU.
    """
    if name == "cuda" and not torch.cuda.is_available():
        raise UnavailableError(
            "device 'cuda' is not available: torch sees no GPU here (choices: cpu, auto)"
        )
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


def check_precision(precision: str, device: torch.device) -> None:
    """Raise UnavailableError if `device` cannot compute in `precision`."""
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
    """Compute matrix products in `precision`; the weights stay float32."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16")
