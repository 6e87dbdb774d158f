"""A regular expression of Python as a nondeterministic automaton.

Python's own parser reads it, and Python's own matcher says which characters each of its classes
has, so both are what `re` makes of them. What is a regular language is supported: all but
references to groups, lookaround, atomic groups and possessive repetitions.

Source of the construction: Thompson, Regular expression search algorithm, CACM 11(6), 1968.
"""

import re
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from re import _compiler, _parser  # type: ignore[attr-defined]
from typing import Any, NamedTuple

from rnnlab.errors import UsageError

MOST_NODES = 20_000
"""Of one automaton; `(ab?){1,5000}` has that many."""

MOST_CHARACTERS = 100_000
"""Of an expression."""

UNSUPPORTED = {
    "GROUPREF": "references to groups",
    "GROUPREF_EXISTS": "references to groups",
    "ASSERT": "lookahead and lookbehind",
    "ASSERT_NOT": "lookahead and lookbehind",
    "ATOMIC_GROUP": "atomic groups",
    "POSSESSIVE_REPEAT": "possessive repetitions",
}

NEW_LINE = (_parser.LITERAL, ord("\n"))
WORD = (_parser.IN, [(_parser.CATEGORY, _parser.CATEGORY_WORD)])


class Assertion(NamedTuple):
    """A condition on the characters on both sides of a place."""

    kind: str
    """begin, begin of a line, end, end or last line break, end of a line, boundary, no boundary."""
    leaf: int
    """The class of characters that it is about; -1: none."""


@dataclass
class Node:
    """A place in an expression: a character leads on, or one goes on without."""

    leaf: int = -1
    """The class of the character; -1: there is none, and `ways` lead on."""
    target: int = -1
    ways: list[tuple[Assertion | None, int]] = field(default_factory=list)


class Expression:
    """Nodes, the first and the last of them, and the classes of characters on their edges."""

    def __init__(self, pattern: str) -> None:
        """Raises UsageError for what is not an expression, not supported, or too large."""
        self.pattern = pattern
        self.nodes: list[Node] = []
        self.leaves: list[re.Pattern[str]] = []
        """Each matches runs of the characters of a class."""
        self.literals = ""
        """Characters that the expression names."""
        self._leaf_ids: dict[str, int] = {}
        self.end = self._node()
        try:
            parsed = _parsed(pattern)
            self.start = self._sequence(parsed, parsed.state.flags, self.end)
        except RecursionError:
            raise _error(pattern, "is nested too deeply") from None

    @cached_property
    def assertions(self) -> list[Assertion]:
        """All that there are."""
        return list({way[0] for node in self.nodes for way in node.ways if way[0]})

    def _node(self, leaf: int = -1, target: int = -1) -> int:
        if len(self.nodes) >= MOST_NODES:
            raise too_large(self.pattern)
        self.nodes.append(Node(leaf, target))
        return len(self.nodes) - 1

    def _fork(self, *targets: int) -> int:
        node = self._node()
        self.nodes[node].ways = [(None, target) for target in targets]
        return node

    def _sequence(self, items: Iterable[Any], flags: int, target: int) -> int:
        """Add items that lead to `target`, and return where they begin."""
        for operation, argument in reversed(list(items)):
            target = self._item(operation, argument, flags, target)
        return target

    def _item(self, operation: Any, argument: Any, flags: int, target: int) -> int:
        match str(operation):
            case "LITERAL" | "NOT_LITERAL" | "ANY" | "IN":
                if str(operation) == "LITERAL":
                    self.literals += chr(argument)
                return self._node(self._leaf((operation, argument), flags), target)
            case "BRANCH":
                ways = [self._sequence(way, flags, target) for way in argument[1]]
                return self._fork(*ways)
            case "SUBPATTERN":
                _, added, removed, inside = argument
                if added & _parser.TYPE_FLAGS:
                    flags &= ~_parser.TYPE_FLAGS
                return self._sequence(inside, (flags | added) & ~removed, target)
            case "MAX_REPEAT" | "MIN_REPEAT":
                return self._repeat(argument, flags, target)
            case "AT":
                node = self._node()
                self.nodes[node].ways = [(self._assertion(str(argument), flags), target)]
                return node
            case name if name in UNSUPPORTED:
                raise _error(self.pattern, f"uses {UNSUPPORTED[name]}, which are not supported")
            case name:
                raise _error(self.pattern, f"uses {name.lower()}, which is not supported")

    def _repeat(self, argument: tuple[int, Any, Any], flags: int, target: int) -> int:
        least, most, inside = argument
        if most is _parser.MAXREPEAT:
            loop = self._fork()
            body = self._sequence(inside, flags, loop)
            self.nodes[loop].ways = [(None, body), (None, target)]
            begin = loop
        else:
            begin = target
            for _ in range(most - least):
                begin = self._fork(self._sequence(inside, flags, begin), target)
        for _ in range(least):
            before = len(self.nodes)
            begin = self._sequence(inside, flags, begin)
            if len(self.nodes) == before:
                break  # there is nothing inside, as in (){9}
        return begin

    def _assertion(self, kind: str, flags: int) -> Assertion:
        lines = bool(flags & re.MULTILINE)
        match kind:
            case "AT_BEGINNING_STRING":
                return Assertion("begin", -1)
            case "AT_BEGINNING":
                return (
                    Assertion("begin of a line", self._leaf(NEW_LINE, 0))
                    if lines
                    else Assertion("begin", -1)
                )
            case "AT_END_STRING":
                return Assertion("end", -1)
            case "AT_END":
                name = "end of a line" if lines else "end or last line break"
                return Assertion(name, self._leaf(NEW_LINE, 0))
            case _:
                name = "boundary" if kind == "AT_BOUNDARY" else "no boundary"
                return Assertion(name, self._leaf(WORD, flags))

    def _leaf(self, item: Any, flags: int) -> int:
        """Return the number of a class of characters, an item of the parser."""
        key = f"{item} {int(flags)}"
        if key not in self._leaf_ids:
            state = _parser.State()
            state.flags = flags
            one = _parser.SubPattern(state, [item])
            run = (_parser.MAX_REPEAT, (1, _parser.MAXREPEAT, one))
            self._leaf_ids[key] = len(self.leaves)
            self.leaves.append(_compiler.compile(_parser.SubPattern(state, [run]), flags))
        return self._leaf_ids[key]


def spans(leaf: re.Pattern[str], characters: str) -> Iterator[tuple[int, int]]:
    """Yield where the characters of a class begin and end within a string."""
    return (found.span() for found in leaf.finditer(characters))


def too_large(pattern: str) -> UsageError:
    """Return the error for an expression with an automaton that does not fit."""
    return _error(
        pattern,
        "is too large: its automaton would have too many states; use fewer or smaller repetitions",
    )


def _parsed(pattern: str) -> Any:
    if len(pattern) > MOST_CHARACTERS:
        raise UsageError(
            f"matching: a regular expression has at most {MOST_CHARACTERS:,} characters, "
            f"not {len(pattern):,}"
        )
    try:
        with warnings.catch_warnings():  # what `re` may read otherwise in some later version
            warnings.simplefilter("ignore")
            return _parser.parse(pattern)
    except (re.error, OverflowError, ValueError) as error:
        raise _error(pattern, f"is not a regular expression: {error}") from None


def _error(pattern: str, what: str) -> UsageError:
    shown = pattern if len(pattern) <= 60 else f"{pattern[:57]}..."
    return UsageError(f"matching = '{shown}' {what}")
