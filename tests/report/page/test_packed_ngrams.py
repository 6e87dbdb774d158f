"""The packed rows, read number by number, are those of the table."""

import zlib
from collections.abc import Iterator

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rnnlab.lm.ngram_mixture import NGramMixture
from rnnlab.lm.ngram_table import NGramTable
from rnnlab.report.page.packed_ngrams import first_orders, packed_orders

V = 300


def numbers(content: bytes) -> Iterator[int]:
    value = place = 0
    for byte in content:
        value |= (byte & 127) << place
        place += 7
        if byte < 128:
            yield value
            value = place = 0


@given(st.lists(st.integers(0, V - 1) | st.just(7), min_size=2, max_size=400), st.integers(1, 4))
def test_rows_come_back(ids: list[int], order: int) -> None:
    table = NGramTable.count(np.array([*ids, *[3] * 200]), V, order)
    for packed, each in zip(packed_orders(table), table.orders, strict=True):
        read = numbers(zlib.decompress(packed.content))
        lengths = [next(read) for _ in range(packed.contexts)]
        assert lengths == np.diff(each.starts).tolist()
        symbols = []
        for length in lengths:
            symbol = -1
            for _ in range(length):
                symbol += 1 + next(read)
                symbols.append(symbol)
        assert symbols == each.symbols.tolist()
        assert [1 + next(read) for _ in range(packed.size)] == each.counts.tolist()
        assert np.allclose(packed.discounts, each.discounts)
        assert not list(read)


def test_without_the_longer_ngrams_it_is_still_a_distribution() -> None:
    ids = np.random.default_rng(0).integers(0, 5, 400)
    mixture = NGramMixture(NGramTable.count(ids, 5, 4), np.eye(2))
    assert first_orders(mixture, 4) is mixture
    assert first_orders(mixture, 0) is None
    shorter = first_orders(mixture, 2)
    assert shorter is not None
    (p,) = shorter.table.predict(ids[:, None])
    assert np.allclose(p.sum(1), 1)
    assert shorter.table.reach == 1
