"""Differences over the text and over seeds, against scipy and loops."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from made_up_contenders import made_up_contender
from scipy import stats

from rnnlab.comparison.groups import Group
from rnnlab.comparison.leads import gaps, mean_code, own_interval, welch
from rnnlab.lm.code_length import lead

FIGURES = st.lists(st.floats(1.0, 4.0), min_size=2, max_size=6)


def group(name: str, bits: list[float], first_seed: int = 0, **options) -> Group:
    return Group(
        name,
        tuple(
            made_up_contender(
                f"{name}{n}",
                b,
                seed=first_seed + n,
                draw=10 * len(name) + ord(name[0]) + n,
                **options,
            )
            for n, b in enumerate(bits)
        ),
    )


def bits_of(group: Group) -> list[float]:
    return [member.figures["held_out_bits_per_character"] for member in group.members]


@given(FIGURES, FIGURES)
def test_welch_is_that_of_scipy(own: list[float], other: list[float]) -> None:
    assume(min(np.std(own), np.std(other)) > 1e-3)  # scipy warns of precision without spread
    found = welch(own, other)
    expected = stats.ttest_ind(own, other, equal_var=False)
    interval = expected.confidence_interval(0.95)
    assert found.difference == pytest.approx(np.mean(own) - np.mean(other), abs=1e-12)
    assert found.p == pytest.approx(expected.pvalue, rel=1e-6, abs=1e-12)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high), rel=1e-6)


def test_welch_without_spread() -> None:
    """With spread in one only, it is the test of that one against a number."""
    found, expected = welch([2.0, 2.3, 2.2], [2.5, 2.5]), stats.ttest_1samp([2.0, 2.3, 2.2], 2.5)
    assert found.p == pytest.approx(expected.pvalue)
    assert welch([2.0, 2.0], [2.0, 2.0]).p == 1
    assert welch([2.0, 2.0], [3.0, 3.0]).p == 0


def test_seeds_that_both_have_are_paired() -> None:
    one, two = group("one", [2.0, 2.1, 2.3]), group("two", [2.1, 2.15, 2.5])
    (found,) = gaps([one, two], one)
    expected = stats.ttest_rel(bits_of(two), bits_of(one))
    assert found.over_seeds is not None
    assert (found.over_seeds.paired, found.over_seeds.seeds) == (3, (3, 3))
    test = found.over_seeds.tested
    interval = expected.confidence_interval(0.95)
    assert test.p == test.adjusted_p == pytest.approx(expected.pvalue)
    assert (test.low, test.high) == pytest.approx((interval.low, interval.high))


def test_of_a_larger_group_the_seeds_of_the_smaller_one_are_paired() -> None:
    one, two = group("one", [2.0, 2.1, 2.3, 2.2]), group("two", [2.1, 2.15], first_seed=1)
    (found,) = gaps([one, two], one)
    assert found.over_seeds is not None
    assert found.over_seeds.paired == 2
    expected = stats.ttest_rel(bits_of(two), bits_of(one)[1:3])
    assert found.over_seeds.tested.p == pytest.approx(expected.pvalue)


def test_other_seeds_are_not_paired() -> None:
    one, two = group("one", [2.0, 2.1, 2.3]), group("two", [2.1, 2.15], first_seed=2)
    (found,) = gaps([one, two], one)
    assert found.over_seeds is not None
    assert found.over_seeds.paired == 0
    expected = stats.ttest_ind(bits_of(two), bits_of(one), equal_var=False)
    assert found.over_seeds.tested.p == pytest.approx(expected.pvalue)


def test_seeds_are_not_tested_if_a_run_diverged_or_one_seed_is_all_there_is() -> None:
    one, two = group("one", [2.0, 2.1]), group("two", [2.1, 2.2])
    odd = Group("two", (two.members[0], made_up_contender("b", seed=1, unusual_end="diverged")))
    (found,) = gaps([one, odd], one)
    assert found.over_seeds is None
    assert found.untested == "b diverged, and the remaining runs are a biased sample"
    (found,) = gaps([one, Group("x", two.members[:1])], one)
    assert (found.over_seeds, found.untested) == (None, "x has one seed")
    (found,) = gaps([first := Group("y", one.members[:1]), Group("x", two.members[:1])], first)
    assert (found.over_seeds, found.untested) == (None, "")


def test_the_gap_over_the_text_is_the_lead_turned_round() -> None:
    one, two = group("one", [2.0]), group("two", [1.9])
    (found,) = gaps([one, two], one)
    ahead = lead(two.members[0].code, one.members[0].code)
    assert ahead is not None
    assert found.over_text is not None
    assert found.difference == pytest.approx(bits_of(two)[0] - bits_of(one)[0])
    assert found.over_text.difference == pytest.approx(-ahead.bits_per_character)
    assert (found.over_text.low, found.over_text.high) == pytest.approx((-ahead.high, -ahead.low))


def test_p_values_are_those_of_holm_by_hand() -> None:
    groups = [
        group(name, [bits]) for name, bits in [("a", 2.0), ("b", 2.01), ("c", 1.98), ("d", 2.04)]
    ]
    found = gaps(groups, groups[0])
    p = {gap.name: gap.over_text.p for gap in found if gap.over_text}
    assert len(p) == 3
    largest = 0.0
    for rank, name in enumerate(sorted(p, key=p.__getitem__)):
        largest = max(largest, min(1.0, (3 - rank) * p[name]))
        gap = next(gap for gap in found if gap.name == name)
        assert gap.over_text is not None
        assert gap.over_text.adjusted_p == pytest.approx(largest)


def test_the_interval_of_one_model_is_a_block_bootstrap_of_its_bits() -> None:
    """Blocks that begin anywhere in the text, laid out by a loop."""
    code = made_up_contender().code
    found, bits = own_interval(code), code.nats / math.log(2)
    size = len(bits) // 20
    means = [np.mean([bits[(at + k) % len(bits)] for k in range(size)]) for at in range(len(bits))]
    error = math.sqrt(np.mean((np.array(means) - bits.mean()) ** 2) / 19)
    half = stats.t.ppf(0.975, 19) * error
    assert found is not None
    assert found.bits_per_character == pytest.approx(bits.mean())
    assert (found.low, found.high) == pytest.approx((bits.mean() - half, bits.mean() + half))


def test_a_group_has_the_mean_of_its_codes() -> None:
    members = group("one", [2.0, 2.4])
    assert mean_code(members).total == pytest.approx(
        np.mean([m.code.total for m in members.members])
    )


def test_a_short_text_has_a_difference_and_no_interval() -> None:
    one, two = group("one", [2.0], characters=900), group("two", [1.9], characters=900)
    (found,) = gaps([one, two], one)
    assert found.over_text is None
    assert found.difference == pytest.approx(bits_of(two)[0] - bits_of(one)[0])
