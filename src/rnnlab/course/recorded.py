"""What experiments that took hours have found, for chapters that take seconds.

`recorded.json` has their figures and verdicts; `python docs/make_course_records.py` writes it from
the folders in experiments/.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from rnnlab.errors import unknown

FILE = Path(__file__).with_name("recorded.json")


class JudgedClaim(NamedTuple):
    """A claim of an experiment, and what it shows about it."""

    text: str
    verdict: str
    """supported, contradicted or not shown."""
    sentences: tuple[str, ...]
    """The figures of each comparison in words."""


@dataclass(frozen=True)
class Recorded:
    """The figures of an experiment that has been run."""

    command: str
    """Makes the experiment again."""
    reported: dict[str, dict[str, float]]
    """Figures of others by variant and outcome."""
    figures: dict[str, dict[str, list[float]]]
    """Measured figures by variant and outcome, one for each seed."""
    baselines: dict[str, float]
    """Bits per character of simple methods on the held-out text."""
    claims: tuple[JudgedClaim, ...]


def recorded(name: str) -> Recorded:
    """Return what an experiment has found: `lab-report` or `report-ideas`.

    Raises UsageError for a name that is not recorded.
    """
    experiments = json.loads(FILE.read_text(encoding="utf-8"))
    if name not in experiments:
        raise unknown("experiment", name, experiments)
    own = experiments[name]
    own["claims"] = tuple(
        JudgedClaim(text, verdict, tuple(sentences)) for text, verdict, sentences in own["claims"]
    )
    return Recorded(**own)
