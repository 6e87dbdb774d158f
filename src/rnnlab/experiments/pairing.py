"""Which figures of two variants belong together, and which seeds have none, and why."""

from collections import Counter
from dataclasses import dataclass
from typing import Literal

from rnnlab.experiments.outcomes import OUTCOMES
from rnnlab.experiments.records import Records
from rnnlab.experiments.settings import ComparisonSettings

Unit = Literal["seed", "round"]
"""What figures are paired by."""

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
    """A variant's figures and those they are compared with, one a seed or timing round.

    On the scale they are compared on: natural logarithms where that is by ratio.
    """

    values: list[float]
    against: list[float]
    unit: Unit
    left_out: str
    """Why there are not more, in words; empty where none is left out."""
    survivors: bool
    """Whether any is left out because a run diverged."""

    @property
    def differences(self) -> list[float]:
        """a - b of every pair."""
        return [a - b for a, b in zip(self.values, self.against, strict=True)]


def find_pairs(records: Records, comparison: ComparisonSettings) -> Pairs:
    """Pair a comparison's figures by seed, or by round where speed was measured apart.

    A fixed value stands beside each of the variant's own. Left out are pairs that lack a figure, or
    have one that cannot be compared: not finite, or not positive where ratios are compared.
    """
    outcome = OUTCOMES[comparison.outcome]
    own = outcome.scaled(records.values(comparison.variant, comparison.outcome))
    sides = {comparison.variant: own}
    if isinstance(comparison.against, str):
        other = outcome.scaled(records.values(comparison.against, comparison.outcome))
        sides[comparison.against] = other
    else:
        other = outcome.scaled(dict.fromkeys(own, comparison.against))
    keys = sorted(own.keys() & other.keys())
    unit: Unit = "round" if outcome.timed and records.times_apart else "seed"
    return Pairs(
        [own[key] for key in keys], [other[key] for key in keys], unit,
        _left_out(records, sides, unit),
        unit == "seed" and any(r.status == "diverged" and r.variant in sides for r in records.runs),
    )  # fmt: skip


def _left_out(records: Records, sides: dict[str, dict[int, float]], unit: Unit) -> str:
    """Say how many pairs are lacking, which variant is to blame, and why."""
    status: dict[tuple[str, int], str] = {}
    if unit == "round":
        wanted = records.rounds
    else:
        wanted = set(records.plan.settings.seeds)
        status = {(run.variant, run.seed): REASONS[run.status] for run in records.runs}
    blamed = Counter[str]()
    for key in sorted(wanted):
        lacking = [variant for variant, figures in sides.items() if key not in figures]
        if lacking:
            reason = status.get((lacking[0], key), "was not measured")
            blamed[f"{lacking[0]!r} {reason}"] += 1
    if not blamed:
        return ""
    if len(blamed) == 1 and blamed.total() == len(wanted):
        everywhere = f"all {len(wanted)} {unit}s" if len(wanted) > 1 else f"the only {unit}"
        return f"{next(iter(blamed))} ({everywhere})"
    causes = (f"{cause} ({n})" if len(blamed) > 1 else cause for cause, n in blamed.items())
    return f"{blamed.total()} of {len(wanted)} {unit}s left out: {'; '.join(causes)}"


__all__ = ["Pairs", "Unit", "find_pairs"]
