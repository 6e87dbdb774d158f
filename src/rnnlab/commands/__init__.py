"""The commands: each has its flags as parameters, calls the library and shows the result.

Modules that need torch are imported inside the commands, so that help starts at once.
"""

from collections.abc import Callable

from rnnlab.commands.comparing import compare, new_experiment
from rnnlab.commands.exchange import export, import_
from rnnlab.commands.flags import OPTIONAL
from rnnlab.commands.laboratory import (
    bench,
    check_cell,
    corpora,
    doctor,
    engines,
    experiment,
    power,
    report,
    reproduce,
)
from rnnlab.commands.models import classify, ensemble, evaluate, generate, score
from rnnlab.commands.probing import probe
from rnnlab.commands.serving import serve
from rnnlab.commands.training import train
from rnnlab.commands.writing import write

ALL = (
    train, generate, write, evaluate, score, classify, ensemble, export, import_, doctor, probe,
    serve, compare, experiment, new_experiment, power, reproduce, report, corpora, engines, bench,
    check_cell,
)  # fmt: skip
TWO_WORDS: dict[Callable[..., None], str] = {new_experiment: "experiment new"}
# A keyword of Python cannot be the name of a function: import_ is the command import.
COMMANDS: dict[str, Callable[..., None]] = {
    TWO_WORDS.get(command, command.__name__.removesuffix("_").replace("_", "-")): command
    for command in ALL
}
"""By name, which is what is typed after rnnlab: one word, or two."""

__all__ = ["COMMANDS", "OPTIONAL", "train"]
