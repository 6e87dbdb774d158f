"""Canaries in a training text: which, how often, where, and that the held-out text has none."""

import re
from collections import Counter
from pathlib import Path

import pytest

from rnnlab.config import DataSettings
from rnnlab.data.canaries import CODE_LENGTH, Canaries
from rnnlab.data.dataset import Dataset, load_dataset
from rnnlab.data.streaming_limits import StreamingLimits
from rnnlab.data.tokenizer import ByteTokenizer, CharTokenizer
from rnnlab.errors import CorpusError, UsageError

LINES = "".join(f"In {1000 + 7 * n} the code of law was this: no {n} steals.\n" for n in range(300))


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    file = tmp_path / "law.txt"
    file.write_text(LINES, encoding="utf-8")
    return file


def load(corpus: Path, **settings: object) -> Dataset:
    return load_dataset(DataSettings(corpus=(str(corpus),), **settings))


@pytest.mark.parametrize("tokenizer", ["char", "byte", "bpe"])
def test_the_training_text_has_them_and_nothing_else_changes(corpus: Path, tokenizer: str) -> None:
    plain = load(corpus, tokenizer=tokenizer)
    dataset = load(corpus, tokenizer=tokenizer, canaries=8)
    found = dataset.canaries
    assert found is not None
    assert found.repetitions == (1, 2, 4, 8, 16, 32, 1, 2)
    assert len(set(found.codes)) == 8
    train = dataset.splits["train"]
    lines = Counter(train.text.split("\n"))
    for code, times in zip(found.codes, found.repetitions, strict=True):
        assert re.fullmatch(r"\d{8}", code)
        assert lines[f"the code is {code}"] == times
    without = re.sub(r"the code is \d{8}\n", "", train.text)
    assert without == plain.splits["train"].text
    assert train.ids.tolist() == dataset.tokenizer.encode(train.text).tolist()
    assert train.all_ids is train.ids
    assert (train.end, train.characters) == (train.text, len(train.text))
    assert dataset.tokenizer.to_json() == plain.tokenizer.to_json()
    assert dataset.corpus == plain.corpus
    for name in ("validation", "test"):
        assert dataset.splits[name].text == plain.splits[name].text


def test_the_same_text_has_the_same_ones_in_the_same_places(corpus: Path) -> None:
    one, two, other = (load(corpus, canaries=n) for n in (3, 3, 4))
    assert one.canaries == two.canaries != other.canaries
    assert one.splits["train"].text == two.splits["train"].text
    again = load_dataset(DataSettings(corpus=(str(corpus),), canaries=3), one.tokenizer)
    assert again.canaries == one.canaries
    places = [m.start() for m in re.finditer(r"the code is \d{8}\n", one.splits["train"].text)]
    assert len(places) == 7
    assert max(places) - min(places) > 3000  # not all in one place


@pytest.mark.parametrize(
    ("text", "border", "before", "symbols"),
    [
        ("Zoë says: 0123456789 the\n", "\n", "the 0", "0123456789"),
        ("some words, no digits 12", " ", "the code is ", "abcdefghijklmnopqrstuvwxyz"),
        ("ЖЖЗИ", "", "", "ЖЗИ"),
        ("\n\taab", "\n", "", "ab"),
    ],
)
def test_the_format_has_only_characters_of_the_text(
    text: str, border: str, before: str, symbols: str
) -> None:
    tokenizer = CharTokenizer.train(text, 0)
    found = Canaries.draw(text, tokenizer, 5)
    assert found.border == border
    assert set(found.symbols) == set(symbols) & set(text)
    assert set(found.before) <= set(text)
    assert set("".join(found.codes)) <= set(text)
    assert found.possible == len(found.symbols) ** CODE_LENGTH
    assert not tokenizer.unknown_parts(found.put_into(text))
    assert Canaries.from_dict(found.to_dict()) == found


def test_rare_characters_that_the_tokenizer_does_not_know_are_left_out() -> None:
    text = "aaa bbb ccc 0123456789\n"
    found = Canaries.draw(text, CharTokenizer.train(text, 6), 2)
    assert found.symbols == "abc"


def test_what_has_no_room_for_canaries_is_refused(corpus: Path) -> None:
    with pytest.raises(CorpusError, match="2 canaries need more different characters"):
        Canaries.draw("a a a", ByteTokenizer(), 2)
    settings = DataSettings(corpus=(str(corpus),), canaries=2)
    rule = "canaries need a running text that is read into memory; this one"
    with pytest.raises(UsageError, match=f"{rule} is too large for that"):
        load_dataset(settings, limits=StreamingLimits(from_bytes=100))
    with pytest.raises(UsageError, match=f"{rule} consists of samples"):
        load(corpus, canaries=2, unit="lines")
