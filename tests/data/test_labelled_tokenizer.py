"""Labels are tokens of their own, whatever tokenizer reads the text."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnlab.data.labelled_tokenizer import (
    LabelledTokenizer,
    inner_kind,
    label_character,
    label_id,
    labels_of,
    without_labels,
)
from rnnlab.data.tokenizer import (
    BpeTokenizer,
    ByteTokenizer,
    CharTokenizer,
    WordTokenizer,
    tokenizer_from_json,
)
from rnnlab.errors import UsageError

TEXT = "\nanna b\nben \u00e9\ncleo\n" * 3
INSIDE = {
    "char": CharTokenizer.train(TEXT),
    "byte": ByteTokenizer(),
    "word": WordTokenizer.train(TEXT, 1),
    "bpe": BpeTokenizer.train(TEXT, 270),
}
COUNTS = {"Irish": 3, "Greek": 0, "a b": 7}
words = st.text("an b\u00e9z", min_size=1, max_size=6).map(str.strip)
samples = st.lists(st.tuples(st.integers(0, 2), words), min_size=1, max_size=12)


def labelled(kind: str) -> LabelledTokenizer:
    return LabelledTokenizer(INSIDE[kind], COUNTS)


@pytest.mark.parametrize("kind", INSIDE)
@given(samples=samples, cut=st.integers(1, 9))
@settings(max_examples=60, derandomize=True, deadline=None)
def test_ids_are_those_inside_and_one_for_each_label(kind, samples, cut) -> None:
    tokenizer, inside = labelled(kind), INSIDE[kind]
    text = "\n" + "".join(f"{label_character(n)}{word}\n" for n, word in samples)
    expected = [inside.encode("\n")]
    for number, word in samples:
        expected += [np.array([inside.size + number]), inside.encode(f"{word}\n")]
    assert tokenizer.encode(text).tolist() == np.concatenate(expected).tolist()
    parts = tokenizer.encode_pieces(text[i : i + cut] for i in range(0, len(text), cut))
    assert np.concatenate(list(parts)).tolist() == tokenizer.encode(text).tolist()
    ends = tokenizer.ends(text)
    assert len(ends) == len(tokenizer.encode(text))
    assert ends[-1] == len(text)
    assert (np.diff(ends) >= 0).all()
    at = np.flatnonzero(tokenizer.encode(text) >= inside.size)
    assert [text[ends[i] - 1] for i in at] == [label_character(n) for n, _ in samples]
    assert without_labels(text) == "\n" + "".join(f"{word}\n" for _, word in samples)
    assert tokenizer.unknown_parts(text) == inside.unknown_parts(without_labels(text))


def test_people_read_names() -> None:
    tokenizer = labelled("char")
    ids = tokenizer.encode(f"\n{label_character(2)}anna\n{label_character(0)}b")
    assert tokenizer.decode(ids) == "\na b\tanna\nIrish\tb"
    decode = tokenizer.stream()
    assert "".join(map(decode, ids.tolist())) == "\na b\tanna\nIrish\tb"


@pytest.mark.parametrize("kind", INSIDE)
def test_it_is_written_and_read(kind: str) -> None:
    tokenizer = labelled(kind)
    again = tokenizer_from_json(json.loads(json.dumps(tokenizer.to_json())))
    assert again.to_json() == tokenizer.to_json()
    assert again.size == INSIDE[kind].size + 3
    assert labels_of(again) == list(COUNTS)
    assert inner_kind(again) is type(INSIDE[kind])
    assert labels_of(INSIDE[kind]) == []


@pytest.mark.parametrize(
    "change",
    [
        {"labels": {}},
        {"labels": {"a": "b"}},
        {"labels": ["a"]},
        {"labels": {str(n): 1 for n in range(5_000)}},
        {"tokenizer": {"type": "labelled", "labels": {"a": 1}, "tokenizer": {"type": "byte"}}},
    ],
)
def test_a_damaged_one_is_refused(change) -> None:
    with pytest.raises(ValueError, match=r"labels must|must be an object"):
        tokenizer_from_json(labelled("byte").to_json() | change)


def test_unknown_labels_are_one_clear_error() -> None:
    assert label_id(labelled("byte"), "Greek") == 257
    with pytest.raises(UsageError, match=r"^unknown label 'Iris'.*did you mean 'Irish'"):
        label_id(labelled("byte"), "Iris")
    rule = r"^label = 'Irish' needs a model of labelled samples \(label_column\)$"
    with pytest.raises(UsageError, match=rule):
        label_id(INSIDE["byte"], "Irish")
