"""How a model is computed: by which engine, on which device, in which number format."""

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace

from rnnlab.config import ComputeSettings
from rnnlab.engines import Engine, choose_engine, gpu_is_there, precision_needs
from rnnlab.engines.threads import using_threads
from rnnlab.errors import UnavailableError

CPU = "cpu"

_autocast_lock = threading.RLock()
"""torch keeps the weights that autocast has converted in one table of the whole process, and a
thread that leaves autocast empties it. Another thread would then convert the same weights again,
and the bits of their gradients would change."""


@dataclass(frozen=True)
class Compute:
    """Engine, device and precision: everything that a model needs to run."""

    engine: Engine
    device: str = CPU
    """As torch names it: cpu or cuda."""
    precision: str = "float32"
    why: str = "asked for"
    """Why this engine, in words."""
    threads: int = 0
    """CPU threads; 0: `default_threads` when something is computed."""

    @classmethod
    def choose(cls, settings: ComputeSettings, cell: str) -> "Compute":
        """Resolve every `auto` for a model with this cell.

        Raises UsageError for an unknown engine, UnavailableError if this machine lacks the engine,
        device or precision.
        """
        device = choose_device(settings.device)
        check_precision(settings.precision, device)
        engine, why = choose_engine(settings.engine, cell, device, settings.precision)
        return cls(engine, device, settings.precision, why, settings.threads)

    def with_threads(self, count: int) -> "Compute":
        """Return the same with so many threads; 0: as many as before."""
        return replace(self, threads=count) if count else self

    def using_threads(self) -> AbstractContextManager[None]:
        """See the function `using_threads`."""
        return using_threads(self.threads)

    def autocast(self) -> AbstractContextManager[None]:
        """See the function `autocast`."""
        return autocast(self.precision, self.device)


def choose_device(name: str) -> str:
    """Return the device called `name`; `auto` is a GPU if torch sees one.

    Raises UnavailableError for `cuda` if torch sees no GPU.
    """
    if name == "cuda" and not gpu_is_there():
        raise UnavailableError(
            "device 'cuda' is not available: torch sees no GPU here (choices: cpu, auto)"
        )
    if name == "auto":
        name = "cuda" if gpu_is_there() else CPU
    return name


def check_precision(precision: str, device: str) -> None:
    """Raise UnavailableError if `device` cannot compute in `precision`."""
    if needs := precision_needs(precision, device):
        raise UnavailableError(
            f"precision {precision!r} is not available on this {device}: it needs {needs} "
            "(choices: float32)"
        )


@contextmanager
def autocast(precision: str, device: str) -> Iterator[None]:
    """Compute matrix products in `precision` inside the block; the weights stay float32.

    In bfloat16, threads that train at once take turns: one block is open at a time.
    """
    import torch

    if precision == "bfloat16":
        with _autocast_lock, torch.autocast(device, torch.bfloat16):
            yield
    elif torch.is_autocast_enabled(device):  # by the caller
        with torch.autocast(device, enabled=False):
            yield
    else:
        yield
