"""Texts and bytes cut into pieces at arbitrary places."""

from typing import TypeVar

from hypothesis import strategies as st

Cut = TypeVar("Cut", str, bytes)

# Full of what a cut could damage: line ends, spaces, words, letters that depend on others nearby,
# characters of one to four bytes, combining marks.
DENSE = st.text(st.sampled_from("abAΣσ.' \n\r\t,\x85é€😀\u0301\u200f\u2028\ufeff"), max_size=60)
TEXT = DENSE | st.text(max_size=60)


def pieces(whole: Cut, at: set[int]) -> list[Cut]:
    """Cut at some positions, taken modulo the length."""
    ends = sorted(i % (len(whole) + 1) for i in at)
    return [whole[a:b] for a, b in zip([0, *ends], [*ends, len(whole)], strict=True)]


CUTS = st.sets(st.integers(0, 59), max_size=60)
