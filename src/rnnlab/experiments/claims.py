"""Claims: the statements that an experiment tests, and the margin that each allows."""

import math
from typing import Literal, Self

from pydantic import Field, model_validator

from rnnlab.config.validation import SettingsGroup
from rnnlab.experiments.outcomes import OUTCOMES, check_outcomes

TOLERANT = ("equivalent", "not lower", "not higher")
"""Statements that are true of two equal variants, within a margin."""


class ComparisonSettings(SettingsGroup):
    """A statement about an outcome of two variants, tested on the seeds that both have."""

    variant: str = Field(description="name of a variant")
    against: str | float = Field(description="name of another variant, or a fixed value")
    outcome: str = Field(description="outcome that is compared")
    expect: Literal["lower", "higher", "not lower", "not higher", "different", "equivalent"] = (
        Field("different", description="statement about the variant's outcome")
    )
    margin: float = Field(
        0.0,
        ge=0,
        description="equivalent, not lower, not higher: largest difference that does not matter; "
        "lower, higher: least difference that is claimed; a ratio (1.1) if the outcome is "
        "compared by ratio",
    )

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        check_outcomes((self.outcome,))
        if self.expect in TOLERANT and not self.has_margin:
            what = "a ratio above 1" if self.is_ratio else "a difference above 0"
            raise ValueError(f"expect = {self.expect!r} needs a margin, {what}")
        if self.expect == "different" and self.margin:
            raise ValueError("expect = 'different' takes no margin")
        if self.is_ratio and 0 < self.margin < 1:
            raise ValueError(
                f"{self.outcome} is compared by ratio: margin must be at least 1, "
                f"not {self.margin:g}"
            )
        return self

    @property
    def is_ratio(self) -> bool:
        """Whether figures are compared by their ratio, not by their difference."""
        return OUTCOMES[self.outcome].is_ratio

    @property
    def has_margin(self) -> bool:
        """Whether the statement has a margin."""
        return self.margin > (1 if self.is_ratio else 0)

    @property
    def scaled_margin(self) -> float:
        """The margin on the scale of the comparison: its logarithm if by ratio."""
        return math.log(max(self.margin, 1.0)) if self.is_ratio else self.margin


class ClaimSettings(SettingsGroup):
    """A sentence and the comparisons that decide it; all of them must hold."""

    text: str = Field(
        "", description="sentence in the report; default: made from the first comparison"
    )
    note: str = Field("", description="how the sentence was made testable")
    comparison: tuple[ComparisonSettings, ...] = Field(min_length=1)
