"""The bodies of requests that look inside a network: a model, a text, and what is wanted of it."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from rnnlab.config import SettingsGroup
from rnnlab.errors import UsageError
from rnnlab.web.held_units import MOST_HELD, HeldUnits, values_of


class ReadBody(SettingsGroup):
    """A model and the text that it reads: a given one, or a part of a held-out split of its own."""

    model: str = Field("", description="a name from /v1/models; may be left out if there is one")
    text: str = Field("", description="a text; or else a part of a split")
    split: str = Field(
        "", description="validation or test, which the model was trained without; \"\": the last "
        "of those there are",
    )  # fmt: skip
    offset: int = Field(0, ge=0, description="characters of the split that are left out before")
    characters: int = Field(20_000, ge=1, le=1_000_000, description="of the split, at most")

    def check(self) -> None:
        """Raise UsageError for a text and a part of a split at once."""
        if self.text and (self.split or self.offset):
            raise UsageError("give a text or a part of a split, not both")


class ProbeBody(ReadBody):
    """`POST /api/v1/probe`: what a network computes, or what a probe finds."""

    what: str = Field(
        "traces", description="traces, the values of one quantity at each token; or the name of a "
        "probe, see rnnlab probe --what",
    )  # fmt: skip
    quantity: str = Field("", description='a gate or a part of the state; "": h')
    layer: int = Field(0, ge=0, description="from 0 on")
    progress: bool = Field(
        False, description="send events with the share that is done, and keep the answer for the "
        "same request without it",
    )  # fmt: skip


class StepsBody(ReadBody):
    """`POST /api/v1/probe/steps`: the numbers in the equations of one layer."""

    layer: int = Field(0, ge=0, description="from 0 on")
    first: int = Field(0, ge=0, description="the token of the first step, from 0 on")
    count: int = Field(1, ge=1, description="steps")
    units: tuple[int, ...] = Field((), max_length=MOST_HELD, description="none: all of the layer")


class MatchesBody(ReadBody):
    """`POST /api/v1/probe/matches`: where else the same units are on."""

    quantity: str = Field("", description='a gate or a part of the state; "": h')
    layer: int = Field(0, ge=0, description="from 0 on")
    begin: int = Field(ge=0, description="the first of the chosen tokens")
    end: int = Field(ge=1, description="the token after the last of them")
    threshold: float = Field(0.5, description="a unit is on above it")
    both_sides: bool = Field(False, description="a unit below minus the threshold is on, too")
    bounded: bool = Field(False, description="only units that are off right before and after")
    least: int = Field(0, ge=0, description="how many of the units must be on at a place; 0: all")
    units: tuple[int, ...] = Field(
        (), max_length=MOST_HELD, description="of those that are on, only these; none: all"
    )
    searched: str = Field("", description='the split that is searched; "": the last held-out one')
    searched_characters: int = Field(20_000, ge=2, le=100_000, description="of it, from its start")


class HeldBody(ReadBody):
    """`POST /api/v1/probe/held`: what a text costs while units are switched off."""

    held: HeldUnits = Field(
        min_length=1, max_length=MOST_HELD, description="units; without a value of its own, each "
        "is held at the mean of its memory over the text",
    )  # fmt: skip

    def values(self, means: Any) -> dict[tuple[int, int], float]:
        """Return the values by layer and unit; means: (L, H). Raises as `values_of`."""
        found = values_of(self.held)
        L, H = means.shape
        return {
            (one.layer, one.unit): float(means[one.layer, one.unit])
            if "value" not in one.model_fields_set and one.layer < L and one.unit < H
            else found[one.layer, one.unit]
            for one in self.held
        }
