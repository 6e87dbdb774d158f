"""Verdicts: each rule, and Holm's correction over the whole experiment."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_up_comparisons import BITS, NOISE, PERPLEXITY, compare, plan, records
from scipy import stats

from rnnlab.experiments.plan import Plan
from rnnlab.experiments.records import Records, Timing
from rnnlab.experiments.verdicts import judge_claims


@pytest.mark.parametrize(
    ("gap", "expect", "margin", "verdict"),
    [
        (0.05, "higher", 0, "supported"),
        (-0.05, "higher", 0, "contradicted"),
        (0.001, "higher", 0, "not shown"),
        (-0.05, "lower", 0, "supported"),
        (0.05, "lower", 0, "contradicted"),
        (0.05, "higher", 0.03, "supported"),
        (0.05, "higher", 0.049, "not shown"),
        (0.05, "higher", 0.08, "contradicted"),
        (-0.05, "higher", 0.03, "contradicted"),
        (-0.05, "lower", 0.03, "supported"),
        (-0.05, "lower", 0.08, "contradicted"),
        (0.05, "different", 0, "supported"),
        (-0.05, "different", 0, "supported"),
        (0.001, "different", 0, "not shown"),
        (0.0, "different", 0, "not shown"),
        (0.001, "equivalent", 0.02, "supported"),
        (-0.001, "equivalent", 0.02, "supported"),
        (0.015, "equivalent", 0.02, "not shown"),
        (0.025, "equivalent", 0.02, "not shown"),
        (0.05, "equivalent", 0.02, "contradicted"),
        (-0.05, "equivalent", 0.02, "contradicted"),
    ],
)
def test_differences(gap: float, expect: str, margin: float, verdict: str) -> None:
    assert compare(gap, expect=expect, margin=margin).verdict == verdict


@pytest.mark.parametrize(
    ("ratio", "expect", "margin", "verdict"),
    [
        (1.05, "higher", 0, "supported"),
        (1.05, "higher", 1, "supported"),
        (1.05, "higher", 1.03, "supported"),
        (1.05, "higher", 1.08, "contradicted"),
        (1 / 1.05, "lower", 1.03, "supported"),
        (1 / 1.05, "lower", 1.08, "contradicted"),
        (1 / 1.05, "higher", 1.0, "contradicted"),
        (1.001, "equivalent", 1.02, "supported"),
        (1 / 1.05, "equivalent", 1.02, "contradicted"),
        (1.001, "different", 0, "not shown"),
    ],
)
def test_ratios(ratio: float, expect: str, margin: float, verdict: str) -> None:
    found = compare(ratio, outcome=PERPLEXITY, expect=expect, margin=margin)
    assert found.verdict == verdict


def test_the_numbers_equal_scipys() -> None:
    found = compare(0.05, expect="higher", margin=0.03)
    gaps = 0.05 + np.array(NOISE)
    assert found.p_value == pytest.approx(stats.ttest_1samp(gaps, 0.03).pvalue)
    ends = stats.ttest_1samp(gaps, 0).confidence_interval()
    assert found.interval == pytest.approx((ends.low, ends.high))
    assert (found.mean, found.mean_against, found.estimate) == pytest.approx((2.05, 2.0, 0.05))
    assert found.pairs == 6
    hedges = 0.75 * math.sqrt(math.pi / 2.5)  # J(5)
    assert found.effect_size == pytest.approx(hedges * 0.05 / np.std(gaps, ddof=1))


def test_ratios_are_compared_by_their_logarithms() -> None:
    found = compare(1.05, outcome=PERPLEXITY)
    logs = math.log(1.05) + np.array(NOISE)
    ends = stats.ttest_1samp(logs, 0).confidence_interval()
    assert found.p_value == pytest.approx(stats.ttest_1samp(logs, 0).pvalue)
    assert found.interval == pytest.approx((math.exp(ends.low), math.exp(ends.high)))
    assert found.estimate == pytest.approx(1.05)
    assert found.mean is not None
    assert found.mean_against is not None
    assert found.mean / found.mean_against == pytest.approx(1.05)  # both are geometric


def test_equivalence_is_two_one_sided_tests_and_its_opposite_a_two_sided_one() -> None:
    inside = compare(0.001, expect="equivalent", margin=0.02)
    gaps = np.array(NOISE)
    largest = stats.ttest_1samp(gaps + 0.001, 0.02, alternative="less").pvalue
    assert inside.p_value == pytest.approx(largest)
    beyond = compare(-0.05, expect="equivalent", margin=0.02)
    assert beyond.p_value == pytest.approx(stats.ttest_1samp(gaps - 0.05, -0.02).pvalue)


def test_a_fixed_value_is_a_one_sample_test() -> None:
    comparison = {"against": 1.9, "expect": "higher"}
    figures = {name: {BITS: [2.0 + noise for noise in NOISE]} for name in ("v0", "v1")}
    found = judge_claims(records(plan([comparison]), figures))[0].compared[0]
    assert found.p_value == pytest.approx(stats.ttest_1samp(figures["v1"][BITS], 1.9).pvalue)
    assert (found.verdict, found.mean_against, found.pairs) == ("supported", 1.9, 6)
    assert found.estimate == pytest.approx(0.1)


def test_a_fixed_value_is_not_scaled() -> None:
    comparison = {"against": 1.1, "expect": "equivalent", "margin": 1.05, "outcome": PERPLEXITY}
    figures = {name: {PERPLEXITY: [1.1 + noise for noise in NOISE]} for name in ("v0", "v1")}
    found = judge_claims(records(plan([comparison]), figures))[0].compared[0]
    assert (found.verdict, found.mean_against) == ("supported", 1.1)


def test_holm_runs_over_all_comparisons_of_the_experiment() -> None:
    gaps = {"v1": 0.014, "v2": 0.013, "v3": 0.05}
    comparisons = [{"variant": name} for name in gaps]
    figures = {"v0": {BITS: [2.0] * 6}} | {
        name: {BITS: [2.0 + gap + noise for noise in NOISE]} for name, gap in gaps.items()
    }
    alone = judge_claims(records(plan(comparisons[:1], variants=4), figures))[0]
    first, second, third = judge_claims(records(plan(comparisons, variants=4), figures))
    p = [claim.compared[0].p_value or 0.0 for claim in (first, second, third)]
    assert p[2] < p[0] < p[1]
    assert [claim.compared[0].adjusted_p for claim in (third, first, second)] == pytest.approx(
        [3 * p[2], 2 * p[0], max(2 * p[0], p[1])]
    )
    assert [claim.verdict for claim in (alone, first, second, third)] == [
        "supported", "supported", "supported", "supported",
    ]  # fmt: skip
    # With as many more that show nothing, the two smaller differences are no longer shown.
    figures |= {f"v{i}": {BITS: [2.0 + n * (i - 3) for n in NOISE]} for i in range(4, 12)}
    more = [{"variant": f"v{i}"} for i in range(1, 12)]
    crowded = judge_claims(records(plan(more, variants=12), figures))
    assert [claim.verdict for claim in crowded[:3]] == ["not shown", "not shown", "supported"]


def test_the_same_comparison_in_two_claims_counts_once() -> None:
    figures = {"v0": {BITS: [2.0] * 6}, "v1": {BITS: [2.05 + noise for noise in NOISE]}}
    once = judge_claims(records(plan([{}]), figures))
    twice = judge_claims(records(plan([{}, {}]), figures))
    assert twice == [once[0], once[0]]


def test_untested_comparisons_count_for_holm() -> None:
    figures = {"v0": {BITS: [2.0] * 6}, "v1": {BITS: [2.05 + noise for noise in NOISE]}, "v2": {}}
    tested, untested = judge_claims(
        records(plan([{"variant": "v1"}, {"variant": "v2"}], variants=3), figures)
    )
    found = tested.compared[0]
    assert found.adjusted_p == pytest.approx(2 * (found.p_value or 0))
    assert (untested.verdict, untested.compared[0].adjusted_p) == ("not shown", None)


@pytest.mark.parametrize(
    ("expects", "verdict"),
    [
        (("higher", "different"), "supported"),
        (("higher", "lower"), "contradicted"),
        (("higher", "equivalent"), "not shown"),
        (("lower", "equivalent"), "contradicted"),
    ],
)
def test_a_claim_is_supported_if_all_its_comparisons_are(
    expects: tuple[str, ...], verdict: str
) -> None:
    margins = {"equivalent": {"margin": 0.05}}
    made = plan([{"expect": expect, **margins.get(expect, {})} for expect in expects])
    joined = made.claims[0].model_copy(
        update={"comparison": tuple(claim.comparison[0] for claim in made.claims)}
    )
    made = Plan(made.name, made.settings, made.variants, (joined,), made.base, made.runs)
    figures = {"v0": {BITS: [2.0] * 6}, "v1": {BITS: [2.05 + noise for noise in NOISE]}}
    [claim] = judge_claims(records(made, figures))
    assert claim.verdict == verdict
    assert len(claim.compared) == 2


def test_one_seed_shows_nothing_and_two_seeds_are_tested() -> None:
    figures = {"v0": {BITS: [2.0, 2.1]}, "v1": {BITS: [2.5, 2.7]}}
    found = judge_claims(records(plan([{}], seeds=1), figures))[0].compared[0]
    assert found.verdict == "not shown"
    assert (found.pairs, found.estimate, found.interval, found.p_value) == (1, 0.5, None, None)
    found = judge_claims(records(plan([{}], seeds=2), figures))[0].compared[0]
    assert found.pairs == 2
    assert found.interval is not None
    assert found.effect_size is None


@pytest.mark.parametrize(
    ("gap", "expect", "margin", "verdict"),
    [
        (0.0, "different", 0, "not shown"),
        (0.0, "higher", 0, "not shown"),
        (0.0, "equivalent", 0.01, "supported"),
        (0.5, "higher", 0, "supported"),
        (0.5, "lower", 0, "contradicted"),
        (0.5, "higher", 0.5, "not shown"),
        (0.5, "equivalent", 0.01, "contradicted"),
        (0.5, "equivalent", 0.5, "not shown"),
    ],
)
def test_differences_without_spread(gap: float, expect: str, margin: float, verdict: str) -> None:
    found = compare(gap, spread=0.0, expect=expect, margin=margin)
    assert found.verdict == verdict
    assert found.interval == pytest.approx((gap, gap))
    assert (found.effect_size, found.detectable) == (None, None)
    assert "nan" not in found.sentence


def test_ratios_too_large_for_a_float_are_infinite() -> None:
    figures = {"v0": {PERPLEXITY: [1.0, 1.0]}, "v1": {PERPLEXITY: [1e300, 1.0]}}
    found = judge_claims(records(plan([{"outcome": PERPLEXITY}], seeds=2), figures))[0].compared[0]
    assert found.interval == (0.0, math.inf)
    assert found.verdict == "not shown"


def test_timed_outcomes_are_paired_by_round() -> None:
    speeds = [100.0, 103.0, 98.0, 101.0]
    timings = [
        Timing(name, i, {"tokens_per_second": factor * speed})
        for name, factor in (("v0", 1.0), ("v1", 1.5))
        for i, speed in enumerate(speeds)
    ]
    made = plan([{"outcome": "tokens_per_second", "expect": "higher", "margin": 1.2}])
    found = judge_claims(Records(made, [], timings))[0].compared[0]
    assert (found.pairs, found.unit, found.verdict) == (4, "round", "supported")
    assert found.estimate == pytest.approx(1.5)


SMALL_PLANS = [
    plan([{"outcome": outcome, "expect": expect, "margin": margin}], seeds=4)
    for outcome, least in ((BITS, 0.0), (PERPLEXITY, 1.0))
    for expect, margin in (
        ("different", 0.0), ("lower", 0.0), ("higher", least + 0.1), ("equivalent", least + 0.1),
    )
]  # fmt: skip
figures = st.lists(
    st.sampled_from([1.0, 1.1, 1.1 + 1e-15, 2.0]) | st.floats(1e-3, 1e6), min_size=4, max_size=4
)


@given(st.sampled_from(SMALL_PLANS), figures, figures)
def test_any_figures_get_a_verdict(made: Plan, own: list[float], other: list[float]) -> None:
    outcome = made.claims[0].comparison[0].outcome
    found = judge_claims(records(made, {"v0": {outcome: other}, "v1": {outcome: own}}))[0].compared[
        0
    ]
    assert found.p_value is not None
    assert 0 <= found.p_value <= 1
    assert (found.verdict == "not shown") == (found.p_value > 0.05)
    assert "nan" not in found.sentence
    assert (found.detectable is None) == (found.effect_size is None)


def detectable_gap(expect: str, margin: float) -> tuple[float, Plan]:
    """The detectable difference of an experiment with six seeds and a spread of 1."""
    spread = np.array([1.0, -1.0, 1.0, -1.0, 1.0, -1.0]) / math.sqrt(1.2)
    made = plan([{"expect": expect, "margin": margin}])
    figures = {"v0": {BITS: [0.0] * 6}, "v1": {BITS: list(spread)}}
    found = judge_claims(records(made, figures))[0].compared[0]
    assert found.detectable is not None
    return found.detectable, made


@pytest.mark.parametrize(("expect", "margin"), [("different", 0.0), ("higher", 2.0)])
def test_experiments_show_the_detectable_difference_with_80_percent_power(
    expect: str, margin: float
) -> None:
    gap, made = detectable_gap(expect, margin)
    samples = np.random.default_rng(0).normal(gap, 1, (1000, 6))
    verdicts = [
        judge_claims(records(made, {"v0": {BITS: [0.0] * 6}, "v1": {BITS: list(sample)}}))[
            0
        ].verdict
        for sample in samples
    ]
    assert abs(verdicts.count("supported") / 1000 - 0.8) < 3 * math.sqrt(0.16 / 1000)
