"""Every setting, defined once: name, type, default, range, unit, one line of help.

The command line is generated from these models, TOML files hold them, run directories record them.
Names are unique over all groups, so a file, a flag or a keyword argument never names a group:
`hidden_size = 256`, `--hidden-size 256`, `rnnlab.train(hidden_size=256)`.
"""

from rnnlab.config.command_groups import BenchSettings, GenerationSettings
from rnnlab.config.groups import (
    CONTEXTS,
    DEFAULT_SECONDS,
    LEARNING_RATES,
    MAX_ORDER,
    DataSettings,
    ModelSettings,
    TrainingSettings,
)
from rnnlab.config.machine import ComputeSettings, LoadSettings, MachineSettings, Precision
from rnnlab.config.settings import (
    CHANGEABLE,
    CHOSEN,
    EARLIER,
    TEXTS,
    Settings,
    find_config,
    read_toml,
)
from rnnlab.config.validation import REPEATED, SettingsGroup

__all__ = [
    "CHANGEABLE",
    "CHOSEN",
    "CONTEXTS",
    "DEFAULT_SECONDS",
    "EARLIER",
    "LEARNING_RATES",
    "MAX_ORDER",
    "REPEATED",
    "TEXTS",
    "BenchSettings",
    "ComputeSettings",
    "DataSettings",
    "GenerationSettings",
    "LoadSettings",
    "MachineSettings",
    "ModelSettings",
    "Precision",
    "Settings",
    "SettingsGroup",
    "TrainingSettings",
    "find_config",
    "read_toml",
]
