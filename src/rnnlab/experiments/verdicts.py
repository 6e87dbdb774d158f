"""The verdict on each claim of an experiment, by paired tests with Holm's correction."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from rnnlab.experiments.claims import TOLERANT, ComparisonSettings
from rnnlab.experiments.comparison import ClaimVerdict, ComparisonResult, Verdict
from rnnlab.experiments.evidence import Evidence, on_one_text, over_texts
from rnnlab.experiments.outcomes import OUTCOMES
from rnnlab.experiments.records import Records
from rnnlab.experiments.statistics import (
    LEVEL,
    Mean,
    detectable_errors,
    holm,
    holm_levels,
    margin_errors,
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

    Of several texts, each comparison is about all of them, see `pooling`. The same comparisons on
    each text alone have an error rate of 5% of their own, and decide no claim.
    """
    claims = records.plan.claims
    comparisons = list(dict.fromkeys(c for claim in claims for c in claim.comparison))
    pool = over_texts if records.plan.texts else on_one_text
    found = judge([pool(records, comparison) for comparison in comparisons])
    on_texts = _on_each(records, comparisons)
    compared = {
        each.settings: replace(each, on_texts=tuple(by_text.items()))
        for each, by_text in zip(found, on_texts, strict=True)
    }
    return [
        ClaimVerdict(
            claim.text or default_claim_text(claim.comparison[0]),
            claim.note,
            _all_of([compared[c].verdict for c in claim.comparison]),
            tuple(compared[c] for c in claim.comparison),
        )
        for claim in claims
    ]


def _on_each(
    records: Records, comparisons: Sequence[ComparisonSettings]
) -> list[dict[str, ComparisonResult]]:
    """Judge each comparison on each text alone; all of these are corrected together."""
    texts = records.on_texts
    found = iter(judge([on_one_text(on, c) for c in comparisons for on in texts.values()]))
    return [{name: next(found) for name in texts} for _ in comparisons]


def judge(evidence: Sequence[Evidence]) -> list[ComparisonResult]:
    """Decide comparisons, with Holm's correction over all of them; see `judge_claims`."""
    tests = [_test(each) for each in evidence]
    p_values = [test.p for test in tests]
    rows = zip(evidence, tests, holm(p_values), holm_levels(p_values, LEVEL), strict=True)
    return [_compare(*row) for row in rows]


class _Test(NamedTuple):
    p: float
    due: Verdict
    """The verdict if p is small enough."""


def _test(evidence: Evidence) -> _Test:
    settings, mean = evidence.settings, evidence.difference
    if mean is None or not evidence.is_testable:
        return _Test(1.0, "not shown")
    margin = settings.scaled_margin
    match settings.expect:
        case "different":
            return _Test(mean.p_value(), "supported")
        case "equivalent" if abs(mean.value) <= margin:
            return _Test(mean.p_equivalent(margin), "supported")
        case "equivalent":
            return _Test(mean.p_value(math.copysign(margin, mean.value)), "contradicted")
        case "lower" | "higher" | "not lower" | "not higher":
            sign = 1 if settings.expect.endswith("higher") else -1
            beyond = sign * mean.value > margin
            p = mean.p_value(sign * margin)
            stated = beyond != settings.expect.startswith("not")
            return _Test(p, "supported" if stated else "contradicted")


def _compare(evidence: Evidence, test: _Test, adjusted_p: float, level: float) -> ComparisonResult:
    settings, mean = evidence.settings, evidence.difference
    result = ComparisonResult(
        settings, test.due if adjusted_p <= LEVEL else "not shown", evidence.pairs,
        unit=evidence.unit, left_out=evidence.left_out, survivors=evidence.survivors,
        about=evidence.about, over=evidence.over, lacks=evidence.lacks,
    )  # fmt: skip
    unscaled = OUTCOMES[settings.outcome].unscaled
    if evidence.own is not None and evidence.against is not None:
        against = settings.against
        if isinstance(against, str):
            against = unscaled(evidence.against)
        value = mean.value if mean else evidence.own - evidence.against
        result = replace(
            result, mean=unscaled(evidence.own), mean_against=against, estimate=unscaled(value)
        )
    if mean:
        low, high = mean.interval()
        smallest = detectable(settings, mean, level)
        result = replace(
            result,
            interval=(unscaled(low), unscaled(high)),
            p_value=test.p,
            adjusted_p=adjusted_p,
            effect_size=evidence.effect_size,
            detectable=None if smallest is None else unscaled(smallest),
        )
    return replace(result, sentence=describe_comparison(result))


def detectable(settings: ComparisonSettings, mean: Mean, level: float) -> float | None:
    """Return the smallest difference that 80% of experiments with this error would show.

    On the scale of the differences; takes the error of this experiment for the true one. See
    `ComparisonResult.detectable`; None without spread.
    """
    if not mean.error:
        return None
    freedom = math.floor(10 * mean.freedom) / 10  # not a new solution for each experiment
    if settings.expect == "equivalent":
        return margin_errors(freedom, level) * mean.error
    smallest = detectable_errors(freedom, level) * mean.error
    return smallest if settings.expect in TOLERANT else settings.scaled_margin + smallest


def _all_of(verdicts: Sequence[Verdict]) -> Verdict:
    if "contradicted" in verdicts:
        return "contradicted"
    return "not shown" if "not shown" in verdicts else "supported"
