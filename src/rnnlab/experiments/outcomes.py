"""The outcomes that an experiment can measure, each defined once."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from rnnlab.errors import unknown

LARGEST_LOGARITHM = 709.0
"""The exponential function of more than this overflows."""


@dataclass(frozen=True)
class Outcome:
    """One figure of a run, and how the figures of two runs are compared."""

    name: str
    label: str
    """For tables and axes, with the unit."""
    scale: Literal["difference", "ratio"] = "difference"
    """Two values are compared by a - b, or by a / b; then logarithms are averaged."""
    better: Literal["lower", "higher"] = "lower"
    digits: int = 3
    """Decimals in tables."""
    timed: bool = False
    """Measured by the clock; taken from the timing rounds if an experiment has them."""

    @property
    def is_ratio(self) -> bool:
        """Whether two values are compared by their ratio."""
        return self.scale == "ratio"

    def scaled(self, values: Mapping[int, float]) -> dict[int, float]:
        """Return values on the scale of their comparison: natural logarithms if by ratio.

        Leaves out values that cannot be compared: not finite, or not positive if by ratio.
        """
        finite = {key: float(value) for key, value in values.items() if math.isfinite(value)}
        if self.is_ratio:
            return {key: math.log(value) for key, value in finite.items() if value > 0}
        return finite

    def unscaled(self, value: float) -> float:
        """Undo `scaled` for one value, such as a mean; infinity if it is too large for a float."""
        if self.is_ratio:
            return math.exp(value) if value < LARGEST_LOGARITHM else math.inf
        return value


OUTCOMES: dict[str, Outcome] = {
    outcome.name: outcome
    for outcome in (
        Outcome("held_out_bits_per_character", "held-out bits/character, last weights"),
        Outcome("best_held_out_bits_per_character", "held-out bits/character, best weights"),
        Outcome("validation_bits_per_character", "validation bits/character, best moment"),
        Outcome(
            "overfitting_bits_per_character",
            "overfitting: rise of held-out bits/character from its lowest to the end",
        ),
        Outcome("training_perplexity", "training perplexity", "ratio"),
        Outcome("tokens_per_second", "tokens/s", "ratio", "higher", 0, timed=True),
        Outcome("training_seconds", "training [s]", "ratio", "lower", 1, timed=True),
        Outcome("prediction_seconds", "prediction [s]", "ratio", "lower", 4, timed=True),
        Outcome(
            "initial_gradient_decay",
            "gradient over 30 steps, at initialisation [decades]",
            digits=2,
        ),
        Outcome("gradient_decay", "gradient over 30 steps, after training [decades]", digits=2),
    )
}
"""By name. held-out: of the test split, or of the validation split if there is no test split, with
carried context. validation: the lowest of the evaluations during training; settings may be chosen
by this one.

decay: |log10(norm of dL_T/dh_(T-31) / norm of dL_T/dh_(T-1))|, 0 if the gradient neither vanishes
nor explodes on its way back through 30 time steps. The step from h_T to h_(T-1) is left out: the
output layer reads h_T, and only the next time step reads h_(T-1).
"""


def check_outcomes(names: Iterable[str]) -> None:
    """Raise ValueError for an outcome that does not exist."""
    for name in names:
        if name not in OUTCOMES:
            raise ValueError(str(unknown("outcome", name, OUTCOMES)))
