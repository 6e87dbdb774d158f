"""A character n-gram with interpolated absolute discounting or Kneser-Ney smoothing.

For a context u of k-1 symbols and a symbol w, with counts c and u' = u without its first symbol:

    p_k(w | u) = max(c(u w) - D_k, 0) / c(u ·) + D_k N(u ·) / c(u ·) · p_(k-1)(w | u')

where N(u ·) is the number of different symbols counted after u, D_k = n_1 / (n_1 + 2 n_2) with n_j
the number of k-grams counted j times (1/2 if n_1 = 0, so that no probability is 0), and
p_0 = 1 / V. For a context that was never seen, p_k(w | u) = p_(k-1)(w | u').

Absolute discounting counts occurrences in every order (Ney, Essen and Kneser 1994, section 4);
Kneser-Ney counts, below the highest order, the different symbols seen before a k-gram (Kneser and
Ney 1995; the interpolated form: Chen and Goodman 1998, section 2.7).

Everything is vectorised: the k-grams of a text are numbered by sorting, one order after the other.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rnnlab.data.tokenizer import Ids

Floats = npt.NDArray[np.float64]

SMOOTHINGS = ("absolute", "kneser-ney")


@dataclass(frozen=True)
class _Order:
    """The k-grams of the training text. A k-gram's key is (number of its context)·V + symbol."""

    keys: Ids  # (K,) sorted; the position of a key is the number of its k-gram
    counts: Ids  # (K,) occurrences
    preceded: Ids  # (K,) different symbols seen before it
    contexts: Ids  # (K,) number of the (k-1)-gram that it begins with


class NGram:
    """The k-grams of a training text, 1 <= k <= max_order."""

    def __init__(self, ids: Ids, vocabulary_size: int, max_order: int) -> None:
        self.vocabulary_size = vocabulary_size
        self.orders: list[_Order] = []
        numbers = np.zeros(len(ids), np.int64)  # of the (k-1)-gram at each position
        for k in range(1, min(max_order, len(ids)) + 1):
            spans = len(ids) - k + 1
            shorter = numbers
            keys, first, numbers, counts = np.unique(
                numbers[:spans] * vocabulary_size + ids[k - 1 :],
                return_index=True,
                return_inverse=True,
                return_counts=True,
            )
            if self.orders:
                # Every distinct k-gram is one different symbol before the (k-1)-gram it ends with.
                below = self.orders[-1]
                below.preceded[:] = np.bincount(shorter[first + 1], minlength=len(below.keys))
            self.orders.append(_Order(keys, counts, np.ones_like(counts), keys // vocabulary_size))

    def nats(self, ids: Ids, smoothing: str) -> list[float]:
        """Return for each order k, at index k-1, the total -ln p of ids[1:].

        Each symbol is predicted from those before it in `ids`.
        """
        shorter = np.full(max(0, len(ids) - 1), 1 / self.vocabulary_size)
        totals = []
        for k, (order, numbers) in enumerate(zip(self.orders, self._numbers(ids), strict=True), 1):
            p = self._interpolate(k, order.counts, shorter, *numbers)
            totals.append(float(-np.log(p).sum()))
            if smoothing == "kneser-ney":  # other counts below the highest order
                p = self._interpolate(k, order.preceded, shorter, *numbers)
            shorter = p
        return totals

    def _interpolate(
        self, k: int, counting: Ids, shorter: Floats, context: Ids, number: Ids
    ) -> Floats:
        order = self.orders[k - 1]
        discount = _discount(counting)
        contexts = len(self.orders[k - 2].keys) if k > 1 else 1
        mass = np.bincount(order.contexts, counting, minlength=contexts)  # c(u ·)
        followers = np.bincount(order.contexts, counting > 0, minlength=contexts)  # N(u ·)
        seen = context >= 0
        seen[seen] &= mass[context[seen]] > 0
        total, kinds = mass[context[seen]], followers[context[seen]]
        found = number[seen]
        count = np.where(found >= 0, counting[found], 0)
        p = shorter.copy()
        p[seen] = np.maximum(count - discount, 0) / total + discount * kinds / total * shorter[seen]
        return p

    def _numbers(self, ids: Ids) -> Iterator[tuple[Ids, Ids]]:
        """Yield for each order k, for each of ids[1:], the numbers of its context (k-1 symbols) and
        of its k-gram; -1 if it does not occur in the training text."""
        numbers = np.zeros(len(ids), np.int64)  # of the (k-1)-gram at each position
        for k, order in enumerate(self.orders, start=1):
            context = numbers[: len(ids) - k + 1]
            numbers = _lookup(order.keys, context, ids[k - 1 :], self.vocabulary_size)
            # Position 0 is not a target; the first k-2 targets follow fewer than k-1 symbols.
            start, missing = (1, 0) if k == 1 else (0, min(k - 2, len(ids) - 1))
            pad = np.full(missing, -1)
            yield np.concatenate([pad, context[start:]]), np.concatenate([pad, numbers[start:]])


def _lookup(keys: Ids, context: Ids, symbols: Ids, vocabulary_size: int) -> Ids:
    wanted = context * vocabulary_size + symbols
    where = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where((context >= 0) & (keys[where] == wanted), where, -1)


def _discount(counts: Ids) -> float:
    once, twice = int((counts == 1).sum()), int((counts == 2).sum())
    return once / (once + 2 * twice) if once else 0.5
