"""A regular expression as a deterministic automaton over classes of characters.

Its states are the sets of places in the expression at which a text may be (Rabin and Scott, Finite
automata and their decision problems, IBM Journal 3(2), 1959). A place is left when the next
character is known, so that `$` and a word boundary can look at both sides of it.

A text may also go on after what matches with one of some stop texts. What was written then ends,
at the stop text that is complete first, and what comes before it must match as a whole.

Legend: S states, C classes of characters, N characters of the alphabet.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from rnnlab.patterns.expression import Assertion, Expression, spans, too_large

States = npt.NDArray[np.int32]

Edges = dict[int, set[int]]

DEAD, ENDED = 0, 1
"""States: what does not match, whatever follows, and what a stop text has ended."""

MOST_STATES = 20_000
MOST_WORK = 1_000_000
"""Places that are gone through, of all states; this bounds the time to seconds."""

ANYWHERE, LAST_IS_NEXT, AFTER_LAST = 0, 1, 2
"""Of a place: `$` holds before the line break at the end of a text, after which nothing comes."""


class State(NamedTuple):
    """What an automaton remembers of a text."""

    places: frozenset[int]
    """Nodes of the expression, times 3, plus what must come next."""
    before: tuple[bool, ...] | None
    """Whether the last character is in each class that an assertion is about; None: no character
    yet."""
    held: str = ""
    """The end of the text that may be the beginning of a stop text."""
    matched: tuple[bool, ...] = ()
    """Whether the text matched before each character of `held`."""


class Automaton:
    """The states that can follow some beginnings of a text, and what leads from each to which."""

    def __init__(
        self, expression: Expression, alphabet: str, prefixes: Sequence[str], stops: Sequence[str]
    ) -> None:
        """Raises UsageError if there are too many states.

        alphabet: characters that may come next, and all those of the prefixes and stop texts.
        stops: texts that end what is written after a prefix, and are not a part of it.
        """
        self.expression, self.stops = expression, [stop for stop in stops if stop]
        self._work = 0
        self._about = sorted({a.leaf for a in expression.assertions if a.leaf >= 0})
        self.classes, self._members, self._examples = self._divide(alphabet)
        """classes: of each character of the alphabet (N,)."""
        self._numbers: dict[State, int] = {}
        self._found: list[State] = []
        index = {character: alphabet.index(character) for character in {*"".join(prefixes)}}
        self.starts = [
            self._number(self._after([int(self.classes[index[c]]) for c in prefix]))
            for prefix in prefixes
        ]
        """The state after each prefix."""
        self.table, self.accepting = self._explored()
        """The next state for each state and class (S, C), and whether a state may be the last."""

    def _divide(
        self, alphabet: str
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_], list[str]]:
        """Divide the alphabet into classes of characters that nothing tells apart.

        Returns the class of each character (N,), which leaves of the expression have each class
        (C, leaves), and a character of each.
        """
        named = "".join(dict.fromkeys("".join(self.stops)))
        patterns = [*self.expression.leaves, *(re.compile(re.escape(c)) for c in named)]
        groups = np.zeros(len(alphabet), np.int64)
        for leaf in patterns:
            inside = np.zeros(len(alphabet), np.int64)
            for begin, end in spans(leaf, alphabet):
                inside[begin:end] = 1
            groups = 2 * groups + inside
            groups = (np.cumsum(np.bincount(groups) > 0) - 1)[groups]  # without gaps
        first = np.empty(groups.max(initial=-1) + 1, np.int64)
        first[groups[::-1]] = np.arange(len(groups))[::-1]
        examples = [alphabet[i] for i in first]
        members = np.array(
            [[bool(leaf.fullmatch(c)) for leaf in self.expression.leaves] for c in examples], bool
        ).reshape(len(examples), len(self.expression.leaves))
        return groups, members, examples

    def _after(self, prefix: Sequence[int]) -> State:
        """Return the state after a prefix, in which stop texts do not count."""
        state = State(frozenset([3 * self.expression.start]), None)
        for c in prefix:
            state = State(self._step(self._edges(state, c), c), self._context(c))
        return state

    def _explored(self) -> tuple[States, npt.NDArray[np.bool_]]:
        rows, accepting = list[list[int]](), list[bool]()
        while len(rows) < len(self._found):  # new ones are found on the way
            state = self._found[len(rows)]
            matches = self._matches(state)
            shared = None if self.expression.assertions else self._edges(state, None)
            rows.append(
                [
                    self._next(state, c, self._edges(state, c) if shared is None else shared,
                               matches)
                    for c in range(len(self._examples))
                ]
            )  # fmt: skip
            accepting.append(matches)
        C = len(self._examples)
        table = np.concatenate(
            [np.full((1, C), DEAD), np.full((1, C), ENDED), np.array(rows).reshape(-1, C)]
        )
        return table.astype(np.int32), np.array([False, True, *accepting])

    def _number(self, state: State) -> int:
        if not state.places and not any(state.matched):
            return DEAD
        if state not in self._numbers:
            if len(self._found) >= MOST_STATES:
                raise too_large(self.expression.pattern)
            self._numbers[state] = len(self._found) + 2
            self._found.append(state)
        return self._numbers[state]

    def _next(self, state: State, c: int, edges: Edges, matches: bool) -> int:
        """Return the number of the state after a character of class c."""
        text, matched = state.held + self._examples[c], (*state.matched, matches)
        complete = [stop for stop in self.stops if text.endswith(stop)]
        if complete:
            return ENDED if matched[-len(max(complete, key=len))] else DEAD
        size = beginning_at_end(text, self.stops)
        kept = matched[len(matched) - size :]
        return self._number(
            State(self._step(edges, c), self._context(c), text[len(text) - size :], kept)
        )

    def _context(self, c: int) -> tuple[bool, ...]:
        return tuple(bool(self._members[c, leaf]) for leaf in self._about)

    def _step(self, edges: Edges, c: int) -> frozenset[int]:
        """Return the places after a character of class c."""
        ways = [targets for leaf, targets in edges.items() if self._members[c, leaf]]
        return frozenset().union(*ways)

    def _edges(self, state: State, c: int | None) -> Edges:
        """Return where the characters of each leaf lead; c: see `_closure`."""
        nodes, found = self.expression.nodes, dict[int, set[int]]()
        for place in self._closure(state, c):
            number, then = divmod(place, 3)
            if (leaf := nodes[number].leaf) >= 0 and then != AFTER_LAST:
                target = 3 * nodes[number].target + (AFTER_LAST if then else ANYWHERE)
                found.setdefault(leaf, set()).add(target)
        return found

    def _matches(self, state: State) -> bool:
        """Whether a text may end in a state."""
        return any(place // 3 == self.expression.end for place in self._closure(state, None))

    def _closure(self, state: State, c: int | None) -> frozenset[int]:
        """Return the places that are reached without a character.

        c: the class of the next character; None: there is none, or no assertion asks for it.
        """
        found, waiting = set(state.places), list(state.places)
        while waiting:
            number, then = divmod(waiting.pop(), 3)
            for assertion, target in self.expression.nodes[number].ways:
                after = then
                if assertion:
                    if not self._holds(assertion, state.before, c):
                        continue
                    if assertion.kind == "end or last line break" and c is not None:
                        after = after or LAST_IS_NEXT
                if (reached := 3 * target + after) not in found:
                    found.add(reached)
                    waiting.append(reached)
        self._work += len(found)
        if self._work > MOST_WORK:
            raise too_large(self.expression.pattern)
        return frozenset(found)

    def _holds(self, assertion: Assertion, before: tuple[bool, ...] | None, c: int | None) -> bool:
        """Whether an assertion holds between the last character and the next; None: none."""
        kind, leaf = assertion
        next_is = c is not None and leaf >= 0 and bool(self._members[c, leaf])
        last_is = before is not None and leaf >= 0 and before[self._about.index(leaf)]
        match kind:
            case "begin":
                return before is None
            case "begin of a line":
                return before is None or last_is
            case "end":
                return c is None
            case "end of a line" | "end or last line break":
                return c is None or next_is
            case "boundary":
                return last_is != next_is
            case _:
                is_empty = before is None and c is None
                return EMPTY_HAS_NO_BOUNDARY if is_empty else last_is == next_is


EMPTY_HAS_NO_BOUNDARY = re.fullmatch(r"\B", "") is not None
r"""Since Python 3.14 \B matches an empty text."""


def beginning_at_end(text: str, stops: Sequence[str]) -> int:
    """Return how many characters at the end of a text may be the beginning of a stop text."""
    return max(
        (
            size
            for stop in stops
            for size in range(min(len(stop) - 1, len(text)), 0, -1)
            if text.endswith(stop[:size])
        ),
        default=0,
    )
