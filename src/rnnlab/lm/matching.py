"""Which tokens may come next so that a text matches a regular expression when it ends.

The states of the expression's automaton at which a token can end are the states here. A token is
allowed if what is left of the length suffices to reach a state in which the text may end, so no
text that was begun has to be given up.

Legend: V vocabulary size, S states.
"""

from collections import deque
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from rnnlab.data.labelled_tokenizer import is_label
from rnnlab.data.tokenizer import Tokenizer
from rnnlab.errors import UsageError
from rnnlab.patterns.automaton import DEAD, ENDED, Automaton, States
from rnnlab.patterns.expression import Expression, too_large
from rnnlab.patterns.utf8 import all_characters, over_bytes

MOST_ENTRIES = 2**24
"""States times tokens; this bounds memory to a few hundred MB."""

FAR = np.iinfo(np.int32).max
"""Tokens to an end that cannot be reached."""


class Matching:
    """The tokens that may follow in each state, for texts that begin with some prefixes."""

    def __init__(
        self,
        pattern: str,
        tokenizer: Tokenizer,
        prefixes: Sequence[str],
        stops: Sequence[str],
        length: int,
        *,
        label_first: bool = False,
    ) -> None:
        """Stops: texts that end what is written, and do not belong to what must match. label_first:
        a label is written before all else.

        Raises UsageError for an expression that is not supported or too large, or if no text with
        one of the prefixes and up to `length` more tokens matches.
        """
        self.pattern = pattern
        expression, spelled = Expression(pattern), tokenizer.spelled()
        own = "".join(token for token in spelled if isinstance(token, str))
        in_bytes = not isinstance(spelled[0], str)
        alphabet = "".join({*own, *"".join(prefixes), *"".join(stops)})
        characters = all_characters() if in_bytes else "".join(sorted(alphabet))
        automaton = Automaton(expression, characters, prefixes, stops)
        table: States | None = automaton.table
        if in_bytes:
            table = over_bytes(automaton.table, automaton.classes)
        if table is None:
            raise too_large(pattern)
        if in_bytes:
            symbols = [list(token) for token in spelled if isinstance(token, bytes)]
        else:
            number = dict(zip(characters, automaton.classes.tolist(), strict=True))
            symbols = [[number[c] for c in token] for token in spelled if isinstance(token, str)]
        self._explore(table, automaton.starts, symbols)
        accepting = np.zeros(len(table), np.bool_)
        accepting[: len(automaton.accepting)] = automaton.accepting
        self.distances = self._distances_to(accepting[self._old])
        """Tokens that a text in each state needs until it may end (S,)."""
        if label_first:
            labels = [is_label(tokenizer, token) for token in range(tokenizer.size)]
            self._put_before(np.array(labels))
        missing = "" if in_bytes else "".join(sorted({*expression.literals} - {*own}))
        for prefix, start in zip(prefixes, self.starts, strict=True):
            self._check(prefix, int(self.distances[start]), length, missing)

    def allowed(self, state: int, left: int) -> npt.NDArray[np.bool_]:
        """Return which tokens (V,) may come next if `left` more can be written."""
        found: npt.NDArray[np.bool_] = self.distances[self.table[state]] < left
        return found

    def goes_on(self, state: int, left: int) -> bool:
        """Whether any token may come next; none after a stop text."""
        return state != ENDED and bool(self.allowed(state, left).any())

    def after(self, state: int, token: int) -> int:
        """Return the state after one more token."""
        return int(self.table[state, token])

    def _explore(self, table: States, starts: list[int], symbols: list[list[int]]) -> None:
        """Find the states at which tokens end, and the state after each token.

        table: by symbol. symbols: of each token.
        """
        lengths = np.array([len(token) for token in symbols])
        order = np.argsort(-lengths, kind="stable")
        flat = np.array([symbol for token in order for symbol in symbols[token]], np.int64)
        begins = np.cumsum(lengths[order]) - lengths[order]
        longer = [int((lengths > at).sum()) for at in range(int(lengths.max()))]
        V = len(symbols)
        place = np.full(len(table), -1)
        """Of each old state among the new ones."""
        place[[DEAD, ENDED]] = DEAD, ENDED
        old = [DEAD, ENDED]
        rows = [np.repeat(np.array([[DEAD], [ENDED]]), V, axis=1).astype(np.int32)]
        new = np.unique(starts)
        while (new := new[place[new] < 0]).size:
            place[new] = np.arange(len(old), len(old) + len(new))
            old += new.tolist()
            if len(old) * V > MOST_ENTRIES:
                raise too_large(self.pattern)
            walked = np.repeat(new[:, None], V, axis=1)
            for at, count in enumerate(longer):
                walked[:, :count] = table[walked[:, :count], flat[begins[:count] + at]]
            walked[:, lengths[order] == 0] = DEAD
            found = np.empty_like(walked)
            found[:, order] = walked
            rows.append(found.astype(np.int32))
            new = np.unique(found)
        self._old = np.array(old)
        self.table = np.concatenate([rows[0], *(place[row].astype(np.int32) for row in rows[1:])])
        """The state after each state and token (S, V)."""
        self.starts = [int(place[start]) for start in starts]
        """The state after each prefix."""

    def _distances_to(self, accepting: npt.NDArray[np.bool_]) -> npt.NDArray[np.int32]:
        before: list[list[int]] = [[] for _ in self.table]
        for state, row in enumerate(self.table):
            for after in np.unique(row).tolist():
                before[after].append(state)
        distances = np.where(accepting, 0, FAR).astype(np.int32)
        waiting = deque(np.flatnonzero(accepting).tolist())
        while waiting:
            state = waiting.popleft()
            for earlier in before[state]:
                if distances[earlier] == FAR:
                    distances[earlier] = distances[state] + 1
                    waiting.append(earlier)
        return distances

    def _put_before(self, labels: npt.NDArray[np.bool_]) -> None:
        """Let each prefix begin with a label."""
        rows, starts = [self.table], self.starts
        rows += [np.where(labels, start, DEAD).astype(np.int32)[None] for start in starts]
        self.starts = list(range(len(self.table), len(self.table) + len(starts)))
        self.table = np.concatenate(rows)
        needed = self.distances[starts]
        self.distances = np.concatenate(
            [self.distances, np.where(needed == FAR, FAR, needed + 1).astype(np.int32)]
        )

    def _check(self, prefix: str, distance: int, length: int, missing: str) -> None:
        begun = f" and begins with {prefix!r}" if prefix else ""
        if distance == FAR:
            lacks = f" (not in its vocabulary: {', '.join(map(repr, missing))})" if missing else ""
            raise UsageError(
                f"matching = '{self.pattern}': this model cannot write a text that matches"
                f"{begun}{lacks}"
            )
        if distance > length:
            raise UsageError(
                f"matching = '{self.pattern}': a text that matches{begun} takes {distance:,} "
                f"tokens or more; length = {length:,} is too short"
            )
