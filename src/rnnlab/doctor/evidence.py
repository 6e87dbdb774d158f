"""All that rules may look at; what is missing says why when a rule reaches for it."""

import math
from dataclasses import dataclass

from rnnlab.config import Settings
from rnnlab.doctor.diagnosis import NotAtHand
from rnnlab.doctor.history import History, mean_nats
from rnnlab.doctor.text_levels import TextLevels
from rnnlab.doctor.weights import WeightFacts

FAIR_SHARE = 0.25
"""Of the budget: what has not been learned before is no sign of illness yet."""

MIN_LINES = 8
"""Lines of training that a curve needs, so that each quarter of it is a mean of two at least."""


@dataclass(frozen=True)
class Curve:
    """The second half of the training curve, nats per token."""

    third_quarter_nats: float
    last_quarter_nats: float

    @property
    def fall(self) -> float:
        """By what share the loss fell from one quarter to the next; below 0 where it rose."""
        if not self.third_quarter_nats:
            return 0.0
        return 1 - self.last_quarter_nats / self.third_quarter_nats


@dataclass(frozen=True)
class Evidence:
    """What is known of one run."""

    history: History
    text_or_why: TextLevels | NotAtHand
    weights_or_why: WeightFacts | NotAtHand
    diverged: bool = False

    @property
    def settings(self) -> Settings:
        """What was asked for."""
        return self.history.settings

    @property
    def text(self) -> TextLevels:
        """What simple predictors reach; raises NotAtHand where the text is not."""
        if isinstance(self.text_or_why, NotAtHand):
            raise self.text_or_why
        return self.text_or_why

    @property
    def weights(self) -> WeightFacts:
        """What the last weights do; raises NotAtHand where they or the text are not."""
        if isinstance(self.weights_or_why, NotAtHand):
            raise self.weights_or_why
        return self.weights_or_why

    @property
    def end_nats(self) -> float:
        """Training nats per token in the last quarter, however short the curve; NaN without one."""
        return mean_nats(self.history.part(0.75, 1)) if self.history.training else math.nan

    @property
    def curve(self) -> Curve:
        """How the loss went; raises NotAtHand where there is too little of it, or it diverged."""
        history = self.history
        if self.diverged:
            raise NotAtHand("the run diverged")
        if len(history.training) < MIN_LINES:
            raise NotAtHand(
                f"the training curve has {len(history.training)} points so far; it needs "
                f"{MIN_LINES} (--num-log-lines)"
            )
        if history.progress < FAIR_SHARE:
            raise NotAtHand(
                f"{history.progress:.0%} of the budget is used so far; it needs {FAIR_SHARE:.0%}"
            )
        return Curve(mean_nats(history.part(0.5, 0.75)), mean_nats(history.part(0.75, 1)))
