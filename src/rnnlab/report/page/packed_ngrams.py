"""The n-gram part of a model as few bytes; ngram.js reads them.

Of each order: how many successors each context has, then their symbols, then their counts. All are
whole numbers of 7 bits a byte, the lowest first, whose highest bit says that more follow; zlib
compresses them. Symbols ascend within a row, so each is stored as what lies between it and the one
before; counts are stored less 1.

Legend: E k-grams of one order.
"""

import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from rnnlab.data.tokenizer import Ids
from rnnlab.engines.engine import Successors
from rnnlab.lm.ngram_table import NGramTable


def packed_ngrams(table: NGramTable) -> bytes:
    """Return all rows, compressed."""
    return zlib.compress(b"".join(map(_varints, _numbers(table))), 9)


def about_orders(table: NGramTable) -> list[dict[str, Any]]:
    """Return of each order how many contexts and k-grams it has, and its discounts."""
    return [
        {
            "contexts": len(each.starts) - 1,
            "size": len(each.symbols),
            "discounts": np.asarray(each.discounts, float).tolist(),
        }
        for each in table.orders
    ]


def _numbers(table: NGramTable) -> Iterator[Ids]:
    for each in table.orders:
        yield np.diff(each.starts).astype(np.int64)
        yield _between(each)
        yield each.counts.astype(np.int64) - 1


def _between(each: Successors) -> Ids:
    """Return (E,) how many symbols lie between each and the one before it in its row."""
    symbols, starts = each.symbols.astype(np.int64), each.starts.astype(np.int64)
    between = np.diff(symbols, prepend=-1) - 1
    first = starts[:-1][np.diff(starts) > 0]
    between[first] = symbols[first]
    return between


def _varints(numbers: Ids) -> bytes:
    sizes = np.ones(len(numbers), np.int64)
    for bits in range(7, 63, 7):
        sizes += numbers >= 1 << bits
    begins = np.cumsum(sizes) - sizes
    found = np.zeros(int(sizes.sum()), np.uint8)
    for place in range(int(sizes.max(initial=0))):
        at = sizes > place
        more = (sizes[at] > place + 1).astype(np.int64) << 7
        found[begins[at] + place] = (numbers[at] >> 7 * place) & 127 | more
    return found.tobytes()
