"""How carefully what a unit follows is tested."""

from dataclasses import dataclass, field

from rnnlab.errors import UsageError
from rnnlab.probes.circular_shift import FEWEST_SHIFTS, LEVEL
from rnnlab.probes.feature_settings import FeatureSettings
from rnnlab.probes.twin_limit import FEWEST_TWINS


@dataclass(frozen=True)
class FollowingSettings:
    """Numbers of the search; the defaults take a few seconds for 256 units."""

    features: FeatureSettings = field(default_factory=FeatureSettings)
    most_tokens: int = 20_000
    """Tokens read from the beginning of the text; bounds the memory, see `states`."""
    shifts: int = 200
    least_shift: int = 300
    """Tokens; the gap between the halves as well."""
    shift_seed: int = 0
    twins: int = 8
    """Untrained networks, with the run's seed and the next ones."""
    least_changes: int = 20
    """How often a feature must change in each half of the text."""
    longest_context: int = 3
    """Tokens of the n-gram features."""

    def __post_init__(self) -> None:
        """Raise UsageError for a value that is not possible."""
        least = {
            "most_tokens": 1, "least_shift": 1, "shift_seed": 0, "twins": FEWEST_TWINS,
            "least_changes": 2, "longest_context": 1,
        }  # fmt: skip
        for name, smallest in least.items():
            if getattr(self, name) < smallest:
                raise UsageError(f"{name} must be at least {smallest}, not {getattr(self, name)}")
        if self.shifts < FEWEST_SHIFTS:
            raise UsageError(
                f"shifts must be at least {FEWEST_SHIFTS}, not {self.shifts}: with fewer, nothing "
                f"can be found at the {LEVEL:.0%} level"
            )
