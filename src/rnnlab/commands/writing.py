"""The command that writes together with a person."""

from pathlib import Path

import tyro

import rnnlab
from rnnlab.commands.flags import Checkpoint, Text, unescaped
from rnnlab.config import GenerationSettings, LoadSettings


def write(
    model: tyro.conf.Positional[Path],
    text: GenerationSettings,
    machine: LoadSettings,
    label: Text = "",
    checkpoint: Checkpoint = "best",
) -> None:
    """Write together with a model: type a beginning, and it goes on.

    Reads standard input line by line. /help lists the commands, such as /temperature 0.5.

    Args:
        model: run directory or model folder
        label: of what is written, for a model of labelled samples
        checkpoint: of a run directory: best on the validation split, or last
    """
    from rnnlab.console import notice
    from rnnlab.display.prompt import Prompt

    loaded = rnnlab.load(model, checkpoint, **dict(machine))
    for words in loaded.checkpoint_notices(checkpoint):
        notice(words)
    Prompt(loaded, text, label=label, unescape=unescaped).run()
