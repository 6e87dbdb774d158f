"""Modified Kneser-Ney as Chen and Goodman write it: dictionaries, one k-gram at a time."""

from collections import Counter, defaultdict

import numpy as np
from hypothesis import strategies as st

START = -1

V = 4
ANY = st.lists(st.integers(0, V - 1), min_size=1, max_size=60)
# Text with few surprises: long contexts are seen again, and counts of one become rare.
DULL = st.tuples(st.lists(st.integers(0, V - 1), min_size=1, max_size=4), st.integers(1, 10)).map(
    lambda it: it[0] * it[1]
)
TEXTS = ANY | DULL


def array(ids: list[int]) -> np.ndarray:
    return np.array(ids, np.int64)


class TextbookNGram:
    """p(w | u) of one highest order over symbols 0 to size - 1.

    start: the symbol with which a sample begins; samples know nothing of each other.
    """

    def __init__(self, train: list[int], order: int, size: int, start: int | None = None) -> None:
        self.order, self.size, self.start = order, size, start
        self.counts: list[dict[tuple[int, ...], int]] = [{}]
        for k in range(1, order + 1):
            places = [i for i in range(len(train) - k + 1) if start not in train[i + 1 : i + k - 1]]
            if k == order:
                self.counts.append(Counter(tuple(train[i : i + k]) for i in places))
                continue
            before: dict[tuple[int, ...], set[int]] = defaultdict(set)
            for i in places:
                before[tuple(train[i : i + k])].add(train[i - 1] if i else START)
            counts = {gram: len(symbols) for gram, symbols in before.items()}
            if start is not None:  # what begins a sample counts as often as it occurs
                for gram, often in Counter(tuple(train[i : i + k]) for i in places).items():
                    before[gram] -= {START}
                    begins = (k > 1 and gram[0] == start) or not before[gram]
                    counts[gram] = often if begins else len(before[gram])
            self.counts.append(counts)

    def discount(self, k: int, count: int) -> float:
        n = Counter(self.counts[k].values())
        found = [0.0]
        if n[1] and n[2] and n[3]:
            y = n[1] / (n[1] + 2 * n[2])
            found += [c - (c + 1) * y * n[c + 1] / n[c] for c in (1, 2, 3)]
        if len(found) == 1 or min(found[1:]) <= 0:
            found = [0.0, 0.5, 1.0, 1.5]
        return found[min(count, 3)]

    def p(self, w: int, u: tuple[int, ...], k: int) -> float:
        if k == 0:
            return 1 / self.size
        if self.start in u:
            u = u[len(u) - 1 - u[::-1].index(self.start) :]
        if len(u) < k - 1:  # the text has not so many symbols before w
            return self.p(w, u, k - 1)
        u = u[len(u) - (k - 1) :]
        after = self.after(u, k)
        total = sum(after.values())
        if total == 0:
            return self.p(w, u[1:], k - 1)
        saved = sum(self.discount(k, count) for count in after.values())
        own = after[w] - self.discount(k, after[w])
        return own / total + saved / total * self.p(w, u[1:], k - 1)

    def after(self, u: tuple[int, ...], k: int) -> dict[int, int]:
        """The counts of order k after the last k - 1 symbols of u."""
        u = u[len(u) - (k - 1) :]
        return {v: self.counts[k].get((*u, v), 0) for v in range(self.size)}
