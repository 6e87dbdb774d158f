"""What a rule says, and what all of them say together."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from rnnlab.config import LEARNING_RATES, Settings


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


def rounded(value: float) -> str:
    """A value to give to a flag: two significant digits."""
    return f"{float(f'{value:.1e}'):g}"


def flag(settings: Settings, name: str, value: str | float, why: str = "") -> str:
    """One piece of advice: the flag, the value to try, what must change with it, the value now."""
    now = settings.flat()[name]
    if name == "learning_rate":
        now = now or LEARNING_RATES[settings.training.optimizer]
    wanted = rounded(value) if isinstance(value, float) else str(value)
    words = [f"--{name.replace('_', '-')} {wanted}", *_companions(settings, name, wanted)]
    is_now = f"{now:g}" if isinstance(now, float) else str(now)
    return f"{' '.join(words)} (now {is_now})" + (f": {why}" if why else "")


def _companions(settings: Settings, name: str, wanted: str) -> Iterator[str]:
    """Flags without which the settings would refuse the value."""
    if name == "hidden_size" and settings.model.tie_weights:
        yield f"--embedding-size {wanted}"
    if name == "optimizer" and settings.training.nesterov:
        yield "--no-nesterov"
    if name == "optimizer" and settings.training.momentum:
        yield "--momentum 0"
