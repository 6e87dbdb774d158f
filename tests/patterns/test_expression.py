"""What is not a supported expression is refused in words."""

import pytest

from rnnlab.errors import UsageError
from rnnlab.patterns.expression import Expression, spans


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("(", "' is not a regular expression: missing ), unterminated subpattern at position 0"),
        ("a**", "' is not a regular expression: multiple repeat at position 2"),
        ("[]", "' is not a regular expression: unterminated character set at position 0"),
        ("(?L)a", "' is not a regular expression: "),
        ("a{99999999999999999999}", "' is not a regular expression: the repetition number is too"),
        (r"(a)\1", "' uses references to groups, which are not supported"),
        (r"(a)?(?(1)b|c)", "' uses references to groups, which are not supported"),
        ("(?=a)a", "' uses lookahead and lookbehind, which are not supported"),
        ("(?<!a)b", "' uses lookahead and lookbehind, which are not supported"),
        ("(?>a)b", "' uses atomic groups, which are not supported"),
        ("a*+", "' uses possessive repetitions, which are not supported"),
        ("((a|b){1,5000}){1,5000}", "' is too large: its automaton would have too many states; "),
        ("(){0,999999999}", "' is too large: its automaton would have too many states; "),
    ],
)
def test_it_is_refused(pattern, message):
    with pytest.raises(UsageError) as caught:
        Expression(pattern)
    assert str(caught.value).startswith(f"matching = '{pattern}{message}")
    assert "\n" not in str(caught.value)


def test_long_ones_are_not_shown_whole():
    with pytest.raises(UsageError, match=r"^matching = '\({57}\.\.\.' is nested too deeply$"):
        Expression("(" * 9_000 + ")" * 9_000)
    with pytest.raises(UsageError, match=r"has at most 100,000 characters, not 200,000$"):
        Expression("a" * 200_000)


def test_classes_are_those_of_the_flags_in_force():
    expression = Expression(r"(?i)é[a-b](?-i:x)(?a:\w)\w")
    found = ["".join(c for c in "éÉaBxXé" if leaf.fullmatch(c)) for leaf in expression.leaves]
    assert sorted(found) == sorted(["éÉé", "aB", "x", "aBxX", "éÉaBxXé"])
    assert expression.literals == "xé"
    assert list(spans(expression.leaves[-1], "éxÉ")) == [(0, 1), (2, 3)]


def test_a_warning_of_python_is_not_passed_on():
    assert Expression("[[a]").leaves
