"""Random regular expressions from a small grammar, for tests against Python's `re`."""

import re
from itertools import product

from hypothesis import strategies as st

ATOMS = [
    "a", "b", ".", "[ab]", "[^a]", r"\w", r"\W", "(?i:A)", "(?s:.)", r"\n", r"[^\s\S]", "[a-c]",
    "c?",
]  # fmt: skip
ASSERTIONS = ["^", "$", r"\b", r"\A", r"\Z", "(?m:^)", "(?m:$)"]
REPEATS = ["*", "+", "?", "{2}", "{1,2}", "{0,3}", "{2,}", "*?", "+?", "??"]


def _grown(inside: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.tuples(inside, inside).map("".join),
        st.tuples(inside, inside).map(lambda two: f"(?:{two[0]}|{two[1]})"),
        st.tuples(inside, st.sampled_from(REPEATS)).map(lambda two: f"({two[0]}){two[1]}"),
    )


expressions = st.recursive(st.sampled_from(ATOMS + ASSERTIONS), _grown, max_leaves=7)
plain_expressions = st.recursive(
    st.sampled_from(["a", "b", "[ab]", "", "ab"]), _grown, max_leaves=6
)


def texts(alphabet: str, longest: int) -> list[str]:
    """All strings over an alphabet up to a length."""
    return ["".join(t) for n in range(longest + 1) for t in product(alphabet, repeat=n)]


def matches(pattern: str, text: str) -> bool:
    return re.fullmatch(pattern, text) is not None
