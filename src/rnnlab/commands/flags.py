"""What the flags of several commands have in common."""

from typing import Annotated, Literal

import tyro

from rnnlab.data.escapes import unescaped as unescaped

Checkpoint = Literal["best", "last"]
Split = Literal["train", "validation", "test"]
OPTIONAL = tyro.conf.arg(help_behavior_hint="(optional)")
MODELS = tyro.conf.arg(metavar="MODEL MODEL ...")
FILES = tyro.conf.arg(metavar="[FILE ...]", help_behavior_hint="(optional)")
Text = Annotated[str, OPTIONAL]
MovedText = Annotated[tuple[str, ...], OPTIONAL]
"""Where a text of the model is now."""
