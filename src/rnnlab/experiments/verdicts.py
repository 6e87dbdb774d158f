"""The verdict on each claim of an experiment, by paired tests with Holm's correction."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from rnnlab.experiments.claims import TOLERANT, ComparisonSettings
from rnnlab.experiments.comparison import ClaimVerdict, ComparisonResult, Verdict
from rnnlab.experiments.outcomes import OUTCOMES
from rnnlab.experiments.pairing import Pairs, find_pairs
from rnnlab.experiments.records import Records
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
from rnnlab.experiments.wording import default_claim_text, describe_comparison


def judge_claims(records: Records) -> list[ClaimVerdict]:
    """Decide every claim of the plan; the chance of any false verdict is at most 5%.

    Both verdicts count, supported and contradicted. Each comparison has one p value, which is small
    if either verdict is due. Holm's correction runs over all comparisons of the experiment: those
    that cannot be tested count with p = 1, and one that occurs in two claims counts once. It holds
    for normally distributed differences, and counts a wrong sign as a false verdict too (Shaffer
    1980, Ann. Statist. 8:1342, proves it for independent tests).

    - `lower`, `higher`: two-sided t test that the true difference equals the margin. Beyond the
      margin the statement is supported, short of it contradicted.
    - `not lower`, `not higher`: the same test; short of the margin the statement is supported
      (non-inferiority), beyond it contradicted.
    - `different`: two-sided t test. Never contradicted: no test shows that nothing differs at all;
      use `equivalent` instead.
    - `equivalent`: supported by two one-sided tests within the margin; contradicted by twice the
      one-sided p of lying beyond it, on the side of the mean. Whatever the truth, only one of these
      two verdicts can be false, so the two tests need no correction for each other.

    If a run of either variant diverged, nothing is tested: the remaining runs are survivors, and
    would favour the variant that lost some. Figures compared by ratio are tested as logarithms. A
    claim is supported if all its comparisons are, and contradicted if any is.
    """
    claims = records.plan.claims
    comparisons = list(dict.fromkeys(c for claim in claims for c in claim.comparison))
    pairs = [find_pairs(records, comparison) for comparison in comparisons]
    tests = [_test(c, p) for c, p in zip(comparisons, pairs, strict=True)]
    p_values = [test.p for test in tests]
    rows = zip(comparisons, pairs, tests, holm(p_values), holm_levels(p_values, LEVEL), strict=True)
    compared = {row[0]: _compare(*row) for row in rows}
    return [
        ClaimVerdict(
            claim.text or default_claim_text(claim.comparison[0]),
            claim.note,
            _all_of([compared[c].verdict for c in claim.comparison]),
            tuple(compared[c] for c in claim.comparison),
        )
        for claim in claims
    ]


class _Test(NamedTuple):
    p: float
    due: Verdict
    """The verdict if p is small enough."""


def _test(settings: ComparisonSettings, pairs: Pairs) -> _Test:
    differences = pairs.differences
    if len(differences) < 2 or pairs.survivors:
        return _Test(1.0, "not shown")
    mean, margin = estimate_mean(differences).mean, settings.scaled_margin
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
) -> ComparisonResult:
    result = ComparisonResult(
        settings, test.due if adjusted_p <= LEVEL else "not shown", len(pairs.values),
        unit=pairs.unit, left_out=pairs.left_out, survivors=pairs.survivors,
    )  # fmt: skip
    unscaled = OUTCOMES[settings.outcome].unscaled
    if pairs.values:
        estimate, against = estimate_mean(pairs.differences), settings.against
        if isinstance(against, str):
            against = unscaled(estimate_mean(pairs.against).mean)
        mean = unscaled(estimate_mean(pairs.values).mean)
        result = replace(result, mean=mean, mean_against=against, estimate=unscaled(estimate.mean))
        if estimate.interval:
            low, high = estimate.interval
            smallest = _detectable(settings, estimate, level)
            result = replace(
                result,
                interval=(unscaled(low), unscaled(high)),
                p_value=test.p,
                adjusted_p=adjusted_p,
                effect_size=effect_size(pairs.differences),
                detectable=None if smallest is None else unscaled(smallest),
            )
    return replace(result, sentence=describe_comparison(result))


def _detectable(settings: ComparisonSettings, estimate: Estimate, level: float) -> float | None:
    """On the scale of the differences; takes the spread of this experiment for the true one."""
    if not estimate.deviation:
        return None
    if settings.expect == "equivalent":
        return detectable_margin(estimate.deviation, estimate.count, level)
    smallest = detectable_difference(estimate.deviation, estimate.count, level)
    return smallest if settings.expect in TOLERANT else settings.scaled_margin + smallest


def _all_of(verdicts: Sequence[Verdict]) -> Verdict:
    if "contradicted" in verdicts:
        return "contradicted"
    return "not shown" if "not shown" in verdicts else "supported"
