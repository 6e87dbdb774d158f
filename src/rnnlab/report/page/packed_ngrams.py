"""The n-gram part of a model as few bytes; ngram.js reads them.

Of each order: how many successors each context has, then their symbols, then their counts. All are
whole numbers of 7 bits a byte, the lowest first, whose highest bit says that more follow; zlib
compresses them. Symbols ascend within a row, so each is stored as what lies between it and the one
before; counts are stored less 1.

Legend: E k-grams of one order.
"""

import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from rnnlab.data.tokenizer import Ids
from rnnlab.engines.engine import Successors
from rnnlab.lm.ngram_mixture import NGramMixture
from rnnlab.lm.ngram_table import NGramTable


@dataclass(frozen=True)
class PackedOrder:
    """The rows of one order."""

    content: bytes
    contexts: int
    size: int
    """k-grams."""
    discounts: list[float]

    def about(self) -> dict[str, Any]:
        """Return what is needed to read the rows."""
        about = asdict(self)
        return about | {"content": len(self.content)}


def packed_orders(table: NGramTable) -> list[PackedOrder]:
    """Return the orders of an n-gram model from the first on."""
    return [
        PackedOrder(
            zlib.compress(b"".join(map(_varints, _numbers(each))), 9), len(each.starts) - 1,
            len(each.symbols), np.asarray(each.discounts, float).tolist(),
        )
        for each in table.orders
    ]  # fmt: skip


def first_orders(mixture: NGramMixture, count: int) -> NGramMixture | None:
    """Return an n-gram model without its longer n-grams, with the same gate; None for no orders.

    Its longest n-grams then have the counts of shorter ones: how many symbols stand before them.
    """
    table = mixture.table
    if count == len(table.orders):
        return mixture
    if not count:
        return None
    return NGramMixture(
        NGramTable(table.orders[:count], table.vocabulary_size, table.start), mixture.gate
    )


def _numbers(each: Successors) -> Iterator[Ids]:
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
