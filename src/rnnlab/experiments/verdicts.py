"""Verdicts in words: what an experiment shows of each claim, and what it could not have seen."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from rnnlab.experiments.outcomes import OUTCOMES
from rnnlab.experiments.pairing import Pairs, Unit, find_pairs
from rnnlab.experiments.records import Records
from rnnlab.experiments.settings import TOLERANT, ComparisonSettings
from rnnlab.experiments.statistics import (
    LEVEL,
    Estimate,
    detectable_difference,
    detectable_margin,
    effect_size,
    equivalence_test,
    estimate_mean,
    holm,
    holm_levels,
    t_test,
)
from rnnlab.experiments.wording import describe_comparison, stated

Verdict = Literal["supported", "contradicted", "not shown"]


@dataclass(frozen=True)
class Compared:
    """One comparison, with the numbers behind its verdict."""

    settings: ComparisonSettings
    verdict: Verdict
    pairs: int
    """Seeds (or timing rounds) that both variants have; with a fixed value, the variant's own."""
    mean: float | None
    """Of the variant over the pairs: arithmetic, or geometric where compared by ratio."""
    mean_against: float | None
    """Of the other variant, or the fixed value."""
    estimate: float | None
    """Mean paired difference, or geometric mean of the ratios."""
    interval: tuple[float, float] | None
    """95% t interval of the estimate, on the same scale; None under two pairs."""
    p_value: float | None
    """Of the test that decides, see `judge`; None under two pairs."""
    adjusted_p: float | None
    """After Holm's correction over all comparisons of the experiment."""
    effect_size: float | None
    """Mean paired difference over its standard deviation, with Hedges' correction; of logarithms
    where compared by ratio. None under three pairs and without spread."""
    detectable: float | None
    """Smallest true difference (or ratio above 1) that this many pairs would have shown in four of
    five experiments, at the level that Holm's correction leaves to this comparison; with a margin,
    shown to be beyond it. Of `equivalent`, `not lower` and `not higher`: the smallest margin within
    which two equal variants would have been. None without spread."""
    sentence: str
    """All of this in words."""
    unit: Unit = "seed"
    left_out: str = ""
    """Which pairs are lacking and why, in words; empty where none is."""
    survivors: bool = False
    """Whether pairs are lacking because runs diverged, so that nothing is tested."""


@dataclass(frozen=True)
class ClaimVerdict:
    """A sentence and what the experiment says of it."""

    text: str
    note: str
    verdict: Verdict
    compared: tuple[Compared, ...]


def judge(records: Records) -> list[ClaimVerdict]:
    """Decide every claim of the plan; the chance of any false verdict is at most 5%.

    Both verdicts count, supported and contradicted: each comparison has one p value, small where
    either is due, and Holm's correction runs over all comparisons of the experiment, untested ones
    included (p = 1), the same one in two claims once. It holds for normal differences, and a wrong
    sign is counted as false too (Shaffer 1980, Ann. Statist. 8:1342, proves it for independent
    tests).

    - `lower`, `higher`: the two-sided t test that the true difference is the margin. Beyond it the
      statement is supported, short of it contradicted.
    - `not lower`, `not higher`: the same test; short of the margin the statement is supported
      (non-inferiority), beyond it contradicted.
    - `different`: the two-sided t test. Never contradicted: that nothing differs at all cannot be
      shown; `equivalent` states what can.
    - `equivalent`: two one-sided tests within the margin for supported; for contradicted, twice the
      one-sided p of lying beyond it on the side where the mean lies. Only one of the two verdicts
      can be false, whatever the truth, so that neither test pays for the other.

    Where a run of either variant diverged, nothing is tested: those that are left are survivors,
    and would speak for the variant that loses some. Where ratios are compared, all of this is of
    logarithms. A claim is supported where all its comparisons are, contradicted where any is.
    """
    claims = records.plan.claims
    comparisons = list(dict.fromkeys(c for claim in claims for c in claim.comparison))
    pairs = [find_pairs(records, comparison) for comparison in comparisons]
    tests = [_test(c, p) for c, p in zip(comparisons, pairs, strict=True)]
    p_values = [test.p for test in tests]
    corrected = zip(holm(p_values), holm_levels(p_values, LEVEL), strict=True)
    compared = {
        c: _compare(c, found, test, adjusted, level)
        for c, found, test, (adjusted, level) in zip(
            comparisons, pairs, tests, corrected, strict=True
        )
    }
    return [
        ClaimVerdict(
            claim.text or stated(claim.comparison[0]),
            claim.note,
            _all_of([compared[c].verdict for c in claim.comparison]),
            tuple(compared[c] for c in claim.comparison),
        )
        for claim in claims
    ]


class _Test(NamedTuple):
    p: float
    due: Verdict
    """The verdict, where p is small enough."""


def _test(settings: ComparisonSettings, pairs: Pairs) -> _Test:
    differences = pairs.differences
    if len(differences) < 2 or pairs.survivors:
        return _Test(1.0, "not shown")
    mean, margin = estimate_mean(differences).mean, _margin(settings)
    match settings.expect:
        case "different":
            return _Test(t_test(differences), "supported")
        case "equivalent" if abs(mean) <= margin:
            return _Test(equivalence_test(differences, margin), "supported")
        case "equivalent":
            return _Test(t_test(differences, math.copysign(margin, mean)), "contradicted")
        case "lower" | "higher" | "not lower" | "not higher":
            sign = 1 if settings.expect.endswith("higher") else -1
            beyond = sign * mean > margin
            p = t_test(differences, sign * margin)
            stated = beyond != settings.expect.startswith("not")
            return _Test(p, "supported" if stated else "contradicted")


def _compare(
    settings: ComparisonSettings, pairs: Pairs, test: _Test, adjusted_p: float, level: float
) -> Compared:
    compared = Compared(
        settings, test.due if adjusted_p <= LEVEL else "not shown", len(pairs.values),
        mean=None, mean_against=None, estimate=None, interval=None, p_value=None, adjusted_p=None,
        effect_size=None, detectable=None, sentence="", unit=pairs.unit, left_out=pairs.left_out,
        survivors=pairs.survivors,
    )  # fmt: skip
    unscaled = OUTCOMES[settings.outcome].unscaled
    if pairs.values:
        estimate, against = estimate_mean(pairs.differences), settings.against
        compared = replace(
            compared,
            mean=unscaled(estimate_mean(pairs.values).mean),
            mean_against=against
            if isinstance(against, float)
            else unscaled(estimate_mean(pairs.against).mean),
            estimate=unscaled(estimate.mean),
        )
        if estimate.interval:
            low, high = estimate.interval
            smallest = _detectable(settings, estimate, level)
            compared = replace(
                compared,
                interval=(unscaled(low), unscaled(high)),
                p_value=test.p,
                adjusted_p=adjusted_p,
                effect_size=effect_size(pairs.differences),
                detectable=None if smallest is None else unscaled(smallest),
            )
    return replace(compared, sentence=describe_comparison(compared))


def _detectable(settings: ComparisonSettings, estimate: Estimate, level: float) -> float | None:
    """On the scale of the differences; the spread of this experiment taken as the true one."""
    if not estimate.deviation:
        return None
    if settings.expect == "equivalent":
        return detectable_margin(estimate.deviation, estimate.count, level)
    smallest = detectable_difference(estimate.deviation, estimate.count, level)
    return smallest if settings.expect in TOLERANT else _margin(settings) + smallest


def _margin(settings: ComparisonSettings) -> float:
    """On the scale of the differences."""
    return math.log(max(settings.margin, 1.0)) if settings.is_ratio else settings.margin


def _all_of(verdicts: Sequence[Verdict]) -> Verdict:
    if "contradicted" in verdicts:
        return "contradicted"
    return "not shown" if "not shown" in verdicts else "supported"


__all__ = ["ClaimVerdict", "Compared", "Verdict", "judge"]
