"""How carefully what the whole state knows is tested."""

from dataclasses import dataclass, field

from rnnlab.errors import UsageError
from rnnlab.probes.circular_shift import FEWEST_SHIFTS, LEVEL
from rnnlab.probes.feature_settings import FeatureSettings
from rnnlab.probes.twin_limit import FEWEST_TWINS


@dataclass(frozen=True)
class DecodingSettings:
    """Numbers of the decoders and of their controls."""

    features: FeatureSettings = field(default_factory=FeatureSettings)
    most_tokens: int = 20_000
    """Tokens read from the beginning of the text; bounds the memory, see `states`."""
    shifts: int = 200
    least_shift: int = 300
    """Tokens; the gap between the halves as well."""
    seed: int = 0
    """Of the shifts and of the control's labels."""
    penalty: float = 0.001
    """Of the squared weights of standardized inputs, for each token they are fitted to: alpha of
    ridge and 1 / C of scikit-learn's logistic regression, divided by the tokens. A
    large one is harder on an untrained network, whose states differ less from token to token."""
    most_iterations: int = 100
    """Of the solver of the logistic regression."""
    context: int = 3
    """Tokens that have one random label together in the control."""
    lead: float = 0.02
    """How far a score must be ahead of the control's."""
    twins: int = 5
    """Untrained networks, with the run's seed and the next ones."""
    least_changes: int = 20
    """How often a feature must change in each half of the text."""

    def __post_init__(self) -> None:
        """Raise UsageError for a value that is not possible."""
        least = {
            "most_tokens": 1, "least_shift": 1, "seed": 0, "most_iterations": 1, "context": 1,
            "least_changes": 2, "twins": FEWEST_TWINS,
        }  # fmt: skip
        for name, smallest in least.items():
            if getattr(self, name) < smallest:
                raise UsageError(f"{name} must be at least {smallest}, not {getattr(self, name)}")
        if not 0 <= self.lead < 1:
            raise UsageError(f"lead must be at least 0 and below 1, not {self.lead}")
        if not self.penalty > 0:
            raise UsageError(f"penalty must be above 0, not {self.penalty}")
        if self.shifts < FEWEST_SHIFTS:
            raise UsageError(
                f"shifts must be at least {FEWEST_SHIFTS}, not {self.shifts}: with fewer, nothing "
                f"can be found at the {LEVEL:.0%} level"
            )
