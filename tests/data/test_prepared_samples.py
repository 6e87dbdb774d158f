"""Samples of a corpus: held in memory or streamed, they are the same."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rnnlab.config import DataSettings
from rnnlab.data import prepared_samples as module
from rnnlab.data.dataset import Dataset, load_dataset
from rnnlab.data.labelled_tokenizer import labels_of
from rnnlab.data.streaming_limits import STREAMING_LIMITS
from rnnlab.errors import CorpusError

WORDS = ["anna", "ben", "cleo", "d\u00f6rte", "emil  ", "", "  fritz"]


@pytest.fixture
def corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(module, "CHARACTERS_IN_MEMORY", 2_000)  # so that there are many files
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    rng, file = np.random.default_rng(0), tmp_path / "names.txt"
    lines = [" ".join(rng.choice(WORDS, 3)) + str(rng.integers(300)) for _ in range(2_000)]
    file.write_text("\n".join(lines), encoding="utf-8")
    return file


def load(file: Path, long: bool, **values: object) -> Dataset:
    settings = DataSettings(corpus=(str(file),), unit="lines", **values)  # type: ignore[arg-type]
    limits = replace(STREAMING_LIMITS, from_bytes=1) if long else STREAMING_LIMITS
    return load_dataset(settings, limits=limits)


@pytest.mark.parametrize("order", ["shuffled", "file"])
@pytest.mark.parametrize("tokenizer", ["char", "byte", "word", "bpe"])
def test_a_stream_gives_the_same_splits(corpus: Path, order: str, tokenizer: str) -> None:
    short = load(corpus, False, split_order=order, tokenizer=tokenizer)
    for dataset in (load(corpus, True, split_order=order, tokenizer=tokenizer) for _ in range(2)):
        assert dataset.samples == short.samples
        assert dataset.tokenizer.to_json() == short.tokenizer.to_json()
        for name, own in short.splits.items():
            assert dataset.splits[name].text == own.text
            assert (dataset.splits[name].all_ids == own.all_ids).all()


@pytest.mark.parametrize("tokenizer", ["char", "byte", "word", "bpe"])
def test_every_sample_begins_and_ends_with_the_start(corpus: Path, tokenizer: str) -> None:
    dataset = load(corpus, False, tokenizer=tokenizer)
    assert dataset.samples
    for name, count in dataset.samples.counts.items():
        ids = dataset.splits[name].ids
        assert ids[0] == ids[-1] == dataset.start
        assert (ids == dataset.start).sum() == count + 1
        parts = np.split(ids, np.flatnonzero(ids == dataset.start))[1:-1]
        samples = dataset.splits[name].text[1:-1].split("\n")
        for part, sample in zip(parts, samples, strict=True):
            assert (part[1:] == dataset.tokenizer.encode(sample)).all()


def test_a_sorted_file_gives_the_same_splits(corpus: Path) -> None:
    before = load(corpus, False)
    corpus.write_text("\n".join(sorted(corpus.read_text("utf-8").split("\n"))), "utf-8")
    after = load(corpus, False)
    assert {n: s.text for n, s in after.splits.items()} == {
        n: s.text for n, s in before.splits.items()
    }


def test_the_limit_counts_samples(corpus: Path) -> None:
    assert sum(load(corpus, False, corpus_limit=50).samples.counts.values()) == 50


@pytest.fixture
def table(corpus: Path) -> Path:
    rng, file = np.random.default_rng(1), corpus.parent / "table.csv"
    rows = [
        f"{rng.choice(['x', 'y y', 'z'])},{line}" for line in corpus.read_text("utf-8").split("\n")
    ]
    file.write_text("kind,name\n" + "\n".join(rows), encoding="utf-8")
    return file


@pytest.mark.parametrize("tokenizer", ["char", "byte", "word", "bpe"])
def test_labelled_samples_in_memory_and_streamed(table: Path, tokenizer: str) -> None:
    how = {"column": "name", "label_column": "kind", "tokenizer": tokenizer}
    short, long = load(table, False, **how), load(table, True, **how)
    assert short.tokenizer.to_json() == long.tokenizer.to_json()
    assert labels_of(short.tokenizer) == ["x", "y y", "z"]
    assert short.samples
    assert sum(short.tokenizer.to_json()["labels"].values()) == short.samples.counts["train"]
    for name, own in short.splits.items():
        assert (own.all_ids == long.splits[name].all_ids).all()
        after = own.ids[np.flatnonzero(own.ids == short.start)[:-1] + 1]
        assert (after >= short.tokenizer.size - 3).all()  # each sample begins with its label
        assert ((own.ids >= short.tokenizer.size - 3).sum()) == short.samples.counts[name]
    again = load_dataset(DataSettings(corpus=(str(table),), unit="lines", **how), short.tokenizer)
    assert (again.splits["test"].ids == short.splits["test"].ids).all()


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["x,a", ",b"], "file .*table.csv, record 2: the label is empty"),
        (
            ["x,a", "x,b"],
            "corpus '.*': all samples have the label 'x'; there is nothing to tell ap",
        ),
        (["x,a", "y,b"], "file .*table.csv has no column 'kin'; did you mean 'kind'"),
    ],
)
def test_bad_labels_are_one_clear_error(table: Path, rows: list[str], message: str) -> None:
    table.write_text("kind,name\n" + "\n".join(rows))
    with pytest.raises(CorpusError, match=message):
        load(table, False, column="name", label_column="kin" if "kin'" in message else "kind")
