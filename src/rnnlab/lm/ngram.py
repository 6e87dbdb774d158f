"""An n-gram model with interpolated modified Kneser-Ney smoothing.

For a context u of k-1 symbols and a symbol w, with counts c_k and u' = u without its first symbol:

    p_k(w | u) = (c_k(u w) - D_k(c_k(u w)) + S_k(u) · p_(k-1)(w | u')) / Σ_v c_k(u v)

where S_k(u) = Σ_v D_k(c_k(u v)) is what the discounts have saved, and p_0 = 1 / V. For a context
that was never seen, p_k(w | u) = p_(k-1)(w | u').

In the highest order, c_k counts occurrences. Below it, c_k counts the different symbols seen before
the k-gram; the beginning of the text is one of them. The discount D_k(c) is 0, D_1, D_2 or D_3+
for counts of 0, 1, 2, or 3 and more. With n_j the number of k-grams counted j times:

    Y = n_1 / (n_1 + 2 n_2)    D_1 = 1 - 2 Y n_2 / n_1
    D_2 = 2 - 3 Y n_3 / n_2    D_3+ = 3 - 4 Y n_4 / n_3

Where one of these is undefined or not above 0, the order takes 1/2, 1 and 3/2.

Source: Chen and Goodman, An Empirical Study of Smoothing Techniques for Language Modeling,
TR-10-98, 1998, section 3. The discounts of last resort are those of KenLM (Heafield et al.,
Scalable Modified Kneser-Ney Language Model Estimation, 2013).

Everything is vectorised: the k-grams of a text are numbered by sorting, one order after the other.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rnnlab.data.tokenizer import Ids

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int32]

SMOOTHING = "modified Kneser-Ney"

LAST_RESORT = (0.0, 0.5, 1.0, 1.5)
"""Discounts by count, where they cannot be estimated."""


@dataclass(frozen=True)
class _Order:
    """The k-grams of the training text. A k-gram's key is (number of its context)·V + symbol."""

    keys: Ids  # (K,) sorted; the position of a key is the number of its k-gram
    counts: Counts  # (K,) occurrences
    preceded: Counts  # (K,) different symbols seen before it


class NGram:
    """The k-grams of a training text, 1 <= k <= max_order.

    start: the id with which a sample begins; no k-gram has symbols of two samples, but for the
    start of the next one at its end.
    """

    def __init__(
        self, ids: Ids, vocabulary_size: int, max_order: int, start: int | None = None
    ) -> None:
        """Count the k-grams of ids (N,), N at least 1."""
        self.vocabulary_size, self.start = vocabulary_size, start
        self.orders: list[_Order] = []
        shorter = np.zeros(len(ids), np.int64)  # the number of the (k-1)-gram at each position
        places = np.arange(len(ids))  # where k-grams begin
        for k in range(1, min(max_order, len(ids)) + 1):
            places = places[: np.searchsorted(places, len(ids) - k + 1)]
            if start is not None and k > 2:
                places = places[ids[places + k - 2] != start]
            if not len(places):  # no sample is so long
                break
            keys, first, numbers, counts = np.unique(
                shorter[places] * vocabulary_size + ids[places + k - 1],
                return_index=True,
                return_inverse=True,
                return_counts=True,
            )
            if self.orders:
                # Every distinct k-gram is one different symbol before the (k-1)-gram it ends with.
                below = self.orders[-1]
                below.preceded[:] = np.bincount(
                    shorter[places[first] + 1], minlength=len(below.keys)
                )
                if start is None:
                    below.preceded[shorter[0]] += 1  # the beginning of the text
                else:  # nothing precedes what begins a sample
                    begins = below.preceded == 0
                    below.preceded[begins] = below.counts[begins]
            shorter = np.full_like(shorter, -1)
            shorter[places] = numbers
            self.orders.append(_Order(keys, counts.astype(np.int32), np.ones(len(keys), np.int32)))

    def probabilities(self, ids: Ids) -> Iterator[Floats]:
        """Yield for each highest order, from 1 up, the probabilities (N-1,) of ids[1:].

        Each symbol is predicted from those before it in `ids` (N,).
        """
        shorter = np.full(max(0, len(ids) - 1), 1 / self.vocabulary_size)
        for k, (context, number) in enumerate(self._numbers(ids)):
            order = self.orders[k]
            contexts = len(self.orders[k - 1].keys) if k else 1
            yield self._interpolate(order, order.counts, contexts, context, number, shorter)
            shorter = self._interpolate(order, order.preceded, contexts, context, number, shorter)

    def nats(self, ids: Ids) -> list[float]:
        """Return for each highest order, at index k-1, the total -ln p of ids[1:]."""
        return [float(-np.log(p).sum()) for p in self.probabilities(ids)]

    def _interpolate(
        self,
        order: _Order,
        counts: Counts,
        contexts: int,
        context: Ids,
        number: Ids,
        shorter: Floats,
    ) -> Floats:
        discount = discounts(counts)[np.minimum(counts, 3)]
        owner = order.keys // self.vocabulary_size  # the context that each k-gram begins with
        mass = np.bincount(owner, counts, minlength=contexts)
        saved = np.bincount(owner, discount, minlength=contexts)
        seen = context >= 0
        seen[seen] &= mass[context[seen]] > 0  # the last symbols of the text have no successor
        found, before = number[seen], context[seen]
        own = np.where(found >= 0, (counts - discount)[found], 0)
        p = shorter.copy()
        p[seen] = (own + saved[before] * shorter[seen]) / mass[before]
        return p

    def _numbers(self, ids: Ids) -> Iterator[tuple[Ids, Ids]]:
        """Yield for each order k, for each of ids[1:], the numbers of its context (k-1 symbols) and
        of its k-gram; -1 if it does not occur in the training text."""
        numbers = np.zeros(len(ids), np.int64)  # of the (k-1)-gram at each position
        for k, order in enumerate(self.orders, start=1):
            context = numbers[: len(ids) - k + 1]
            if self.start is not None and k > 2:
                context[ids[k - 2 : len(ids) - 1] == self.start] = -1
            numbers = find_ngrams(order.keys, context, ids[k - 1 :], self.vocabulary_size)
            # Position 0 is not a target; the first k-2 targets follow fewer than k-1 symbols.
            start, missing = (1, 0) if k == 1 else (0, min(k - 2, len(ids) - 1))
            pad = np.full(missing, -1)
            yield np.concatenate([pad, context[start:]]), np.concatenate([pad, numbers[start:]])


def find_ngrams(keys: Ids, context: Ids, symbols: Ids, vocabulary_size: int) -> Ids:
    """Return the numbers of k-grams among sorted keys; -1 where they, or their contexts, are not.

    context: the number of each one's context, -1 if that is unknown. All but keys have one shape.
    """
    wanted = context * vocabulary_size + symbols
    where = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where((context >= 0) & (keys[where] == wanted), where, -1)


def discounts(counts: Counts) -> Floats:
    """Return the discounts of counts 0, 1, 2, and 3 or more."""
    _, n1, n2, n3, n4 = np.bincount(np.minimum(counts, 5), minlength=6)[:5].astype(float)
    if not n1 * n2 * n3:
        return np.array(LAST_RESORT)
    y = n1 / (n1 + 2 * n2)
    found = np.array([0, 1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3])
    return found if (found[1:] > 0).all() else np.array(LAST_RESORT)
