"""The finding of one rule, and the diagnosis that all of them make."""

from dataclasses import asdict, dataclass
from typing import Any


class MissingEvidence(Exception):
    """A rule cannot be applied to this run; the message says which evidence is missing and why."""


@dataclass(frozen=True)
class Finding:
    """One illness, its evidence, and what to try."""

    illness: str
    """Its name in `RULES` and docs/doctor.md."""
    title: str
    """The illness in this run, such as "overfitting since step 400"."""
    evidence: tuple[str, ...]
    advice: tuple[str, ...]
    """What to try, most promising first, each with the flag and a value."""


@dataclass(frozen=True)
class Diagnosis:
    """What `rnnlab doctor` reports on a run."""

    run: str
    state: str
    """How far the run got, and what ended it."""
    findings: tuple[Finding, ...]
    looked_at: tuple[str, ...]
    """Illnesses that were looked for."""
    not_asked: dict[str, str]
    """Illnesses that could not be looked for, and why."""

    @property
    def healthy(self) -> bool:
        """Whether nothing was found among the illnesses that were looked for."""
        return not self.findings

    def to_dict(self) -> dict[str, Any]:
        """Return all fields and `healthy`, ready for JSON."""
        return {"healthy": self.healthy, **asdict(self)}
