"""The packed rows, read number by number, are those of the table."""

import zlib
from collections.abc import Iterator

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rnnlab.lm.ngram_table import NGramTable
from rnnlab.report.page.packed_ngrams import about_orders, packed_ngrams

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
    read = numbers(zlib.decompress(packed_ngrams(table)))
    for about, each in zip(about_orders(table), table.orders, strict=True):
        lengths = [next(read) for _ in range(about["contexts"])]
        assert lengths == np.diff(each.starts).tolist()
        symbols = []
        for length in lengths:
            symbol = -1
            for _ in range(length):
                symbol += 1 + next(read)
                symbols.append(symbol)
        assert symbols == each.symbols.tolist()
        assert [1 + next(read) for _ in range(about["size"])] == each.counts.tolist()
        assert np.allclose(about["discounts"], each.discounts)
    assert not list(read)
