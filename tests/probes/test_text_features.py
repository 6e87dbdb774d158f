"""The built-in features of a text, by hand and by loops over its characters."""

import csv
import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnlab.errors import UsageError
from rnnlab.probes.feature_settings import FeatureSettings
from rnnlab.probes.text_features import (
    bracket_depth,
    cells,
    inside_quotes,
    separator_of,
    text_features,
)

TEXTS = st.text(alphabet="ab9_ \t\n()[]\"'“”,A", min_size=1, max_size=60)


def of(text, **settings):
    return text_features(text, FeatureSettings(**settings))


def shown(marks):
    return "".join("^" if mark else "." for mark in marks)


@given(TEXTS)
def test_counts_and_classes_are_those_of_a_loop(text):
    found = of(text)
    line = word = indent = 0
    leading = True
    for t, c in enumerate(text):
        line = 0 if c == "\n" else line + 1
        word = 0 if c.isspace() else word + 1
        if c == "\n":
            indent, leading = 0, True
        elif leading and c in " \t":
            indent += 4 if c == "\t" else 1
        else:
            leading = False
        assert found["position in line"][t] == line
        assert found["characters since a space"][t] == word
        assert found["indentation"][t] == indent
        assert found["inside a word"][t] == (c.isalnum() or c == "_")
        assert found["uppercase"][t] == c.isupper()
        after = text[t + 1 : t + 2]
        classes = {
            "next is a letter": after.isalpha(),
            "next is a digit": after.isdigit(),
            "next is a space": after.isspace() and after != "\n",
            "next is a line break": after == "\n",
        }
        classes["next is punctuation"] = bool(after) and not any(classes.values())
        for name, value in classes.items():
            assert found[name][t] == value, name


@given(st.text(alphabet="a([{)]}", min_size=1, max_size=30))
def test_depth_counts_the_pairs_around_a_character(text):
    """A pair: what the innermost open bracket of its kind and a closing one make."""
    pairs, opened = [], []
    for t, c in enumerate(text):
        if c in "([{":
            opened.append(t)
        elif c in ")]}":
            mates = [b for b in opened if text[b] + c in ("()", "[]", "{}")]
            if mates:
                pairs.append((mates[-1], t))
                opened = [b for b in opened if b < mates[-1]]
    expected = [sum(b <= t < e for b, e in pairs) for t in range(len(text))]
    assert bracket_depth(text).tolist() == expected
    assert (of(text)["inside brackets"] == (np.array(expected) > 0)).all()


@pytest.mark.parametrize(
    ("text", "marks"),
    [
        ('say "no" now', "....^^^....."),
        ("“ab” «c» „d“ e", "^^^..^^..^^..."),
        ("'It's so,' he", "^^^^^^^^^...."),
        ("don't, dogs' don't", "." * 18),
        ("x = \"it's\" + 'a\"'", "....^^^^^....^^^."),
        ("‘a’b’ c", "^^^^..."),
        ('"a\n\nb" c', "^^...^^^"),
        ('"a\nb" c', "^^^^..."),
        ("", ""),
        ("'", "^"),
    ],
)
def test_quotes(text, marks):
    assert shown(inside_quotes(text)) == marks


def test_after_a_word():
    text = "The cat, the  the dog. Other the"
    marks = shown(of(text, after=("the",))["after 'the'"])
    assert marks == "...^^^^.....^^^^^^^^^..........."


@pytest.mark.parametrize(
    ("text", "separator"),
    [
        ("a,b\nc,d\ne,f\n", ","),
        ("a;b;c\n1;2;3\n4;5;6\n", ";"),
        ("a\tb\n1\t2,5\n3\t4,5\n", "\t"),
        ("a,b\nc,d\n", ""),  # too few lines
        ("a, b\nc\nd, e, f\ng\nh, i, j, k\n", ""),
        ("no table\nat all\nhere\n", ""),
    ],
)
def test_a_table_is_known_by_its_separators(text, separator):
    assert separator_of(text) == separator
    assert any(name.startswith("column") for name in of(text)) == bool(separator)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"separator": ", "}, "a separator is one character and not a line break, not ', '"),
        ({"pattern_seconds": 0}, "pattern_seconds must be above 0, not 0"),
        ({"after": (" ",)}, "a word that a feature stands after must not be empty: ' '"),
    ],
)
def test_wrong_settings_are_errors(wrong, message):
    with pytest.raises(UsageError) as caught:
        FeatureSettings(**wrong)
    assert str(caught.value) == message


def rows_of(text, separator):
    """Return how many cells each row has, counted by the columns."""
    between, ends = cells(text, separator)
    counts, count = [], 0
    for is_separator, is_end in zip(between.tolist(), ends.tolist(), strict=True):
        count += is_separator
        if is_end:
            counts.append(count + 1)
            count = 0
    return counts, count + 1


@given(st.text('ab",;\n', max_size=60))
def test_the_columns_of_any_text_are_those_of_the_csv_module(text):
    ended, last = rows_of(text, ",")
    rows = list(csv.reader(io.StringIO(text, newline="")))
    counts = [max(1, len(row)) for row in rows]
    # The csv module leaves out a last row without a character.
    assert counts in (ended, [*ended, last])


CELLS = st.text('ab",;\t\r\n ', max_size=5)


@given(st.lists(st.lists(CELLS, min_size=2, max_size=4), min_size=1, max_size=5),
       st.sampled_from(",;\t|"))  # fmt: skip
def test_each_character_of_a_written_table_has_its_column(rows, separator):
    text, expected = "", []
    for row in rows:
        for number, cell in enumerate(row):
            line = io.StringIO()
            csv.writer(line, delimiter=separator).writerow([cell, "end"])
            written = line.getvalue()[: -len(f"{separator}end\r\n")]
            text += (separator if number else "") + written
            expected += [number] * (len(written) + (number > 0))
        text += "\r\n"
        expected += [len(row) - 1, 0]
    found = of(text, separator=separator)[f"column (by {separator!r})"]
    assert found.tolist() == expected


def test_separators_in_quotes_do_not_hide_a_table():
    text = 'name,said\nAnn,"yes, no, and maybe"\nBob,"a\nb, c"\nCyd,"""so"", she said"\n'
    assert separator_of(text) == ","
    found = of(text)["column (by ',')"]
    assert found[text.index("and maybe")] == found[text.index("she said")] == 1
