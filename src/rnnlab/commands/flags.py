"""What the flags of several commands have in common."""

import re
from typing import Annotated, Literal

import tyro

Checkpoint = Literal["best", "last"]
Split = Literal["train", "validation", "test"]
OPTIONAL = tyro.conf.arg(help_behavior_hint="(optional)")
MODELS = tyro.conf.arg(metavar="MODEL MODEL ...")
FILES = tyro.conf.arg(metavar="[FILE ...]", help_behavior_hint="(optional)")
Text = Annotated[str, OPTIONAL]
MovedText = Annotated[tuple[str, ...], OPTIONAL]
"""Where a text of the model is now."""

ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "\\": "\\"}


def unescaped(text: str) -> str:
    r"""Return a text in which \n, \t, \r, \0 and \\ are what they stand for, as in printf."""
    return re.sub(r"\\([ntr0\\])", lambda found: ESCAPES[found[1]], text)
