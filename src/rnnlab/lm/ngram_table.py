"""An n-gram model as rows of successors, from which all symbols after a context are predicted.

It is the model of `rnnlab.lm.ngram` with one highest order K. A row has the symbols after one
context, so the probabilities of all symbols take one pass over the rows of K contexts.

Legend: T positions of each of B texts, N = T · B, V vocabulary size, K order; an order has R
contexts and E k-grams.
"""

from collections.abc import Iterator, Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt

from rnnlab.data.tokenizer import Ids
from rnnlab.engines.engine import Successors
from rnnlab.lm.ngram import Floats, NGram, discounts, find_ngrams

MAX_CELLS = 2**22
"""Probabilities in memory at once; longer texts are predicted in parts."""


class NGramTable:
    """The rows of all orders."""

    def __init__(
        self, orders: Sequence[Successors], vocabulary_size: int, start: int | None = None
    ) -> None:
        self.orders = tuple(orders)
        self.vocabulary_size, self.start = vocabulary_size, start

    @classmethod
    def count(
        cls, ids: Ids, vocabulary_size: int, order: int, start: int | None = None
    ) -> "NGramTable":
        """Count the k-grams of ids (M,), M at least 1, up to `order`, or M if that is smaller.

        start: see `NGram`.
        """
        counted = NGram(ids, vocabulary_size, order, start).orders
        found, contexts = [], 1
        for k, each in enumerate(counted, start=1):
            counts = each.counts if k == len(counted) else each.preceded
            starts = np.searchsorted(each.keys, np.arange(contexts + 1) * vocabulary_size)
            symbols = (each.keys % vocabulary_size).astype(np.int32)
            found.append(Successors(starts.astype(np.int32), symbols, counts, discounts(counts)))
            contexts = len(symbols)
        return cls(found, vocabulary_size, start)

    @property
    def size(self) -> int:
        """The number of k-grams of all orders."""
        return sum(len(o.symbols) for o in self.orders)

    @property
    def reach(self) -> int:
        """How many symbols before a position its prediction depends on, K - 1."""
        return len(self.orders) - 1

    def predict(self, ids: Ids, begin: int = 0) -> Iterator[Floats]:
        """Yield the probabilities (n, V) of what follows ids[begin:] (T, B), n positions at a time.

        Each is predicted from the ids up to it; those before `begin` serve only as context. A part
        has whole time steps.
        """
        steps = max(1, MAX_CELLS // (self.vocabulary_size * ids.shape[1]))
        for first in range(begin, len(ids), steps):
            start = max(0, first - self.reach)
            yield self._predict(ids[start : first + steps], first - start)

    def target_nats(self, ids: Ids) -> Floats:
        """Return -ln p (T - 1, B) of each of ids[1:] after those before it; ids are (T, B)."""
        p = np.full(ids[1:].size, 1 / self.vocabulary_size)
        targets = ids[1:].ravel()
        for k, context in enumerate(self.contexts(ids[:-1])):
            counts, saved = self._sums[k]
            where, rows = _known(context.ravel(), counts)
            found = self._find(k, rows, targets[where])
            own = np.where(found >= 0, self._own[k][found], 0)
            p[where] = (own + saved[rows] * p[where]) / counts[rows]
        nats: Floats = -np.log(p).reshape(ids[1:].shape)
        return nats

    def _predict(self, ids: Ids, begin: int) -> Floats:
        p = np.full((ids[begin:].size, self.vocabulary_size), 1 / self.vocabulary_size)
        for k, context in enumerate(self.contexts(ids)):
            o, (counts, saved) = self.orders[k], self._sums[k]
            where, rows = _known(context[begin:].ravel(), counts)
            p[where] *= (saved[rows] / counts[rows])[:, None]
            starts = o.starts[rows].astype(np.int64)
            lengths = o.starts[rows + 1] - starts
            places = _ranges(starts, lengths)
            shares = self._own[k][places] / np.repeat(counts[rows], lengths)
            p[np.repeat(where, lengths), o.symbols[places]] += shares
        return p

    def contexts(self, ids: Ids) -> Iterator[Ids]:
        """Yield for each order the number of the context that ends at each of ids (T, B).

        -1: there are too few symbols before, or the training text has no such context.
        """
        numbers = np.zeros_like(ids)
        yield numbers
        for k in range(self.reach):
            before = np.concatenate([np.full_like(ids[:1], -1), numbers[:-1]]) if k else numbers
            if k and self.start is not None:
                before = np.where(ids == self.start, -1, before)
            numbers = self._find(k, before, ids)
            yield numbers

    def _find(self, k: int, rows: Ids, symbols: Ids) -> Ids:
        """Return the places of symbols in rows of order k + 1; -1 where they are not."""
        return find_ngrams(self._keys[k], rows, symbols, self.vocabulary_size)

    @cached_property
    def _keys(self) -> list[Ids]:
        """The k-grams of each order as context · V + symbol, ascending."""
        return [_owners(o) * self.vocabulary_size + o.symbols for o in self.orders]

    @cached_property
    def _own(self) -> list[Floats]:
        """The counts without their discounts."""
        return [o.counts - o.discounts[np.minimum(o.counts, 3)] for o in self.orders]

    @cached_property
    def _sums(self) -> list[tuple[Floats, Floats]]:
        """For each order the counts, and the discounts, of all successors of each context."""
        return [
            (counts, counts - _row_sums(o, own))
            for o, own in zip(self.orders, self._own, strict=True)
            for counts in [_row_sums(o, o.counts)]
        ]


def _owners(o: Successors) -> Ids:
    return np.repeat(np.arange(len(o.starts) - 1), np.diff(o.starts))


def _row_sums(o: Successors, values: npt.NDArray[np.generic]) -> Floats:
    return np.bincount(_owners(o), values, minlength=len(o.starts) - 1).astype(np.float64)


def _known(context: Ids, counts: Floats) -> tuple[Ids, Ids]:
    """Return the positions whose context goes on in the training text, and these contexts."""
    where = np.flatnonzero((context >= 0) & (counts[context] > 0))
    return where, context[where]


def _ranges(starts: Ids, lengths: Ids) -> Ids:
    """Return the numbers start .. start + length - 1 of all ranges, one after the other."""
    before = np.cumsum(lengths) - lengths
    numbers: Ids = np.arange(lengths.sum()) + np.repeat(starts - before, lengths)
    return numbers
