"""The automaton of an expression accepts what `re.fullmatch` accepts."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_expressions import expressions, matches, texts

from rnnlab.errors import UsageError
from rnnlab.patterns.automaton import DEAD, ENDED, Automaton, beginning_at_end
from rnnlab.patterns.expression import Expression

ALPHABET = "ab \né"


def state_after(automaton, text, alphabet=ALPHABET, start=0):
    state = automaton.starts[start]
    for character in text:
        state = automaton.table[state, automaton.classes[alphabet.index(character)]]
    return state


def accepted(pattern, alphabet, longest):
    automaton = Automaton(Expression(pattern), alphabet, [""], [])
    return [
        text for text in texts(alphabet, longest)
        if automaton.accepting[state_after(automaton, text, alphabet)]
    ]  # fmt: skip


@pytest.mark.parametrize(
    "pattern",
    [
        "", "a*", "a$b", "a$", r"a$\n?", r"(?m)^a$\n^b$", r"\ba\b.*", r"\w+\b ?", r"\b", r"\B",
        "(a|b)*a", "(?i)É+|B", r"a\Z", r"[^\s\S]", "(a$|b)*", r"(a$\n|b)*", "$", r"^$\n", "(?s).a",
        r".\B.", r"(a|ab)(b|\n)??", "a{2,3}?", r"\Ba\b", r"(?a)\w+", r"(?m)($\n)*a", r"$$\n",
        r"$(\n|a)$", r"(?:a$)?\n*", "(?x) a  b # c", "(?P<x>a)(?i-s:É|.)", "(){9}a", r"\x61\u00e9?",
    ],
)  # fmt: skip
def test_it_accepts_what_python_does(pattern):
    assert accepted(pattern, ALPHABET, 5) == [
        text for text in texts(ALPHABET, 5) if matches(pattern, text)
    ]


@settings(max_examples=150)
@given(expressions)
def test_any_expression_means_what_it_means_to_python(pattern):
    assert accepted(pattern, "ab\n", 4) == [
        text for text in texts("ab\n", 4) if matches(pattern, text)
    ]


@settings(max_examples=60)
@given(
    pattern=expressions,
    prefix=st.text("ab", max_size=2),
    stops=st.lists(st.text("ab\n", min_size=1, max_size=3), min_size=1, max_size=2),
)
def test_a_stop_text_ends_what_matches(pattern, prefix, stops):
    """It counts after the prefix only, and of several the one that is complete first."""
    automaton = Automaton(Expression(pattern), "ab\n", [prefix], stops)
    for written in texts("ab\n", 4):
        places = [
            (end, end - len(stop)) for stop in stops for end in range(1, len(written) + 1)
            if written[:end].endswith(stop)
        ]  # fmt: skip
        state = state_after(automaton, written, "ab\n")
        if not places:
            assert automaton.accepting[state] == matches(pattern, prefix + written)
        else:
            assert state == (
                ENDED if matches(pattern, prefix + written[: min(places)[1]]) else DEAD
            )


def test_each_prefix_has_its_state():
    automaton = Automaton(Expression("(ab)*c"), "abc", ["", "ab", "a", "b"], [])
    assert automaton.starts[3] == DEAD
    ends = [
        [text for text in texts("abc", 3)
         if automaton.accepting[state_after(automaton, text, "abc", start)]]
        for start in range(3)
    ]  # fmt: skip
    assert ends == [["c", "abc"], ["c", "abc"], ["bc"]]


@pytest.mark.parametrize("pattern", ["(?s).*a.{20}", "(a|b|ab){1,3000}", r"(\w+\d?){1,600}x"])
def test_what_would_take_too_long_is_refused(pattern):
    with pytest.raises(
        UsageError, match=r"' is too large: its automaton would have too many state"
    ):
        Automaton(Expression(pattern), ALPHABET + "0x", [""], [])


@given(st.text("ab", max_size=6), st.lists(st.text("ab", min_size=1, max_size=4), max_size=3))
def test_what_may_be_the_beginning_of_a_stop_text(text, stops):
    sizes = [n for n in range(1, len(text) + 1) for s in stops if len(s) > n and s[:n] == text[-n:]]
    assert beginning_at_end(text, stops) == max(sizes, default=0)
