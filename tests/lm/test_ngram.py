"""NGram against modified Kneser-Ney as Chen and Goodman write it, with dictionaries."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from textbook_ngram import TEXTS, TextbookNGram, V, array

from rnnlab.lm.ngram import LAST_RESORT, NGram
from rnnlab.lm.ngram_table import NGramTable


@given(train=TEXTS, text=TEXTS, max_order=st.integers(1, 6))
@settings(max_examples=100, deadline=None, derandomize=True)
def test_every_probability_of_every_order_is_the_textbooks(
    train: list[int], text: list[int], max_order: int
) -> None:
    text = text[:12]
    found = list(NGram(array(train), V, max_order).probabilities(array(text)))
    assert len(found) == min(max_order, len(train))
    for order, p in enumerate(found, start=1):
        slow = TextbookNGram(train, order, V)
        assert p == pytest.approx(
            [slow.p(w, tuple(text[:i]), order) for i, w in enumerate(text) if i], rel=1e-12
        )


def test_a_longer_text_with_estimated_discounts_has_the_textbooks_probabilities() -> None:
    rng = np.random.default_rng(1)
    words = [list(rng.integers(0, V, rng.integers(1, 6))) for _ in range(30)]
    train, text = (
        [int(w) for i in rng.zipf(1.5, size) for w in words[i % 30]] for size in (400, 60)
    )
    found = list(NGram(array(train), V, 6).probabilities(array(text)))
    estimated = 0
    for order, p in enumerate(found, start=1):
        slow = TextbookNGram(train, order, V)
        assert p == pytest.approx(
            [slow.p(w, tuple(text[:i]), order) for i, w in enumerate(text) if i], rel=1e-12
        )
        estimated += slow.discount(order, 3) != LAST_RESORT[3]
    assert estimated >= 2  # the formulas of the discounts were used, not only those of last resort


@given(train=TEXTS, context=st.lists(st.integers(0, V - 1), min_size=1, max_size=6))
@settings(max_examples=100, deadline=None, derandomize=True)
def test_probabilities_after_any_context_sum_to_one_and_none_is_zero(
    train: list[int], context: list[int]
) -> None:
    model = NGram(array(train), V, 5)
    p = np.array(
        [[each[-1] for each in model.probabilities(array([*context, w]))] for w in range(V)]
    )  # (V, orders)
    assert p.sum(0) == pytest.approx(np.ones(p.shape[1]), abs=1e-12)
    assert p.min() > 0


@given(train=TEXTS, text=TEXTS, max_order=st.integers(1, 6))
@settings(max_examples=100, deadline=None, derandomize=True)
def test_samples_know_nothing_of_each_other(
    train: list[int], text: list[int], max_order: int
) -> None:
    train, text, start = [0, *train], text[:12], 0
    found = list(NGram(array(train), V, max_order, start).probabilities(array(text)))
    table = NGramTable.count(array(train), V, max_order, start)
    for order, p in enumerate(found, start=1):
        slow = TextbookNGram(train, order, V, start)
        wanted = [slow.p(w, tuple(text[:i]), order) for i, w in enumerate(text) if i]
        assert p == pytest.approx(wanted, rel=1e-12)
    assert table.target_nats(array(text)[:, None])[:, 0] == pytest.approx(-np.log(found[-1]))
    (predicted,) = table.predict(array(text)[:, None])
    all_ = [
        [slow.p(w, tuple(text[:i]), len(found)) for w in range(V)] for i in range(1, len(text) + 1)
    ]
    assert predicted == pytest.approx(np.array(all_), rel=1e-12)


def test_a_case_counted_by_hand() -> None:
    # a a a b b c: a 3, b 2, c 1, so n_1 = n_2 = n_3 = 1 and n_4 = 0: Y = 1/3, D_1 = 1 - 2/3,
    # D_2 = 2 - 1, D_3+ = 3 - 0.
    a, b, c = 1, 2, 3
    model = NGram(array([a, a, a, b, b, c]), V, 1)
    (p,) = model.probabilities(array([0, a, b, c, 0]))
    saved = (3 + 1 + 1 / 3) / 4
    assert p * 6 == pytest.approx([0 + saved, 1 + saved, 2 / 3 + saved, saved])


def test_what_comes_back_often_is_predicted_better_by_longer_contexts() -> None:
    cycle = [1, 1, 2, 1, 3] * 30
    nats = NGram(array(cycle), V, 4).nats(array(cycle[:60]))
    assert nats == sorted(nats, reverse=True)
    assert nats[3] < 0.1 * nats[0]


def test_a_symbol_never_seen_costs_much_but_not_infinitely_much() -> None:
    model = NGram(array([1, 2] * 50), V, 3)
    seen, unseen = (model.nats(array([1, 2, 1, w])) for w in (2, 3))
    assert all(math.isfinite(nats) for nats in unseen)
    assert all(more > less + 1 for more, less in zip(unseen, seen, strict=True))


def test_the_total_is_that_of_the_probabilities() -> None:
    model, text = NGram(array([1, 2, 1, 3, 1, 2]), V, 3), array([1, 2, 3, 0])
    assert model.nats(text) == [-np.log(p).sum() for p in model.probabilities(text)]


def test_a_text_of_one_symbol_has_nothing_to_predict() -> None:
    assert NGram(array([1, 2, 3]), V, 2).nats(array([1])) == [0.0, 0.0]
