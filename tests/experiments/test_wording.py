"""The sentences about comparisons, one of each kind."""

import math
from dataclasses import replace
from typing import Any

import pytest
from made_up_comparisons import BITS, PERPLEXITY, compare, plan, records

from rnnlab.experiments.claims import ComparisonSettings
from rnnlab.experiments.comparison import ComparisonResult
from rnnlab.experiments.records import Records, Timing
from rnnlab.experiments.verdicts import judge_claims
from rnnlab.experiments.wording import default_claim_text, describe_comparison

AGAINST = ", contrary to the claim."
POWER = "With this spread, 80% of such experiments"
FIVE_PERCENT = (
    "v1: training perplexity 2.093, against 1.993 for v0: ratio 1.050 "
    "(95% interval 1.039 to 1.061, 6 seeds, effect size 4.2, Holm-adjusted "
)
HALF_A_TENTH = (
    "v1: held-out bits/character (last weights) 2.050, against 2.000 for v0: difference +0.050 "
    "(95% interval +0.040 to +0.060, 6 seeds, effect size 4.3, Holm-adjusted "
)


@pytest.mark.parametrize(
    ("expect", "margin", "ending"),
    [
        ("higher", 0, "p < 0.0001). Higher, as claimed."),
        ("lower", 0, "p < 0.0001). Higher" + AGAINST),
        ("different", 0, "p < 0.0001). Shown to be higher."),
        ("higher", 1.03, "p = 0.005). Higher by more than a factor of 1.03, as claimed."),
        ("higher", 1.08, "p = 0.0009). Not higher by more than a factor of 1.08" + AGAINST),
        (
            "higher", 1.045,
            "p = 0.29). Not shown to be higher by more than a factor of 1.045. "
            f"{POWER} would show it if the true ratio were 1.060.",
        ),
        ("equivalent", 1.08, "p = 0.0005). Equivalent within a factor of 1.08, as claimed."),
        ("equivalent", 1.02, "p = 0.0008). Higher by more than a factor of 1.02" + AGAINST),
        (
            "equivalent", 1.051,
            "p = 0.41). Not shown to be equivalent within a factor of 1.051. "
            f"{POWER} with two equal variants would show it with a margin of 1.014.",
        ),
        (
            "not higher", 1.08,
            "p = 0.0009). Not higher by more than a factor of 1.08, as claimed.",
        ),
        ("not higher", 1.02, "p = 0.0008). Higher by more than a factor of 1.02" + AGAINST),
        (
            "not higher", 1.051,
            "p = 0.82). It remains open whether it is higher by more than a factor of 1.051. "
            f"{POWER} with two equal variants would rule it out with a margin of 1.014.",
        ),
        (
            "not lower", 1.02,
            "p < 0.0001). Not lower by more than a factor of 1.02, as claimed.",
        ),
    ],
)  # fmt: skip
def test_ratios(expect: str, margin: float, ending: str) -> None:
    found = compare(1.05, outcome=PERPLEXITY, expect=expect, margin=margin)
    assert found.sentence == FIVE_PERCENT + ending


@pytest.mark.parametrize(
    ("expect", "margin", "ending"),
    [
        ("higher", 0, "p < 0.0001). Higher, as claimed."),
        ("higher", 0.03, "p = 0.0042). Higher by more than 0.03, as claimed."),
        (
            "higher", 0.049,
            "p = 0.81). Not shown to be higher by more than 0.049. "
            f"{POWER} would show it if the true difference were 0.063.",
        ),
        ("equivalent", 0.08, "p = 0.0003). Equivalent within 0.08, as claimed."),
        (
            "equivalent", 0.051,
            "p = 0.41). Not shown to be equivalent within 0.051. "
            f"{POWER} with two equal variants would show it with a margin of 0.014.",
        ),
        ("equivalent", 0.02, "p = 0.0007). Higher by more than 0.02" + AGAINST),
    ],
)  # fmt: skip
def test_differences(expect: str, margin: float, ending: str) -> None:
    assert compare(0.05, expect=expect, margin=margin).sentence == HALF_A_TENTH + ending


def test_no_difference() -> None:
    for expect in ("different", "lower", "higher"):
        assert compare(0.001, expect=expect).sentence.endswith(
            "difference +0.001 (95% interval -0.009 to +0.011, 6 seeds, effect size 0.1, "
            "Holm-adjusted p = 0.81). No difference is shown. "
            f"{POWER} would show a true difference of 0.014."
        )
    assert compare(1.001, outcome=PERPLEXITY).sentence.endswith(
        f"No difference is shown. {POWER} would show a true ratio of 1.014."
    )


def test_no_spread() -> None:
    assert compare(0.0, spread=0.0).sentence.endswith(
        "difference +0.000 (95% interval +0.000 to +0.000, 6 seeds, Holm-adjusted p = 1). "
        "No difference is shown; the difference is the same for every seed."
    )


def test_a_fixed_value() -> None:
    figures = {name: {PERPLEXITY: [1.1, 1.2, 1.15]} for name in ("v0", "v1")}
    made = plan([{"against": 1.1, "outcome": PERPLEXITY, "expect": "higher"}], seeds=3)
    assert judge_claims(records(made, figures))[0].compared[0].sentence == (
        "v1: training perplexity 1.149, against a fixed value of 1.100: ratio 1.04 "
        "(95% interval 0.94 to 1.16, 3 seeds, effect size 0.6, Holm-adjusted p = 0.22). "
        f"No difference is shown. {POWER} would show a true ratio of 1.15."
    )


def judged(figures: dict[str, Any], status: Any = "diverged", seeds: int = 6) -> ComparisonResult:
    """Runs without a figure have `status`."""
    made = records(plan([{}], seeds=seeds), figures)
    runs = [
        run if run.outcomes[BITS] else replace(run, status=status, outcomes={}) for run in made.runs
    ]
    return judge_claims(replace(made, runs=runs))[0].compared[0]


def test_seeds_left_out() -> None:
    figures = {"v0": {BITS: [2.0] * 6}, "v1": {BITS: [2.1, 0, 2.2, 2.15, 0, 2.12]}}
    assert judged(figures).sentence == (
        "v1: held-out bits/character (last weights) 2.143, against 2.000 for v0: difference +0.143 "
        "(95% interval +0.073 to +0.212, 4 seeds, effect size 2.4, Holm-adjusted p = 1). "
        "Not tested: runs diverged, and the remaining ones are a biased sample. "
        "2 of 6 seeds left out: 'v1' diverged."
    )


def test_two_seeds_rely_on_normality() -> None:
    figures = {"v0": {BITS: [2.0, 2.1]}, "v1": {BITS: [2.5, 2.6001]}}
    assert judged(figures, seeds=2).sentence.endswith(
        ". Shown to be higher. With two seeds the test relies entirely on the assumption that "
        "differences are normally distributed."
    )
    assert "effect size" not in judged(figures, seeds=2).sentence
    assert "normally" not in compare(0.05).sentence


def test_one_seed() -> None:
    assert judged({"v0": {BITS: [2.0]}, "v1": {BITS: [2.5]}}, seeds=1).sentence == (
        "v1: held-out bits/character (last weights) 2.500, against 2.000 for v0. "
        "One seed is not enough for a test."
    )
    figures = {"v0": {BITS: [2.0] * 6}, "v1": {BITS: [2.5, 0, 0, 0, 0, 0]}}
    assert judged(figures, "missing").sentence == (
        "v1: held-out bits/character (last weights) 2.500, against 2.000 for v0. "
        "One seed is not enough for a test. 5 of 6 seeds left out: 'v1' was not run."
    )


def test_no_seed() -> None:
    figures = {"v0": {BITS: [2.0] * 6}, "v1": {BITS: [0.0] * 6}}
    about = "v1: held-out bits/character (last weights) cannot be compared with v0: "
    assert judged(figures).sentence == about + "'v1' diverged (all 6 seeds)."
    one = {"v0": {BITS: [2.0]}, "v1": {BITS: [0.0]}}
    assert judged(one, seeds=1).sentence == about + "'v1' diverged (the only seed)."
    fixed = plan([{"outcome": PERPLEXITY, "against": 0}])
    ones = {name: {PERPLEXITY: [1.0] * 6} for name in ("v0", "v1")}
    assert judge_claims(records(fixed, ones))[0].compared[0].sentence == (
        "v1: training perplexity cannot be compared with 0.0: a ratio to 0.0 is not defined."
    )
    halves = {"v0": {BITS: [2.0] * 3 + [0.0] * 3}, "v1": {BITS: [0.0] * 3 + [2.0] * 3}}
    assert judged(halves, "failed").sentence == (
        about + "6 of 6 seeds left out: 'v1' failed (3); 'v0' failed (3)."
    )


def test_a_difference_that_the_correction_hides_says_so() -> None:
    """The interval of this comparison alone excludes 0."""
    found = replace(compare(0.05), verdict="not shown", p_value=0.01, adjusted_p=0.2)
    sentence = describe_comparison(found)
    assert f"No difference is shown after Holm's correction. {POWER}" in sentence


def test_a_detectable_difference_has_two_digits() -> None:
    found = replace(compare(1.001, outcome=PERPLEXITY), detectable=7.793)
    assert f"{POWER} would show a true ratio of 7.8." in describe_comparison(found)
    found = replace(found, detectable=203.3)
    assert f"{POWER} would show a true ratio of 200." in describe_comparison(found)
    found = replace(found, detectable=98_968.9)
    assert f"{POWER} would show a true ratio of more than 1,000." in describe_comparison(found)


@pytest.mark.parametrize(
    ("outcome", "factor", "size", "found"),
    [
        ("tokens_per_second", 1.5, 142_600, "tokens/s 213,893, against 142,595 for v0: 1.500"),
        ("training_seconds", 0.6, 18.2, "training time 10.9 s, against 18.2 s for v0: 0.600"),
        (
            "prediction_seconds", 0.023, 0.0188,
            "prediction time 0.00043 s, against 0.0188 s for v0: 0.0230",
        ),
    ],
)  # fmt: skip
def test_speeds(outcome: str, factor: float, size: float, found: str) -> None:
    timings = [
        Timing("v0", 0, {outcome: 1.01 * size}),
        Timing("v1", 0, {outcome: 0.99 * size * factor}),
        Timing("v0", 1, {outcome: 0.99 * size}),
        Timing("v1", 1, {outcome: 1.01 * size * factor}),
        Timing("v0", 2, {outcome: size}),
        Timing("v1", 2, {outcome: size * factor}),
    ]
    [claim] = judge_claims(Records(plan([{"outcome": outcome}]), [], timings))
    sentence = claim.compared[0].sentence
    figures, ratio = found.split(": ")
    assert sentence.startswith(f"v1: {figures}: ratio {ratio} (95% interval ")
    assert ", 3 rounds, effect size " in sentence


@pytest.mark.parametrize(
    ("p", "shown"),
    [
        (0.00001, "p < 0.0001"), (0.00023, "p = 0.0002"), (0.0023, "p = 0.0023"),
        (0.0496, "p = 0.0496"), (0.0504, "p = 0.0504"), (0.123, "p = 0.12"), (1.0, "p = 1"),
    ],
)  # fmt: skip
def test_p_values(p: float, shown: str) -> None:
    assert f", Holm-adjusted {shown})" in describe_comparison(replace(compare(0.05), adjusted_p=p))


def test_large_and_small_figures_keep_two_digits() -> None:
    small = replace(compare(0.05), estimate=4e-5, interval=(-1e-5, 9e-5))
    assert "+0.000040 (95% interval -0.000010 to +0.000090" in describe_comparison(small)
    large = replace(compare(1.05, outcome=PERPLEXITY), estimate=1e150, interval=(0.0, float("inf")))
    assert "ratio over 10⁷ (95% interval 0.00 to over 10⁷" in describe_comparison(large)
    far = replace(compare(0.05), mean=9e100, estimate=9e100, interval=(-1e300, math.inf))
    assert "over 10⁷, against 2.000 for v0: difference over 10⁷ (95% interval under -10⁷" in (
        describe_comparison(far)
    )
    tiny = replace(compare(1.05, outcome=PERPLEXITY), estimate=1e-200, interval=(0.0, 1e-190))
    assert "ratio 0.000000000" in describe_comparison(tiny)


@pytest.mark.parametrize(
    ("comparison", "sentence"),
    [
        ({}, "GRU: training time is different from that of LSTM."),
        ({"expect": "lower"}, "GRU: training time is lower than that of LSTM."),
        (
            {"expect": "lower", "margin": 1.2},
            "GRU: training time is lower than that of LSTM by more than a factor of 1.2.",
        ),
        (
            {"expect": "equivalent", "margin": 1.1, "against": 18.2},
            "GRU: training time is equivalent to 18.2 s within a factor of 1.1.",
        ),
        (
            {"expect": "higher", "margin": 0.05, "outcome": BITS},
            "GRU: held-out bits/character (last weights) is higher than that of LSTM "
            "by more than 0.05.",
        ),
    ],
)
def test_a_claim_without_a_text_gets_a_default(comparison: dict[str, Any], sentence: str) -> None:
    named = {"variant": "GRU", "against": "LSTM", "outcome": "training_seconds"}
    assert default_claim_text(ComparisonSettings(**{**named, **comparison})) == sentence
