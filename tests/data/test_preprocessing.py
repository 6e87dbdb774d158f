import io
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnlab.data.preprocessing import RULES, letters, preprocess

# Many line ends, runs of other characters, letters outside A-Z a-z, case pairs that change length.
MADE_UP = st.text(st.sampled_from("aZ q,.  \n\r\t-9éßİſK_\u2028")) | st.text()


def d2l_lines(text: str) -> list[str]:
    """`read_time_machine` of d2l 0.17, section 8.2, its lines as they stand there."""
    with io.StringIO(text) as f:
        lines = f.readlines()
    return [re.sub("[^A-Za-z]+", " ", line).strip().lower() for line in lines]


@given(MADE_UP)
@settings(max_examples=200, deadline=None, derandomize=True)
def test_letters_is_the_rule_of_d2l(text: str) -> None:
    # load_corpus_time_machine: corpus = [token for line in tokens for token in line]
    assert list(letters(text)) == [token for line in d2l_lines(text) for token in list(line)]


@given(MADE_UP)
@settings(max_examples=100, deadline=None, derandomize=True)
def test_letters_leaves_only_a_to_z_and_single_spaces_inside_lines(text: str) -> None:
    assert set(letters(text)) <= set(" abcdefghijklmnopqrstuvwxyz")
    assert "  " not in letters(text)


def test_letters_joins_lines_with_nothing_between() -> None:
    text = "The Time\n\n  Traveller -- (so 2 say)\r\nwas É!\n"
    assert letters(text) == "the timetraveller so saywas"


@pytest.mark.parametrize(
    ("rule", "expected"), [("none", "Ab É\r\n"), ("lower", "ab é\r\n"), ("letters", "ab")]
)
def test_rules_by_name(rule: str, expected: str) -> None:
    assert preprocess("Ab É\r\n", rule) == expected
    assert rule in RULES
