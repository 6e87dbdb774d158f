"""What a rule says, and what all of them say together."""

from dataclasses import asdict, dataclass
from typing import Any


class NotAtHand(Exception):
    """A rule cannot be asked of this run: what it would look at is missing, and why."""


@dataclass(frozen=True)
class Finding:
    """One illness, what shows it, and what to try."""

    illness: str
    """The name of the rule's illness, as in docs/doctor.md."""
    title: str
    """The same of this run: "overfitting since step 400"."""
    evidence: tuple[str, ...]
    advice: tuple[str, ...]
    """What to try, the likeliest first, each with the flag and a value."""


@dataclass(frozen=True)
class Diagnosis:
    """What `rnnlab doctor` says of a run."""

    run: str
    state: str
    """How far the run is, and what ended it."""
    findings: tuple[Finding, ...]
    looked_at: tuple[str, ...]
    """Illnesses that were asked for."""
    not_asked: dict[str, str]
    """Illnesses that could not be asked for, and why."""

    @property
    def healthy(self) -> bool:
        """Whether nothing was found; says nothing of what could not be asked."""
        return not self.findings

    def to_dict(self) -> dict[str, Any]:
        """All fields and `healthy`, ready for JSON."""
        return {"healthy": self.healthy, **asdict(self)}
