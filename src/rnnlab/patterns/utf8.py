"""An automaton over characters becomes one over the bytes of UTF-8.

The bytes of all characters are a tree; branches that lead to the same classes of characters are
one branch. A state of the new automaton is one of the old, and a branch if a character is begun.

Legend: S states, C classes of characters, N branches.
"""

from functools import cache

import numpy as np
import numpy.typing as npt

from rnnlab.patterns.automaton import DEAD, ENDED, States

BYTES = 256
FIRST_OF_TWO, FIRST_OF_THREE, FIRST_OF_FOUR, FIRST_NOT_USED = 0xC2, 0xE0, 0xF0, 0xF5
CONTINUATION = slice(0x80, 0xC0)
NOTHING = -1

MOST_ENTRIES = 2**25
"""Of the table of an automaton; this bounds memory to a few hundred MB."""

Ints = npt.NDArray[np.int64]


@cache
def all_characters() -> str:
    """Return every character, also those that have no bytes in UTF-8, in the order of their code
    points."""
    return "".join(map(chr, range(0x110000)))


def over_bytes(table: States, classes: Ints) -> States | None:
    """Return the table (S + S N, 256) for a table (S, C), or None if it is too large.

    The first S states are those between characters. classes: of all code points, (0x110000,).
    Bytes that are not UTF-8 lead to DEAD.
    """
    S, (leads, branches, levels) = len(table), _tree(classes)
    N = len(branches)
    if S * (N + 1) * BYTES > MOST_ENTRIES:
        return None
    found = np.full((S * (N + 1), BYTES), DEAD, np.int32)
    branch_of = S + np.arange(S)[:, None] * N  # the first branch within each state (S, 1)
    found[:S, :0x80] = table[:, classes[:0x80]]
    found[:S, 0x80:] = np.where(leads == NOTHING, DEAD, branch_of + leads)
    inside = found[S:].reshape(S, N, BYTES)
    is_last = levels == 1
    last = branches[is_last]
    inside[:, is_last, CONTINUATION] = np.where(last == NOTHING, DEAD, table[:, last])
    rest = branches[~is_last]
    inside[:, ~is_last, CONTINUATION] = np.where(
        rest == NOTHING, DEAD, branch_of[:, :, None] + rest
    )
    found[DEAD], found[ENDED] = DEAD, ENDED
    return found


def _tree(classes: Ints) -> tuple[Ints, Ints, Ints]:
    """Return the branch after each first byte from 0x80 up, the 64 ways on from each branch, and
    how many bytes of a character are left there."""
    valid = classes.copy()
    valid[0xD800:0xE000] = NOTHING  # surrogates
    three = valid[:0x10000].copy()
    three[:0x800] = NOTHING  # would be longer than needed
    four = np.full(8 * 64**3, NOTHING)
    four[0x10000:0x110000] = valid[0x10000:]
    rows = [valid[0x80:0x800], three, four]  # of characters of 2, 3 and 4 bytes
    branches, levels, before = list[Ints](), list[Ints](), 0
    leads = list[Ints]()
    for level in (1, 2, 3):
        ways = np.concatenate(rows).reshape(-1, 64)
        places = dict[bytes, int]()
        which = np.array([places.setdefault(way.tobytes(), len(places)) for way in ways])
        unique = np.frombuffer(b"".join(places), ways.dtype).reshape(-1, 64)
        is_nothing = (unique == NOTHING).all(1)
        numbers = np.where(is_nothing, NOTHING, before + np.arange(len(unique)))[which]
        branches.append(unique)
        levels.append(np.full(len(unique), level))
        before += len(unique)
        sizes = [len(row) // 64 for row in rows]
        first, *rows = np.split(numbers, np.cumsum(sizes)[:-1])
        leads.append(first)
    two, three, four = leads
    by_byte = np.full(BYTES - 0x80, NOTHING)
    by_byte[FIRST_OF_TWO - 0x80 : FIRST_OF_THREE - 0x80] = two
    by_byte[FIRST_OF_THREE - 0x80 : FIRST_OF_FOUR - 0x80] = three
    by_byte[FIRST_OF_FOUR - 0x80 : FIRST_NOT_USED - 0x80] = four[: FIRST_NOT_USED - FIRST_OF_FOUR]
    return by_byte, np.concatenate(branches), np.concatenate(levels)
