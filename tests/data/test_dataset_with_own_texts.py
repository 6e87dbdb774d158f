"""Validation and test texts of their own, and documents: in memory and streamed."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnlab.config import DataSettings
from rnnlab.data.dataset import Dataset, load_dataset
from rnnlab.data.samples import assign_with_own, shown
from rnnlab.data.splits import SPLITS, parts_of_divided
from rnnlab.data.streaming_limits import STREAMING_LIMITS
from rnnlab.errors import CorpusError, UsageError

LONG = replace(STREAMING_LIMITS, from_bytes=1)


def load(folder: Path, *, long: bool = False, **values: Any) -> Dataset:
    names = {
        setting: tuple(str(folder / name) for name in values.pop(setting, ()))
        for setting in ("corpus", "validation_corpus", "test_corpus")
    }
    settings = DataSettings(**names, **values)  # type: ignore[arg-type]
    return load_dataset(settings, limits=LONG if long else STREAMING_LIMITS)


def alike(one: Dataset, other: Dataset) -> bool:
    return (
        one.samples == other.samples
        and one.corpus.sha256 == other.corpus.sha256
        and one.tokenizer.to_json() == other.tokenizer.to_json()
        and one.splits.keys() == other.splits.keys()
        and all(
            part.text == other.splits[name].text
            and (part.all_ids == other.splits[name].all_ids).all()
            and part.documents == other.splits[name].documents
            for name, part in one.splits.items()
        )
    )


@pytest.fixture
def texts(tmp_path: Path, cache: Path) -> Path:
    rng = np.random.default_rng(0)
    words = ["anna", "ben", "cleo", "emil"]
    for name, count in {"one": 600, "two": 300, "valid": 40, "test": 40}.items():
        lines = [f"{rng.choice(words)} {rng.integers(400)}" for _ in range(count)]
        (tmp_path / f"{name}.txt").write_text("\n".join([*lines, f"only in {name}: {name[0]}Q"]))
    return tmp_path


@pytest.mark.parametrize("own", [("test",), ("validation",), ("validation", "test")])
@pytest.mark.parametrize("tokenizer", ["char", "word", "bpe"])
def test_a_running_text_with_texts_of_its_own(
    texts: Path, own: tuple[str, ...], tokenizer: str
) -> None:
    names = {f"{split}_corpus": (f"{split[:5]}.txt",) for split in own}
    how: dict[str, Any] = {"corpus": ("one.txt", "two.txt"), "tokenizer": tokenizer, **names}
    found = load(texts, **how)
    assert alike(found, load(texts, long=True, **how))
    assert alike(found, load(texts, long=True, **how))  # from the cache
    for split in own:
        assert found.splits[split].text == (texts / f"{split[:5]}.txt").read_text()
    whole = (texts / "one.txt").read_text() + "\n" + (texts / "two.txt").read_text()
    cut = "".join(found.splits[name].text for name in SPLITS if name not in own)
    assert cut == whole
    alone = load(texts, corpus=how["corpus"], tokenizer=tokenizer, vocabulary="train",
                 split=parts_of_divided((0.9, 0.05, 0.05), own))  # fmt: skip
    assert alone.tokenizer.to_json() == found.tokenizer.to_json()  # nothing of the held-out texts
    assert alone.splits["train"].text == found.splits["train"].text
    assert alone.corpus.sha256 != found.corpus.sha256


@pytest.mark.parametrize("own", [("test",), ("validation",), ("validation", "test")])
@pytest.mark.parametrize("order", ["shuffled", "file"])
def test_samples_with_texts_of_their_own(texts: Path, own: tuple[str, ...], order: str) -> None:
    names = {f"{split}_corpus": (f"{split[:5]}.txt",) for split in own}
    how: dict[str, Any] = {"corpus": ("one.txt", "two.txt"), "unit": "lines", **names}
    found = load(texts, split_order=order, **how)
    assert alike(found, load(texts, long=True, split_order=order, **how))
    samples = {name: part.text[1:-1].split("\n") for name, part in found.splits.items()}
    lines = {name: (texts / f"{name}.txt").read_text().split("\n")
             for name in ("one", "two", "valid", "test")}  # fmt: skip
    if "test" in own:
        assert Counter(samples["test"]) == Counter(lines["test"])
    if "validation" in own:
        kept = [n for n in lines["valid"] if "test" not in own or n not in lines["test"]]
        assert Counter(samples["validation"]) == Counter(kept)
    taken = {line for split in own for line in lines[split[:5]]}
    rest = Counter(line for line in lines["one"] + lines["two"] if line not in taken)
    divided = Counter(line for name in SPLITS if name not in own for line in samples[name])
    assert found.samples
    if order == "shuffled":
        assert divided == rest
    assert found.samples.also_held_out == 902 - rest.total() > 0
    for one, other in (("train", "validation"), ("train", "test"), ("validation", "test")):
        assert not {*samples[one]} & {*samples[other]}


@given(
    st.lists(st.integers(0, 12), min_size=1, max_size=40),
    st.lists(st.integers(0, 12), max_size=10),
    st.lists(st.integers(0, 12), max_size=10),
    st.sampled_from(["shuffled", "file"]),
)
def test_who_has_a_sample(
    corpus: list[int], validation: list[int], test: list[int], order: str
) -> None:
    """Test texts keep all, validation texts what the test text does not have."""
    own = {"validation": np.array(validation, np.uint64), "test": np.array(test, np.uint64)}
    keys = np.array(corpus, np.uint64)
    left = [key for key in corpus if key not in {*validation, *test}]
    if not left:
        with pytest.raises(CorpusError, match="no training samples"):
            assign_with_own(keys, own, (0.9, 0.05, 0.05), order, 0)
        return
    found = assign_with_own(keys, own, (0.9, 0.05, 0.05), order, 0)
    everything = np.array([*corpus, *validation, *test])
    by_split = {name: Counter(everything[found.members(name)].tolist()) for name in SPLITS}
    assert by_split["train"] == Counter(left)
    assert by_split["validation"] == Counter(key for key in validation if key not in test)
    assert by_split["test"] == Counter(test)
    assert found.also_held_out == len(corpus) - len(left)
    assert found.also_in_test == len(validation) - by_split["validation"].total()


def test_numbers_for_a_split_with_a_text_of_its_own_are_refused(texts: Path) -> None:
    with pytest.raises(UsageError, match=r"^split asks for 9 from the corpus for the test split"):
        load(texts, corpus=("one.txt",), test_corpus=("test.txt",), split=(100, 10, 9))
    for name in ("-", "auto"):
        with pytest.raises(ValueError, match="a held-out text is a file"):
            DataSettings(test_corpus=(name,))


@pytest.fixture
def documents(tmp_path: Path, cache: Path) -> Path:
    rng = np.random.default_rng(1)
    folder = tmp_path / "documents"
    for number in range(120):
        lines = [f"  {rng.choice(['if', 'for', 'x'])} {rng.integers(9)}" for _ in range(3)]
        place = folder / str(number % 3) / f"{number}.txt"
        place.parent.mkdir(parents=True, exist_ok=True)
        text = "same\n\nin many" if number % 10 == 0 else "\n".join(lines) + f"\n\n\tend {number}"
        place.write_bytes(f"{text}\r\n \n".encode())
    (folder / "only white.txt").write_text(" \n\n ")
    (folder / "long.txt").write_text("abc\nd ef\n" * 5_000)
    return folder


@pytest.mark.parametrize("order", ["shuffled", "file"])
@pytest.mark.parametrize("tokenizer", ["char", "byte", "word", "bpe"])
def test_documents_keep_their_line_breaks(documents: Path, order: str, tokenizer: str) -> None:
    how: dict[str, Any] = {"unit": "documents", "split_order": order, "tokenizer": tokenizer}
    found = load(documents.parent, corpus=("documents",), **how)
    assert alike(found, load(documents.parent, corpus=("documents",), long=True, **how))
    read = {file.read_bytes().decode().rstrip() for file in documents.rglob("*.txt")} - {""}
    seen = Counter[str]()
    places = dict[str, set[str]]()
    for name, part in found.splits.items():
        own = [shown(sample) for sample in part.text[1:-1].split("\n")]
        seen.update(own)
        for sample in own:
            places.setdefault(sample, set()).add(name)
        starts = np.flatnonzero(part.ids == found.start)
        assert len(starts) == len(own) + 1
        written = found.tokenizer.decode(part.ids[starts[0] + 1 : starts[1]])
        assert "<unk>" in written or shown(written) == own[0]
    assert {*seen} == read
    assert all(len(names) == 1 for names in places.values())
    if order == "shuffled":
        assert seen["same\n\nin many"] == 12


def test_records_of_documents_keep_their_line_breaks(documents: Path) -> None:
    table = documents.parent / "table.csv"
    table.write_text('text\n"a\nb"\n' + "".join(f'"{n}\n\n{n}"\n' for n in range(50)))
    found = load(documents.parent, corpus=("table.csv",), unit="documents", column="text")
    samples = [shown(s) for part in found.splits.values() for s in part.text[1:-1].split("\n")]
    assert Counter(samples) == Counter(["a\nb", *(f"{n}\n\n{n}" for n in range(50))])


def test_a_document_that_is_too_long_is_one_clear_error(
    documents: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rnnlab.data.samples.LONGEST_SAMPLE", 1_000)
    with pytest.raises(CorpusError, match=r"^file .*/long\.txt has more than 1,000 characters"):
        load(documents.parent, corpus=("documents",), unit="documents")
