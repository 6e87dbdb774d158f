"""Pairs of figures of two variants, and why some seeds have none."""

from collections import Counter
from dataclasses import dataclass
from typing import Literal

from rnnlab.experiments.claims import ComparisonSettings
from rnnlab.experiments.outcomes import OUTCOMES
from rnnlab.experiments.records import Records

Unit = Literal["seed", "round"]
"""By which figures are paired."""

REASONS = {
    "diverged": "diverged",
    "failed": "failed",
    "pruned": "was ended early",
    "missing": "was not run",
    "finished": "has no usable figure",
}
"""By the status of a run without a figure."""


@dataclass(frozen=True)
class Pairs:
    """A variant's figures and those they are compared with, one for each seed or timing round.

    On the scale of the comparison: natural logarithms if figures are compared by ratio.
    """

    values: list[float]
    against: list[float]
    unit: Unit
    left_out: str
    """How many pairs are missing and why, in words; empty if none is."""
    survivors: bool
    """Whether any pair is missing because a run diverged."""

    @property
    def differences(self) -> list[float]:
        """a - b of every pair."""
        return [a - b for a, b in zip(self.values, self.against, strict=True)]


def find_pairs(records: Records, comparison: ComparisonSettings) -> Pairs:
    """Pair a comparison's figures by seed, or by round if speed was measured separately.

    A fixed value is paired with each of the variant's figures. Pairs without two figures that can
    be compared, see `Outcome.scaled`, are left out.
    """
    outcome = OUTCOMES[comparison.outcome]
    own = outcome.scaled(records.values(comparison.variant, outcome.name))
    sides = {comparison.variant: own}
    if isinstance(comparison.against, str):
        other = outcome.scaled(records.values(comparison.against, outcome.name))
        sides[comparison.against] = other
    else:
        other = outcome.scaled(dict.fromkeys(own, comparison.against))
    keys = sorted(own.keys() & other.keys())
    unit: Unit = "round" if outcome.timed and records.timed_separately else "seed"
    diverged = any(r.status == "diverged" and r.variant in sides for r in records.runs)
    return Pairs(
        [own[key] for key in keys], [other[key] for key in keys], unit,
        _left_out(records, sides, unit), unit == "seed" and diverged,
    )  # fmt: skip


def _left_out(records: Records, sides: dict[str, dict[int, float]], unit: Unit) -> str:
    """Say how many pairs are missing, because of which variant, and why."""
    status: dict[tuple[str, int], str] = {}
    if unit == "round":
        wanted = records.rounds
    else:
        wanted = set(records.plan.settings.seeds)
        status = {(run.variant, run.seed): REASONS[run.status] for run in records.runs}
    causes = Counter[str]()
    for key in sorted(wanted):
        missing = [variant for variant, figures in sides.items() if key not in figures]
        if missing:
            reason = status.get((missing[0], key), "was not measured")
            causes[f"{missing[0]!r} {reason}"] += 1
    if not causes:
        return ""
    if len(causes) == 1 and causes.total() == len(wanted):
        everywhere = f"all {len(wanted)} {unit}s" if len(wanted) > 1 else f"the only {unit}"
        return f"{next(iter(causes))} ({everywhere})"
    reasons = (f"{cause} ({n})" if len(causes) > 1 else cause for cause, n in causes.items())
    return f"{causes.total()} of {len(wanted)} {unit}s left out: {'; '.join(reasons)}"
