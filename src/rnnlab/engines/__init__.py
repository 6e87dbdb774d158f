"""Ways to run a cell over time. An engine owns no parameters and leaves no trace in a model."""

import torch

from rnnlab.engines.builtin import Builtin
from rnnlab.engines.engine import Dropouts, Engine, Network, Reader
from rnnlab.engines.native import Native
from rnnlab.engines.native_kernels import FAST, instruction_set
from rnnlab.engines.textbook import Textbook
from rnnlab.errors import UnavailableError, unknown

ENGINES: dict[str, Engine] = {engine.name: engine for engine in (Textbook(), Builtin(), Native())}

__all__ = ["ENGINES", "Dropouts", "Engine", "Network", "Reader", "choose_engine"]


def choose_engine(
    name: str, cell: str, device: torch.device, precision: str = "float32"
) -> tuple[Engine, str]:
    """Return the engine asked for, or with `auto` the fastest that fits, and the reason in words.

    Raises UsageError for an unknown name; UnavailableError where the engine asked for by name
    cannot run this cell here. Only `auto` ever chooses another.
    """
    if name == "auto":
        native = ENGINES["native"]
        if device.type != "cpu":
            return ENGINES["builtin"], "auto: native is for the CPU"
        if native.fault(cell, device):
            return ENGINES["builtin"], "auto: native cannot run here, see `rnnlab engines`"
        level = instruction_set()
        if precision not in FAST.get(level, ()):
            return ENGINES["builtin"], f"auto: faster than native on {level} in {precision}"
        return native, f"auto: the fastest on {level} in {precision}"
    if name not in ENGINES:
        raise unknown("engine", name, [*ENGINES, "auto"])
    engine = ENGINES[name]
    if fault := engine.fault(cell, device):
        raise UnavailableError(f"engine {name!r} cannot run here: {fault}")
    return engine, "asked for"
