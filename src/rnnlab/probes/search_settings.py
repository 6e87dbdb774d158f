"""What the searches for features have in common: their numbers, and what they read."""

from dataclasses import dataclass, field
from typing import ClassVar

from rnnlab.errors import UsageError
from rnnlab.probes.circular_shift import FEWEST_SHIFTS, LEVEL
from rnnlab.probes.feature_settings import FeatureSettings
from rnnlab.probes.features import Features, check_length, features_of
from rnnlab.probes.reading import Reading
from rnnlab.probes.states import Halves
from rnnlab.probes.twin_limit import FEWEST_TWINS


@dataclass(frozen=True)
class SearchSettings:
    """Numbers of a search; see `following` and `decoding`."""

    least: ClassVar[dict[str, int]] = {
        "most_tokens": 1, "least_shift": 1, "seed": 0, "twins": FEWEST_TWINS, "least_changes": 2,
    }  # fmt: skip
    """The smallest value of each number that has one."""

    features: FeatureSettings = field(default_factory=FeatureSettings)
    most_tokens: int = 20_000
    """Tokens read from the beginning of the text; bounds the memory, see `states`."""
    shifts: int = 200
    least_shift: int = 300
    """Tokens; the gap between the halves as well."""
    seed: int = 0
    """Of what is drawn at random."""
    twins: int = 5
    """Untrained networks, with the run's seed and the next ones."""
    least_changes: int = 20
    """How often a feature must change in each half of the text."""

    def __post_init__(self) -> None:
        """Raise UsageError for a value that is not possible."""
        for name, smallest in self.least.items():
            if getattr(self, name) < smallest:
                raise UsageError(f"{name} must be at least {smallest}, not {getattr(self, name)}")
        if self.shifts < FEWEST_SHIFTS:
            raise UsageError(
                f"shifts must be at least {FEWEST_SHIFTS}, not {self.shifts}: with fewer, nothing "
                f"can be found at the {LEVEL:.0%} level"
            )

    def read(self, reading: Reading, features: Features | None) -> tuple[Reading, Features, Halves]:
        """Return what of a text is read, the features that can be looked for in it, its halves.

        features: of the whole text, if they are made already.

        Raises UsageError for features that are not possible, CorpusError for a text that is too
        short.
        """
        features = features or features_of(reading, self.features)
        check_length(features, len(reading))
        reading = reading.first(self.most_tokens)
        halves = Halves.of(len(reading), self.least_shift, 2 * self.least_shift + self.shifts)
        return reading, features.first(len(reading)).changing(halves, self.least_changes), halves
