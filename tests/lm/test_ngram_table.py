"""NGramTable: all symbols after a context at once, against the textbook's one at a time."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from textbook_ngram import TEXTS, TextbookNGram, V, array

from rnnlab.lm import ngram_table
from rnnlab.lm.ngram import NGram
from rnnlab.lm.ngram_table import NGramTable


@given(train=TEXTS, text=TEXTS, order=st.integers(1, 5), begin=st.integers(0, 10))
@settings(max_examples=100, deadline=None, derandomize=True)
def test_every_symbol_has_the_textbooks_probability(
    train: list[int], text: list[int], order: int, begin: int
) -> None:
    text = text[:12]
    begin = min(begin, len(text) - 1)
    order = min(order, len(train))
    slow = TextbookNGram(train, order, V)
    table = NGramTable.count(array(train), V, order)
    (found,) = table.predict(array(text)[:, None], begin)
    for i, p in enumerate(found, start=begin + 1):
        before = tuple(text[:i])
        assert p == pytest.approx([slow.p(w, before, order) for w in range(V)], rel=1e-12)
        assert p.sum() == pytest.approx(1, abs=1e-12)


@given(train=TEXTS, texts=st.lists(TEXTS, min_size=1, max_size=3), order=st.integers(1, 5))
@settings(max_examples=100, deadline=None, derandomize=True)
def test_targets_of_several_texts_have_the_probabilities_of_each_alone(
    train: list[int], texts: list[list[int]], order: int
) -> None:
    length = min(map(len, texts))
    columns = [array(text[:length]) for text in texts]
    table = NGramTable.count(array(train), V, order)
    nats = table.target_nats(np.stack(columns, 1))
    assert nats.shape == (length - 1, len(texts))
    fitted = NGram(array(train), V, order)
    for own, ids in zip(nats.T, columns, strict=True):
        *_, p = fitted.probabilities(ids)
        assert own == pytest.approx(-np.log(p), rel=1e-12)


def test_a_long_text_is_predicted_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    table = NGramTable.count(rng.integers(0, V, 300), V, 4)
    ids = rng.integers(0, V, (50, 2))
    (whole,) = table.predict(ids, 3)
    monkeypatch.setattr(ngram_table, "MAX_CELLS", 7 * 2 * V)
    parts = list(table.predict(ids, 3))
    assert [len(part) for part in parts] == [14] * 6 + [10]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
