"""Results of comparisons and claims: their verdicts and the numbers behind them."""

from dataclasses import dataclass
from typing import Literal

from rnnlab.experiments.claims import ComparisonSettings
from rnnlab.experiments.pairing import Unit

Verdict = Literal["supported", "contradicted", "not shown"]


@dataclass(frozen=True)
class ComparisonResult:
    """One comparison of two variants."""

    settings: ComparisonSettings
    verdict: Verdict
    pairs: int
    """Seeds (or timing rounds) that both variants have; with a fixed value, the variant's own."""
    mean: float | None = None
    """Of the variant over the pairs: arithmetic, or geometric if compared by ratio."""
    mean_against: float | None = None
    """Of the other variant, or the fixed value."""
    estimate: float | None = None
    """Mean paired difference, or geometric mean of the ratios."""
    interval: tuple[float, float] | None = None
    """95% t interval of the estimate, on the same scale; None for fewer than two pairs."""
    p_value: float | None = None
    """Of the test that decides, see `judge_claims`; None for fewer than two pairs."""
    adjusted_p: float | None = None
    """After Holm's correction over all comparisons of the experiment."""
    effect_size: float | None = None
    """Mean paired difference over its standard deviation, with Hedges' correction; of logarithms
    if compared by ratio. None for fewer than three pairs and without spread."""
    detectable: float | None = None
    """Smallest true difference (or ratio above 1) that this many pairs show with a probability of
    80%, at the level that Holm's correction leaves to this comparison. With a margin: the smallest
    that is shown to be beyond it. For `equivalent`, `not lower` and `not higher`: the smallest
    margin within which two equal variants are shown to be. None without spread."""
    sentence: str = ""
    """All of this in words."""
    unit: Unit = "seed"
    left_out: str = ""
    """Which pairs are missing and why, in words; empty if none is."""
    survivors: bool = False
    """Whether pairs are missing because runs diverged, so that nothing is tested."""
    about: str = ""
    """If there are several texts: what the verdict is about, such as `texts like these`."""
    over: str = ""
    """Then also how many of them have figures, such as `3 texts`."""
    on_texts: tuple[tuple[str, "ComparisonResult"], ...] = ()
    """The same comparison on each text alone, by its name; their verdicts are corrected together,
    apart from those about all texts."""
    lacks: str = ""
    """Why the figures are not enough for a test."""


@dataclass(frozen=True)
class ClaimVerdict:
    """A claim, and what the experiment shows about it."""

    text: str
    note: str
    verdict: Verdict
    compared: tuple[ComparisonResult, ...]

    @property
    def about(self) -> str:
        """What the verdict is about, see `ComparisonResult`."""
        return self.compared[0].about
