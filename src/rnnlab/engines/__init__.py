"""Ways to run a cell over time. An engine owns no parameters and leaves no trace in a model."""

import torch

from rnnlab.engines.builtin import Builtin
from rnnlab.engines.engine import Dropouts, Engine, Network, Reader
from rnnlab.engines.native import Native
from rnnlab.engines.textbook import Textbook
from rnnlab.errors import UnavailableError, unknown

ENGINES: dict[str, Engine] = {engine.name: engine for engine in (Textbook(), Builtin(), Native())}

__all__ = ["ENGINES", "Dropouts", "Engine", "Network", "Reader", "choose_engine"]


def choose_engine(name: str, cell: str, device: torch.device) -> tuple[Engine, str]:
    """Return the engine asked for, or with `auto` the fastest that fits, and the reason in words.

    Raises UsageError for an unknown name; UnavailableError where the engine asked for by name
    cannot run this cell here. Only `auto` ever chooses another.
    """
    if name == "auto":
        return ENGINES["builtin"], "auto: trains as fast as textbook or faster"
    if name not in ENGINES:
        raise unknown("engine", name, [*ENGINES, "auto"])
    engine = ENGINES[name]
    if fault := engine.fault(cell, device):
        raise UnavailableError(f"engine {name!r} cannot run here: {fault}")
    return engine, "asked for"
