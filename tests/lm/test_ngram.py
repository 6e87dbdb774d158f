"""NGram against the formulas of its docstring, written out with dictionaries, one symbol a time."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnlab.lm.ngram import SMOOTHINGS, NGram

V = 4
TEXTS = st.lists(st.integers(0, V - 1), min_size=1, max_size=40)
# Text with few surprises: long contexts are seen again, and counts of one become rare.
DULL = st.tuples(st.lists(st.integers(0, V - 1), min_size=1, max_size=4), st.integers(1, 10)).map(
    lambda it: it[0] * it[1]
)
by_smoothing = pytest.mark.parametrize("smoothing", ["absolute", "kneser-ney"])


class Slow:
    """p_k(w | u) of a training text, counted anew for every order."""

    def __init__(self, train: list[int], smoothing: str) -> None:
        self.train = train
        self.smoothing = smoothing

    def counts(self, k: int, top: int) -> Counter[tuple[int, ...]]:
        """k-grams: occurrences, or the different symbols seen before them."""
        grams = [tuple(self.train[i : i + k]) for i in range(len(self.train) - k + 1)]
        if self.smoothing == "absolute" or k == top:
            return Counter(grams)
        preceded = {(self.train[i - 1], gram) for i, gram in enumerate(grams) if i > 0}
        return Counter(gram for _, gram in preceded)

    def p(self, w: int, u: tuple[int, ...], k: int, top: int) -> float:
        if k == 0:
            return 1 / V
        if len(u) < k - 1:  # the text has not so many symbols before w
            return self.p(w, u, k - 1, top)
        u = u[len(u) - (k - 1) :]
        shorter = self.p(w, u[1:], k - 1, top)
        counts = self.counts(k, top)
        after_u = {gram[-1]: count for gram, count in counts.items() if gram[:-1] == u}
        total = sum(after_u.values())
        if total == 0:
            return shorter
        once = sum(count == 1 for count in counts.values())
        twice = sum(count == 2 for count in counts.values())
        d = once / (once + 2 * twice) if once else 0.5
        seen = max(after_u.get(w, 0) - d, 0) / total
        return seen + d * len(after_u) / total * shorter

    def nats(self, ids: list[int], top: int) -> float:
        return -sum(math.log(self.p(w, tuple(ids[:i]), top, top)) for i, w in enumerate(ids) if i)


def array(ids: list[int]) -> np.ndarray:
    return np.array(ids, np.int64)


@by_smoothing
@given(train=TEXTS | DULL, text=TEXTS | DULL, max_order=st.integers(1, 6))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_nats_of_every_order_are_those_of_the_formulas(
    smoothing: str, train: list[int], text: list[int], max_order: int
) -> None:
    text = text[:12]
    found = NGram(array(train), V, max_order).nats(array(text), smoothing)
    slow = Slow(train, smoothing)
    assert len(found) == min(max_order, len(train))
    assert found == pytest.approx(
        [slow.nats(text, k) for k in range(1, len(found) + 1)], rel=1e-12, abs=1e-12
    )


@by_smoothing
@given(train=TEXTS | DULL, context=st.lists(st.integers(0, V - 1), min_size=1, max_size=6))
@settings(max_examples=100, deadline=None, derandomize=True)
def test_probabilities_after_any_context_sum_to_one_and_none_is_zero(
    smoothing: str, train: list[int], context: list[int]
) -> None:
    model = NGram(array(train), V, 5)
    before = np.array(model.nats(array(context), smoothing))
    after = np.array([model.nats(array([*context, w]), smoothing) for w in range(V)])
    p = np.exp(before - after)  # (V, orders)
    assert p.sum(0) == pytest.approx(np.ones(len(before)), abs=1e-9)
    assert p.min() > 0


def test_a_case_counted_by_hand() -> None:
    # a b a b a c, V = 4: a 3, b 2, c 1, so D_1 = 1/3; ab 2, ba 2, ac 1, so D_2 = 1/5.
    a, b = 1, 2
    model = NGram(array([a, b, a, b, a, 3]), 4, 2)
    p_b = 5 / 18 + 1 / 24  # (2 - 1/3)/6 + (1/3)(3/6)(1/4)
    assert np.exp(-np.array(model.nats(array([a, b]), "absolute"))) == pytest.approx(
        [p_b, 3 / 5 + 2 / 15 * p_b]  # (2 - 1/5)/3 + (1/5)(2/3) p(b)
    )
    # Kneser-Ney: b before a, a before b, a before c: one each, D_1 = 1, so p_1 is uniform.
    assert model.nats(array([a, b]), "kneser-ney")[1] == pytest.approx(-math.log(19 / 30))


def test_order_one_is_the_same_under_both_smoothings() -> None:
    model = NGram(array([1, 2, 1, 3, 3, 1]), V, 3)
    text = array([0, 1, 2, 3, 2])
    assert model.nats(text, "absolute")[0] == model.nats(text, "kneser-ney")[0]


def test_what_comes_back_often_is_predicted_better_by_longer_contexts() -> None:
    cycle = [1, 1, 2, 1, 3] * 30
    nats = NGram(array(cycle), V, 4).nats(array(cycle[:60]), "absolute")
    assert nats == sorted(nats, reverse=True)
    assert nats[3] < 0.1 * nats[0]


@by_smoothing
def test_a_symbol_never_seen_costs_much_but_not_infinitely_much(smoothing: str) -> None:
    model = NGram(array([1, 2] * 50), V, 3)
    seen, unseen = (model.nats(array([1, 2, 1, w]), smoothing) for w in (2, 3))
    assert all(math.isfinite(nats) for nats in unseen)
    assert all(more > less + 1 for more, less in zip(unseen, seen, strict=True))


def test_a_text_of_one_symbol_has_nothing_to_predict() -> None:
    assert NGram(array([1, 2, 3]), V, 2).nats(array([1]), "absolute") == [0.0, 0.0]


def test_the_smoothings_are_named() -> None:
    assert SMOOTHINGS == ("absolute", "kneser-ney")
