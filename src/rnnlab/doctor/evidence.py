"""The evidence that rules use; reading missing evidence raises the reason."""

import math
from dataclasses import dataclass

from rnnlab.config import Settings
from rnnlab.console import counted
from rnnlab.doctor.activity import WeightFacts
from rnnlab.doctor.diagnosis import MissingEvidence
from rnnlab.doctor.history import History, mean_nats
from rnnlab.doctor.text_levels import TextLevels

MIN_BUDGET_SHARE = 0.25
"""Share of the budget before which a lack of progress is not a sign of illness."""

MIN_LINES = 8
"""Training lines that a curve needs, so that each quarter is the mean of at least two."""


COPIED = "held-out text is a copy"
"""The illness of the text."""


@dataclass(frozen=True)
class Curve:
    """The second half of the training curve, in nats per token."""

    third_quarter_nats: float
    last_quarter_nats: float

    @property
    def fall(self) -> float:
        """Share by which the loss fell from the third quarter to the last; negative if it rose."""
        if not self.third_quarter_nats:
            return 0.0
        return 1 - self.last_quarter_nats / self.third_quarter_nats


@dataclass(frozen=True)
class Evidence:
    """What is known about one run."""

    history: History
    text_or_why: TextLevels | MissingEvidence
    weights_or_why: WeightFacts | MissingEvidence
    found: tuple[str, ...] = ()
    """Illnesses that were found so far."""

    @property
    def diverged(self) -> bool:
        """Whether the run diverged."""
        return "diverged" in self.found

    @property
    def explained(self) -> bool:
        """Whether something was found already that slows learning.

        Copies in held-out text do not: a run may be too short as well.
        """
        return any(illness != COPIED for illness in self.found)

    @property
    def settings(self) -> Settings:
        """The settings of the run."""
        return self.history.settings

    @property
    def text(self) -> TextLevels:
        """What simple predictors reach; raises MissingEvidence if the text is missing."""
        if isinstance(self.text_or_why, MissingEvidence):
            raise self.text_or_why
        return self.text_or_why

    @property
    def weights(self) -> WeightFacts:
        """What the last weights do; raises MissingEvidence if they or the text are missing."""
        if isinstance(self.weights_or_why, MissingEvidence):
            raise self.weights_or_why
        return self.weights_or_why

    @property
    def end_nats(self) -> float:
        """Training nats per token in the last quarter of a curve of any length; NaN without one."""
        return mean_nats(self.history.part(0.75, 1)) if self.history.training else math.nan

    @property
    def curve(self) -> Curve:
        """The loss over time; raises MissingEvidence if it is too short or the run diverged."""
        history = self.history
        if self.diverged:
            raise MissingEvidence("the run diverged")
        if len(history.training) < MIN_LINES:
            points = counted(len(history.training), "point")
            raise MissingEvidence(
                f"the training curve has {points}{history.so_far}; at least {MIN_LINES} are "
                "needed (--num-log-lines)"
            )
        if history.progress < MIN_BUDGET_SHARE:
            raise MissingEvidence(
                f"{history.progress:.0%} of the budget is used{history.so_far}; at least "
                f"{MIN_BUDGET_SHARE:.0%} is needed"
            )
        return Curve(mean_nats(history.part(0.5, 0.75)), mean_nats(history.part(0.75, 1)))
