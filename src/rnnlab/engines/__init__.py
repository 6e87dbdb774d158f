"""Ways to run a cell over time. An engine owns no parameters and leaves no trace in a model."""

from rnnlab.engines.choose import (
    ENGINES,
    EngineEntry,
    choose_engine,
    gpu_is_there,
    list_engines,
    precision_needs,
)
from rnnlab.engines.engine import Dropouts, Engine, Network, Reader, TrainingStep

__all__ = [
    "ENGINES",
    "Dropouts",
    "Engine",
    "EngineEntry",
    "Network",
    "Reader",
    "TrainingStep",
    "choose_engine",
    "gpu_is_there",
    "list_engines",
    "precision_needs",
]
