"""The commands: each has its flags as parameters, calls the library and shows the result.

Modules that need torch are imported inside the commands, so that help starts at once.
"""

from collections.abc import Callable

from rnnlab.commands.flags import OPTIONAL
from rnnlab.commands.laboratory import (
    bench,
    corpora,
    doctor,
    engines,
    experiment,
    report,
    reproduce,
)
from rnnlab.commands.models import classify, ensemble, evaluate, generate, score
from rnnlab.commands.probing import probe
from rnnlab.commands.training import train
from rnnlab.commands.writing import write

ALL = (
    train, generate, write, evaluate, score, classify, ensemble, doctor, probe, experiment,
    reproduce, report, corpora, engines, bench,
)  # fmt: skip
COMMANDS: dict[str, Callable[..., None]] = {command.__name__: command for command in ALL}

__all__ = ["COMMANDS", "OPTIONAL", "train"]
