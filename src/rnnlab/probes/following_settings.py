"""How carefully what a unit follows is tested."""

from dataclasses import dataclass
from typing import ClassVar

from rnnlab.probes.search_settings import SearchSettings


@dataclass(frozen=True)
class FollowingSettings(SearchSettings):
    """Numbers of the search; the defaults take a few seconds for 256 units."""

    least: ClassVar[dict[str, int]] = {**SearchSettings.least, "longest_context": 1}

    twins: int = 8
    longest_context: int = 3
    """Tokens of the n-gram features."""
