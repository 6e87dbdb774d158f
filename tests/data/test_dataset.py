import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnlab.config import DataSettings
from rnnlab.data.batches import DocumentBatches, RandomBatches, SequentialBatches
from rnnlab.data.dataset import Dataset, load_dataset
from rnnlab.data.splits import SPLITS, split_sizes
from rnnlab.data.tokenizer import CharTokenizer
from rnnlab.errors import CorpusError, UsageError

moderate = settings(max_examples=100, deadline=None, derandomize=True)


def dataset(folder: Path, text: str, **values: Any) -> Dataset:
    file = folder / "text.txt"
    file.write_text(text, encoding="utf-8", newline="")
    return load_dataset(DataSettings(corpus=(str(file),), **values))


@given(text=st.text(max_size=300), cuts=st.tuples(st.integers(1, 100), st.integers(0, 100)))
@moderate
def test_shares_cut_the_whole_text_into_contiguous_parts(text: str, cuts: tuple[int, int]) -> None:
    first, last = cuts[0], max(cuts)
    shares = (first / 100, (last - first) / 100, (100 - last) / 100)
    sizes = split_sizes(len(text), shares)
    assert list(sizes) == ["train", "validation", "test"]
    assert sum(sizes.values()) == len(text)
    for size, share in zip(sizes.values(), shares, strict=True):
        assert abs(size - share * len(text)) <= 1


@given(
    text=st.text(max_size=300),
    counts=st.tuples(st.integers(2, 99), st.integers(0, 99), st.integers(0, 99)),
)
@moderate
def test_counts_cut_exactly_so_many_characters(
    text: str, counts: tuple[float, float, float]
) -> None:
    if sum(counts) > len(text):
        with pytest.raises(UsageError, match=f"asks for {sum(counts)} .* has {len(text)}$"):
            split_sizes(len(text), counts)
        return
    assert tuple(split_sizes(len(text), counts).values()) == counts


def test_a_split_larger_than_the_text_is_refused() -> None:
    with pytest.raises(UsageError, match=r"^split asks for 15000 characters; the text has 5000$"):
        split_sizes(5000, (10_000, 2_500, 2_500))


def test_the_default_is_90_5_5(tmp_path: Path) -> None:
    found = dataset(tmp_path, "".join(map(chr, range(100, 300))))
    assert [len(found.splits[name].text) for name in SPLITS] == [180, 10, 10]
    assert found.splits["train"].text == "".join(map(chr, range(100, 280)))
    assert found.held_out == ["validation", "test"]


@pytest.mark.parametrize("kind", ["char", "byte", "word", "bpe"])
def test_every_split_holds_its_text_and_the_ids_of_that_text(kind: str, tmp_path: Path) -> None:
    text = "the cat and the hat, the mat é\n" * 40
    found = dataset(tmp_path, text, tokenizer=kind, bpe_size=280)
    assert "".join(found.splits[name].text for name in SPLITS) == text
    for part in found.splits.values():
        assert found.tokenizer.decode(part.ids) == part.text


def test_the_vocabulary_is_that_of_the_training_split_alone(tmp_path: Path) -> None:
    found = dataset(tmp_path, "ab" * 45 + "xyxyxyxyxy", split=(0.9, 0.05, 0.05))
    assert isinstance(found.tokenizer, CharTokenizer)
    assert found.tokenizer.characters == "ab"
    assert found.splits["validation"].ids.tolist() == [0] * 5


def test_the_vocabulary_is_that_of_the_whole_text_where_asked_for(tmp_path: Path) -> None:
    text = "ab" * 10 + "xyz"
    found = dataset(tmp_path, text, vocabulary="text", corpus_limit=10, split=(1, 0, 0))
    assert found.splits["train"].text == "ab" * 5
    assert isinstance(found.tokenizer, CharTokenizer)
    assert set(found.tokenizer.characters) == set("abxyz")


@pytest.mark.parametrize("kind", ["char", "word", "bpe"])
def test_nothing_is_learned_from_held_out_text(kind: str, tmp_path: Path) -> None:
    train = "so it goes on and on\n" * 9
    learned = [
        dataset(tmp_path, train + held_out, tokenizer=kind, bpe_size=400, split=(len(train), 60, 0))
        for held_out in ("zq zq zq " * 10, "on and on " * 10)
    ]
    first, second = (found.tokenizer.to_json() for found in learned)
    assert first == second
    if kind == "bpe":
        zq = learned[0].tokenizer.encode("zq")
        assert zq.tolist() == [int(learned[0].tokenizer.encode(c)[0]) for c in "zq"]


def test_a_tokenizer_that_is_given_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "text.txt"
    file.write_text("abcabc")
    given_one = CharTokenizer("ca")
    settings = DataSettings(corpus=(str(file),), split=(1, 0, 0))
    found = load_dataset(settings, given_one)
    assert found.tokenizer is given_one
    assert found.splits["train"].ids.tolist() == [2, 0, 1, 2, 0, 1]


@pytest.mark.parametrize(
    ("kind", "kept"),
    [("char", "ab cd "), ("byte", "ab cd "), ("word", "ab cd ef gh é é"), ("bpe", "ab cd ")],
)
def test_the_limit_keeps_the_first_tokens(kind: str, kept: str, tmp_path: Path) -> None:
    values = {"tokenizer": kind, "split": (1, 0, 0), "bpe_size": 257}
    found = dataset(tmp_path, "ab cd ef gh é é ij", corpus_limit=6, **values)
    assert found.splits["train"].text == kept
    whole = dataset(tmp_path, "ab cd ef gh é é ij", corpus_limit=0, **values)
    assert whole.splits["train"].text == "ab cd ef gh é é ij"


def test_the_limit_counts_after_preprocessing(tmp_path: Path) -> None:
    found = dataset(
        tmp_path, "--A1 B2!\n--Cd", preprocessing="letters", corpus_limit=4, split=(1, 0, 0)
    )
    assert found.splits["train"].text == "a bc"


def test_parts_that_predict_nothing_are_left_out(tmp_path: Path) -> None:
    found = dataset(tmp_path, "x" * 30, split=(27, 1, 2))
    assert list(found.splits) == ["train", "test"]
    assert found.held_out == ["test"]
    assert dataset(tmp_path, "x" * 30, split=(1, 0, 0)).held_out == []


def test_a_training_split_without_a_target_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CorpusError) as caught:
        dataset(tmp_path, "x" * 5, split=(0.2, 0.4, 0.4))
    assert str(caught.value) == (
        "text too short: a training split of 1 characters holds fewer than two tokens"
    )


def test_a_text_of_which_nothing_is_left_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        CorpusError, match=r"^corpus '.*text.txt': nothing is left .* preprocessing 'letters'$"
    ):
        dataset(tmp_path, "1234 5678", preprocessing="letters")


@pytest.mark.parametrize(
    ("batching", "kind"), [("sequential", SequentialBatches), ("random", RandomBatches)]
)
def test_batches_are_of_the_training_split(batching: str, kind: type, tmp_path: Path) -> None:
    values = {"batching": batching, "batch_size": 2, "num_steps": 3}
    found = dataset(tmp_path, "".join(map(chr, range(97, 117))), split=(0.5, 0.3, 0.2), **values)
    batches = found.batches(DataSettings(**values))
    assert type(batches) is kind
    assert np.array_equal(batches.ids, found.splits["train"].ids)
    assert (batches.batch_size, batches.num_steps) == (2, 3)
    with pytest.raises(CorpusError, match=r"^text too short: batch_size 8 x num_steps 3 needs"):
        found.batches(DataSettings(batching=batching, batch_size=8, num_steps=3))


def test_documents_begin_where_they_did_when_parts_of_the_text_are_left_out(tmp_path: Path) -> None:
    texts = [chr(97 + k) * 20 + "\n" for k in range(5)]
    for k, text in enumerate(texts):
        (tmp_path / f"{k}.txt").write_text(text)
    values: Any = {
        "corpus": tuple(str(tmp_path / f"{k}.txt") for k in range(5)),
        "split": (1.0, 0.0, 0.0), "document_state": "reset", "batch_size": 1, "num_steps": 2,
    }  # fmt: skip
    found = load_dataset(DataSettings(**values))
    begins = (0, *found.splits["train"].documents)
    assert begins == (0, 21, 42, 63, 84)
    parts = (slice(0, 5), slice(30, 34), slice(60, 70))
    batches = found.batches(DataSettings(**values), parts)
    assert isinstance(batches, DocumentBatches)
    rest = texts[0][5:] + texts[1][:9] + texts[1][13:] + texts[2][:18] + texts[3][7:] + texts[4]
    assert found.tokenizer.decode(batches.ids.tolist()) == rest
    assert batches.documents == (0, 16, 33, 51, 65)


def test_the_time_machine_in_letters_has_170580_characters_and_28_symbols() -> None:
    found = load_dataset(
        DataSettings(
            corpus=("timemachine",),
            data_dir=real_data(),
            preprocessing="letters",
            vocabulary="text",
            corpus_limit=10_000,
            split=(1, 0, 0),
        )
    )
    assert found.tokenizer.size == 28
    assert len(found.splits["train"].ids) == 10_000
    assert found.splits["train"].text.startswith("the time machine by h g wells")
    whole = load_dataset(
        DataSettings(corpus=("timemachine",), data_dir=real_data(), preprocessing="letters")
    )
    assert sum(len(part.ids) for part in whole.splits.values()) == 170_580
    assert [len(whole.splits[name].ids) for name in SPLITS] == [153_522, 8_529, 8_529]
    assert whole.tokenizer.size == 28


def real_data() -> str:
    """The folder that holds timemachine.txt, which is not in the repository."""
    next_to_checkout = Path(__file__).parents[2].parent / "shared" / "data"
    for folder in [*os.environ.get("RNNLAB_DATA", "").split(os.pathsep), str(next_to_checkout)]:
        if folder and (Path(folder) / "timemachine.txt").is_file():
            return folder
    pytest.skip("timemachine.txt is neither in RNNLAB_DATA nor in ../shared/data")


def test_a_word_vocabulary_of_nothing_but_unknown_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "text.txt"
    file.write_text("one two two " * 3)
    with pytest.raises(CorpusError) as caught:
        load_dataset(DataSettings(corpus=(str(file),), tokenizer="word", min_frequency=9))
    assert str(caught.value) == (
        "word tokenizer: no word of the training text occurs min_frequency = 9 times"
    )
