"""How carefully what the whole state knows is tested."""

from dataclasses import dataclass
from typing import ClassVar

from rnnlab.errors import UsageError
from rnnlab.probes.search_settings import SearchSettings


@dataclass(frozen=True)
class DecodingSettings(SearchSettings):
    """Numbers of the decoders and of their controls."""

    least: ClassVar[dict[str, int]] = {**SearchSettings.least, "most_iterations": 1, "context": 1}

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

    def __post_init__(self) -> None:
        """Raise UsageError for a value that is not possible."""
        super().__post_init__()
        if not 0 <= self.lead < 1:
            raise UsageError(f"lead must be at least 0 and below 1, not {self.lead}")
        if not self.penalty > 0:
            raise UsageError(f"penalty must be above 0, not {self.penalty}")
