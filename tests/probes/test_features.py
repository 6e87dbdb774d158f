"""Features at the ends of tokens, what is left out, and what a user gives."""

import time
from pathlib import Path

import numpy as np
import pytest
from planted_network import planted_model

from rnnlab.config import DataSettings
from rnnlab.data.tokenizer import train_tokenizer
from rnnlab.errors import CorpusError, UsageError
from rnnlab.probes.feature_settings import FeatureSettings
from rnnlab.probes.features import Feature, Features, features_of
from rnnlab.probes.reading import Reading
from rnnlab.probes.states import Halves
from rnnlab.probes.text_features import text_features
from rnnlab.probes.user_features import inside_matches

TEXT = "“Ab (cd)”\n\t7 ef, “gäh”\n(i) j\n" * 3


def reading_of(kind, text=TEXT):
    tokenizer = train_tokenizer(DataSettings(tokenizer=kind, bpe_size=300), text)
    model = planted_model()
    model.tokenizer = tokenizer
    return Reading(model, text, tokenizer.encode(text), tokenizer.ends(text), {})


def values(features, name):
    return next(feature.values for feature in features.all if feature.name == name)


@pytest.mark.parametrize("kind", ["char", "byte", "word", "bpe"])
def test_a_token_has_the_features_of_its_last_character(kind):
    reading = reading_of(kind)
    found, expected = features_of(reading), text_features(reading.text, FeatureSettings())
    assert len(found) > 8
    last = [max(0, end - 1) for end in reading.ends.tolist()]
    for feature in found.all:
        assert feature.values.tolist() == [float(expected[feature.name][t]) for t in last]
        assert feature.kind == ("binary" if expected[feature.name].dtype == bool else "number")
    assert found.matrix().shape == (len(reading), len(found))


def test_what_is_constant_or_twice_there_is_left_out_and_named():
    found = features_of(reading_of("char", "ab (cd) e\n" * 3))
    assert found.left_out == {
        "inside quotes": "it is 0 in the whole text",
        "bracket depth": "it is the same as 'inside brackets'",
        "uppercase": "it is 0 in the whole text",
        "indentation": "it is 0 in the whole text",
        "next is a digit": "it is 0 in the whole text",
    }
    assert not set(found.names) & set(found.left_out)
    assert "inside brackets" in found.first(9).names
    assert found.first(3).left_out["inside brackets"] == "it is 0 in the whole text"


def test_what_seldom_changes_is_left_out_and_named():
    often = Feature.of("often", np.arange(2000) % 2 == 0)
    once = Feature.of("once", np.arange(2000) % 1000 > 500)
    rare = Feature.of("rare", np.arange(2000) % 200 != 0)
    found = Features((often, once, rare), {}).changing([slice(1000), slice(1000, 2000)], 5)
    assert found.names == ("often",)
    assert found.left_out == {
        "once": "changes in a half: 1; it needs 5",
        "rare": "it is true in 99.5% of a half",
    }
    with pytest.raises(UsageError) as caught:
        Features((once,), {}).changing([slice(1000), slice(1000, 2000)], 5)
    assert str(caught.value) == (
        "nothing in the text changes 5 times in each half; there is nothing to look for"
    )


def test_halves_do_not_overlap():
    assert Halves.of(1000, gap=100, least=425) == (slice(50, 475), slice(575, 1000))
    assert Halves.of(1001, gap=100, least=425) == (slice(50, 475), slice(576, 1001))
    with pytest.raises(CorpusError, match=r"a text of 999 tokens .* it needs 1,000"):
        Halves.of(999, gap=100, least=425)


def test_a_pattern_marks_its_matches():
    settings = FeatureSettings(patterns={"in ()": r"\(\w+\)", "vowel": "[aeiou]"})
    found = features_of(reading_of("char", "ab (cd) e ()\n"), settings)
    assert "".join(str(int(v)) for v in values(found, "in ()")) == "0001111000000"
    assert "".join(str(int(v)) for v in values(found, "vowel")) == "1000000010000"


@pytest.mark.parametrize(
    ("patterns", "message"),
    [
        ({"x": "Q"}, "feature 'x' has the value 0 at all 13 tokens of the text; a feature must "
                     "vary"),
        ({"x": r"(?s).+"}, "feature 'x' has the value 1 at all 13 tokens of the text; a feature "
                           "must vary"),
        ({"x": "(a"}, "feature 'x': '(a' is not a regular expression: missing ) at position 2"),
        ({"uppercase": "a"}, "two features have the name 'uppercase'; give one of them another"),
    ],
)  # fmt: skip
def test_patterns_that_cannot_be_features(patterns, message):
    with pytest.raises(UsageError) as caught:
        features_of(reading_of("char", "ab (cd) e ()\n"), FeatureSettings(patterns=patterns))
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("pattern", "text"), [("(a|aa)+$", "a" * 200 + "b"), ("(?r)a", "a" * 2_000_000)]
)
def test_a_pattern_that_does_not_end_is_stopped(pattern, text):
    begin = time.monotonic()
    with pytest.raises(UsageError) as caught:
        inside_matches(text, "endless", pattern, 0.2)
    assert time.monotonic() - begin < 20
    assert str(caught.value) == (
        f"regular expression {pattern!r} of the feature 'endless' did not end within 0.2 seconds "
        f"on {len(text):,} characters; use a simpler one, or a shorter text"
    )


def test_a_word_that_never_stands_there_is_an_error():
    with pytest.raises(UsageError, match="feature \"after 'zebra'\" has the value 0 at all"):
        features_of(reading_of("char"), FeatureSettings(after=("zebra",)))


def labelled(tmp_path: Path, labels, reading):
    file = tmp_path / "labels.txt"
    file.write_text("\n".join(labels) + "\n", encoding="utf-8")
    return features_of(reading, FeatureSettings(label_files={"mine": file}))


def test_labels_may_be_numbers_words_or_yes_and_no(tmp_path):
    reading = reading_of("char", "abcdef")
    numbers = labelled(tmp_path, ["1", "2.5", "-3", "0", "0", "1e3"], reading)
    assert values(numbers, "mine").tolist() == [1, 2.5, -3, 0, 0, 1000]
    yes = labelled(tmp_path, "010110", reading)
    assert (values(yes, "mine").tolist(), yes.all[0].kind) == ([0, 1, 0, 1, 1, 0], "binary")
    two = labelled(tmp_path, "nnvnnv", reading)
    assert values(two, "mine = v").tolist() == [0, 0, 1, 0, 0, 1]
    three = labelled(tmp_path, "abcabc", reading)
    assert values(three, "mine = c").tolist() == [0, 0, 1, 0, 0, 1]
    assert {"mine = a", "mine = b"} < set(three.names)


def test_labels_of_characters_are_taken_at_the_ends_of_tokens(tmp_path):
    reading = reading_of("word", "ab cd ab")
    by_character = labelled(tmp_path, "00101001", reading)
    assert values(by_character, "mine").tolist() == [
        float("00101001"[end - 1]) for end in reading.ends.tolist()
    ]


def test_wrong_label_files_are_errors(tmp_path):
    reading = reading_of("char", "abcdef")
    file = tmp_path / "labels.txt"
    with pytest.raises(UsageError) as caught:
        labelled(tmp_path, "0101", reading)
    assert str(caught.value) == (
        f"label file {file} has 4 lines; it needs one for each of the 6 tokens or 6 characters of "
        "the text"
    )
    with pytest.raises(UsageError, match=r"labels.txt has a number that is NaN or infinite"):
        labelled(tmp_path, ["nan", *"01010"], reading)
    with pytest.raises(UsageError, match="feature 'mine' has the value 1 at all 6 tokens"):
        labelled(tmp_path, "111111", reading)
    with pytest.raises(UsageError, match=r"label file \S+missing cannot be read: "):
        features_of(reading, FeatureSettings(label_files={"mine": tmp_path / "missing"}))
    long = reading_of("char", "ab" * 30)
    with pytest.raises(UsageError, match="has 60 different labels; the most is 50, or numbers"):
        labelled(tmp_path, [f"l{n}" for n in range(60)], long)
