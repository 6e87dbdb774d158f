"""Units that are switched off in a request: which, and the model without them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from rnnlab.config import SettingsGroup
from rnnlab.errors import UsageError

if TYPE_CHECKING:
    from rnnlab.lm.text_model import TextModel

MOST_HELD = 1_024
"""Units that are switched off in one request."""


class HeldUnit(SettingsGroup):
    """A unit that is switched off: its memory, c or h, is held at a value."""

    layer: int = Field(0, ge=0, description="from 0 on")
    unit: int = Field(ge=0, description="from 0 on")
    value: float = Field(0.0, description="of its memory")


HeldUnits = tuple[HeldUnit, ...]

ABOUT_HELD = "units that are switched off; /api/v1/probe/held tells the means of their memories"


def values_of(held: HeldUnits) -> dict[tuple[int, int], float]:
    """Return the values by layer and unit; raises UsageError for a unit that is given twice."""
    found = {(one.layer, one.unit): one.value for one in held}
    if len(found) < len(held):
        raise UsageError("held: a unit is given twice")
    return found


def without_held(model: TextModel, held: HeldUnits) -> TextModel:
    """Return a model in which units are switched off. Raises as `values_of` and `held_model`."""
    if not held:
        return model
    from rnnlab.probes.holding import held_model  # imports torch

    return held_model(model, values_of(held))
