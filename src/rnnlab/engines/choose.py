"""Which engines there are, which one `auto` takes, and which this machine can use."""

import os
import sys
from dataclasses import dataclass
from typing import get_args

from rnnlab.cells import CELLS, short_name
from rnnlab.config import Precision
from rnnlab.engines.builtin import Builtin
from rnnlab.engines.engine import Engine
from rnnlab.engines.native import Native
from rnnlab.engines.native_kernels import FASTER_THAN_TORCH, instruction_set
from rnnlab.engines.textbook import Textbook
from rnnlab.errors import UnavailableError, unknown

ENGINES: dict[str, Engine] = {engine.name: engine for engine in (Textbook(), Builtin(), Native())}


def choose_engine(
    name: str, cell: str, device: str, precision: str = "float32"
) -> tuple[Engine, str]:
    """Return the engine called `name`, or the fastest one for `auto`, and the reason in words.

    Raises UsageError for an unknown name, UnavailableError if the engine cannot run this cell here.
    An engine asked for by name is never replaced by another.
    """
    if name == "auto":
        if cell not in CELLS:
            return ENGINES["textbook"], f"auto: only textbook computes {short_name(cell)}"
        native = ENGINES["native"]
        if device != "cpu":
            return ENGINES["builtin"], "auto: native is for the CPU"
        if native.fault(cell, device):
            return ENGINES["builtin"], "auto: native cannot run here, see `rnnlab engines`"
        level = instruction_set()
        if precision not in FASTER_THAN_TORCH.get(level, ()):
            return ENGINES["builtin"], f"auto: faster than native on {level} in {precision}"
        return native, f"auto: the fastest on {level} in {precision}"
    if name not in ENGINES:
        raise unknown("engine", name, [*ENGINES, "auto"])
    engine = ENGINES[name]
    if fault := engine.fault(cell, device):
        raise UnavailableError(f"engine {name!r} cannot run here: {fault}")
    return engine, "asked for"


def gpu_is_there() -> bool:
    """Whether torch sees a GPU; it is not loaded where the operating system knows none."""
    if "torch" not in sys.modules and not _may_have_gpu():
        return False
    import torch

    return torch.cuda.is_available()


def _may_have_gpu() -> bool:
    if sys.platform == "linux":  # NVIDIA's driver, AMD's, and either in Windows' subsystem
        return any(map(os.path.exists, ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")))
    return sys.platform != "darwin"


def precision_needs(precision: str, device: str) -> str:
    """Return what `device` lacks to compute in `precision`; "": nothing."""
    if precision != "bfloat16":
        return ""
    import torch

    if device == "cuda":
        return "" if torch.cuda.is_bf16_supported() else "a GPU of compute capability 8.0"
    onednn = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    available = onednn and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    return "" if available else "a CPU with AVX-512"


@dataclass(frozen=True)
class EngineEntry:
    """An engine, and whether this machine can use it."""

    name: str
    about: str
    fault: str
    """Why it cannot be used; "": it can."""
    instruction_set: str
    """The processor's instruction set that it uses, if it can choose among several."""
    chosen_for: tuple[str, ...]
    """Precisions for which `auto` chooses it, of those that the machine can compute in."""


def list_engines() -> list[EngineEntry]:
    """List the engines: which this machine can use, and why not the others.

    >>> [engine.name for engine in rnnlab.list_engines()]
    ['textbook', 'builtin', 'native']
    """
    device = "cuda" if gpu_is_there() else "cpu"
    here = [p for p in get_args(Precision) if not precision_needs(p, device)]
    auto = {p: choose_engine("auto", "lstm", device, p)[0].name for p in here}
    entries = []
    for name, engine in ENGINES.items():
        fault = engine.fault("lstm", device) or ""
        chosen_for = tuple(precision for precision, chosen in auto.items() if chosen == name)
        entries.append(
            EngineEntry(name, engine.about, fault, "" if fault else engine.level(), chosen_for)
        )
    return entries
