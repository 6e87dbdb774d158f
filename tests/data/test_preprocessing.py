import io
import re
import sys
import unicodedata

import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st
from text_pieces import CUTS, TEXT, pieces

from rnnlab.data import preprocessing
from rnnlab.data.preprocessing import (
    LAST_LETTER,
    LONGEST_RUN,
    RULES,
    preprocess,
    preprocess_pieces,
)

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
    assert list(preprocess(text, "letters")) == [
        token for line in d2l_lines(text) for token in list(line)
    ]


@given(MADE_UP)
@settings(max_examples=100, deadline=None, derandomize=True)
def test_letters_leaves_only_a_to_z_and_single_spaces_inside_lines(text: str) -> None:
    assert set(preprocess(text, "letters")) <= set(" abcdefghijklmnopqrstuvwxyz")
    assert "  " not in preprocess(text, "letters")


def test_letters_joins_lines_with_nothing_between() -> None:
    text = "The Time\n\n  Traveller -- (so 2 say)\r\nwas É!\n"
    assert preprocess(text, "letters") == "the timetraveller so saywas"


@pytest.mark.parametrize(
    ("rule", "expected"), [("none", "Ab É\r\n"), ("lower", "ab é\r\n"), ("letters", "ab")]
)
def test_rules_by_name(rule: str, expected: str) -> None:
    assert preprocess("Ab É\r\n", rule) == expected
    assert rule in RULES


@given(text=MADE_UP | TEXT, cuts=CUTS, rule=st.sampled_from(sorted(RULES)))
@settings(max_examples=400, derandomize=True)
def test_pieces_become_what_the_whole_becomes(text: str, cuts: set[int], rule: str) -> None:
    assert "".join(preprocess_pieces(pieces(text, cuts), rule)) == preprocess(text, rule)


@given(text=MADE_UP | TEXT)
@settings(max_examples=200, derandomize=True)
def test_lower_is_that_of_python(text: str) -> None:
    assert preprocess(text, "lower") == text.lower()


def test_a_final_sigma_never_looks_across_white_space() -> None:
    for space in filter(str.isspace, map(chr, range(sys.maxunicode + 1))):
        for text in ("AΣ", "A", "Σ", "Σ."):
            assert (text + space + "ΣA").lower() == text.lower() + space + "σa"
            assert (text + space).lower() == text.lower() + space.lower()


@pytest.mark.parametrize("size", [1000, 65_536, 100_000])
def test_a_run_without_white_space_is_lowered_in_parts(size: int) -> None:
    text = " " + ("A" * (LONGEST_RUN - 1) + "Σ") * 2 + "B Σ" + "Σ." * LONGEST_RUN
    chunks = [text[i : i + size] for i in range(0, len(text), size)]
    found = preprocess(text, "lower")
    assert "".join(preprocess_pieces(chunks, "lower")) == found
    # The sigma that ends a part is final there, though a letter follows.
    assert found[: 2 * LONGEST_RUN + 2] == " " + ("a" * (LONGEST_RUN - 1) + "ς") * 2 + "b"


def test_a_line_of_letters_is_never_held_back() -> None:
    lines = preprocess_pieces((piece for piece in ["Ab, ", "-", "C", "d\n"]), "letters")
    assert list(lines) == ["ab", " c", "d"]


@given(
    text=MADE_UP
    | TEXT
    | st.text(st.sampled_from("eo\u0301\u0323\u0344ᄀ\u1161\u11a8가Å q"), max_size=40)
)
@settings(max_examples=200, derandomize=True)
def test_nfc_is_that_of_unicode(text: str) -> None:
    assert preprocess(text, "nfc") == unicodedata.normalize("NFC", text)
    assert preprocess(text, "nfc lower") == unicodedata.normalize("NFC", text).lower()


def test_a_letter_never_composes_with_what_is_before_it() -> None:
    """So that a text can be cut there: the second parts of all compositions, and all marks."""
    for character in map(chr, range(sys.maxunicode + 1)):
        parts = unicodedata.decomposition(character).split()
        if len(parts) == 2 and not parts[0].startswith("<"):
            assert not regex.match(LAST_LETTER, chr(int(parts[1], 16))), character
        if unicodedata.combining(character):
            assert not regex.match(LAST_LETTER, character), character
    assert not any(regex.match(LAST_LETTER, mark) for mark in "\u1161\u11a8")


def test_a_run_of_marks_is_composed_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a smaller limit, since the time to compose a run grows with its square."""
    limit = 1024
    marks = preprocessing.LONGEST_MARKS.replace(str(LONGEST_RUN), str(limit))
    monkeypatch.setattr(preprocessing, "LONGEST_RUN", limit)
    monkeypatch.setattr(preprocessing, "LONGEST_MARKS", marks)
    letter = "a" + "\u0323\u0301" * limit
    text = letter + "b"
    whole = preprocess(text, "nfc")
    cut = [letter[start : start + limit] for start in range(0, len(letter), limit)]
    assert whole == "".join(unicodedata.normalize("NFC", part) for part in cut) + "b"
    for size in (16, 1024, 1500):
        parts = [text[i : i + size] for i in range(0, len(text), size)]
        assert "".join(preprocess_pieces(parts, "nfc")) == whole
