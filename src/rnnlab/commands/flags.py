"""What the flags of several commands have in common."""

from typing import Annotated, Literal

import tyro

Checkpoint = Literal["best", "last"]
Split = Literal["train", "validation", "test"]
OPTIONAL = tyro.conf.arg(help_behavior_hint="(optional)")
FILES = tyro.conf.arg(metavar="[FILE ...]", help_behavior_hint="(optional)")
Text = Annotated[str, OPTIONAL]
MovedText = Annotated[tuple[str, ...], OPTIONAL]
"""Where a text of the model is now."""
