"""Folds: each part of a text is held out once, and nothing of it is in the training text."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnlab.config import DataSettings, Settings
from rnnlab.data.dataset import Dataset, load_dataset
from rnnlab.data.samples import assign_samples, sample_keys
from rnnlab.data.splits import SPLITS, fold_ends, is_held_out
from rnnlab.data.streaming_limits import STREAMING_LIMITS
from rnnlab.errors import UsageError

quickly = settings(max_examples=60, deadline=None, derandomize=True)
TEXT = "".join(map(chr, range(0x4E00, 0x4E00 + 600)))
"""Every character occurs once, so each tells where it was."""


def dataset(folder: Path, *texts: str, limits: Any = STREAMING_LIMITS, **values: Any) -> Dataset:
    files = [folder / f"{number}.txt" for number in range(len(texts))]
    for file, text in zip(files, texts, strict=True):
        file.write_text(text, encoding="utf-8", newline="")
    return load_dataset(DataSettings(corpus=tuple(map(str, files)), **values), limits=limits)


@given(size=st.integers(1, 500), count=st.integers(2, 12))
@quickly
def test_folds_are_all_of_the_text_and_as_equal_as_can_be(size: int, count: int) -> None:
    if size < count:
        with pytest.raises(UsageError, match=f"needs at least {count} parts, not {size}$"):
            fold_ends(size, (1, count))
        return
    found = [fold_ends(size, (number, count)) for number in range(1, count + 1)]
    assert [begin for begin, _ in found] == [0, *(end for _, end in found[:-1])]
    assert found[-1][1] == size
    lengths = [end - begin for begin, end in found]
    assert max(lengths) - min(lengths) <= 1


@pytest.mark.parametrize("number", [1, 2, 3, 4])
@pytest.mark.parametrize("long", [False, True], ids=["in-memory", "streamed"])
def test_a_fold_is_the_test_split_and_the_rest_follows_it_in_a_circle(
    tmp_path: Path, number: int, long: bool, cache: Path
) -> None:
    limits = replace(STREAMING_LIMITS, from_bytes=1, chunk_bytes=50) if long else STREAMING_LIMITS
    found = dataset(tmp_path, TEXT, limits=limits, fold=f"{number}/4", split=(0.7, 0.2, 0.1),
                    vocabulary="text")  # fmt: skip
    begin, end = 150 * (number - 1), 150 * number
    rest = TEXT[end:] + TEXT[:begin]
    own = {name: found.tokenizer.decode(part.all_ids) for name, part in found.splits.items()}
    assert own == {"train": rest[:350], "validation": rest[350:], "test": TEXT[begin:end]}
    joined = len(TEXT) - end
    assert found.splits["train"].seams == ((joined,) if 0 < joined < 350 else ())
    assert found.state_resets("train") == found.splits["train"].seams
    assert found.splits["test"].seams == ()


def test_a_seam_may_lie_in_the_validation_split(tmp_path: Path) -> None:
    found = dataset(tmp_path, TEXT, fold="2/10", split=(0.5, 0.5, 0.0))
    assert found.splits["validation"].text == TEXT[390:] + TEXT[:60]
    assert found.splits["validation"].seams == (210,)
    assert found.splits["train"].seams == ()


@pytest.mark.parametrize("steps", [3, 7])
def test_no_window_reaches_across_the_seam(tmp_path: Path, steps: int) -> None:
    data = {"fold": "2/3", "num_steps": steps, "batch_size": 4, "split": (0.9, 0.1, 0.0)}
    found = dataset(tmp_path, TEXT, **data)
    batches = found.batches(DataSettings(**data))
    first, last = (int(found.tokenizer.encode(c)[0]) for c in (TEXT[0], TEXT[-1]))
    for seed in range(5):
        _, pairs = batches.epoch(np.random.default_rng(seed))
        for number, (inputs, targets) in enumerate(pairs):
            fresh = batches.fresh_rows(number)
            assert fresh is not None
            for row in range(4):
                window = [int(inputs[0, row]), *targets[:, row].tolist()]
                text = found.tokenizer.decode(window)
                assert text in TEXT or (first in window and last in window[-2:])
                assert not (first in window[1:] and last in window[:-2])


def test_folds_of_several_texts_end_between_two_of_them(tmp_path: Path) -> None:
    texts = [TEXT[a:b] for a, b in ((0, 180), (180, 330), (330, 410), (410, 600))]
    expected = [(texts[0],), (texts[1], texts[2]), (texts[3],)]
    for number, own in enumerate(expected, start=1):
        found = dataset(tmp_path, *texts, fold=f"{number}/3", split_at="documents",
                        vocabulary="text")  # fmt: skip
        assert found.splits["test"].text.replace("\n", "") == "".join(own)
    with pytest.raises(UsageError, match=r"leaves one of 5 folds without a text; .* has 4 that"):
        dataset(tmp_path, *texts, fold="1/5", split_at="documents")


@given(
    samples=st.lists(st.sampled_from("abcdefghijklmnop"), min_size=12, max_size=60),
    count=st.integers(2, 5),
    order=st.sampled_from(["shuffled", "file"]),
)
@quickly
def test_samples_are_held_out_once_and_never_known_from_training(
    samples: list[str], count: int, order: str
) -> None:
    keys = sample_keys(samples)
    tested: list[int] = []
    for number in range(1, count + 1):
        found = assign_samples(keys, (0.8, 0.2, 0.0), order, 3, (number, count))
        own = {name: [samples[i] for i in found.members(name)] for name in SPLITS}
        assert not set(own["train"]) & {*own["validation"], *own["test"]}
        assert not set(own["validation"]) & set(own["test"])
        if order == "shuffled":
            tested += found.members("test").tolist()
        else:
            begin, end = fold_ends(len(samples), (number, count))
            rest = samples[end:] + samples[:begin]
            learned = rest[: round(0.8 * len(rest))]
            assert sorted(own["train"]) == sorted(learned)
            known = set(rest)
            assert own["test"] == [s for s in samples[begin:end] if s not in known]
    if order == "shuffled":
        assert sorted(tested) == list(range(len(samples)))


def test_a_fold_is_held_out_whatever_the_split_says() -> None:
    assert is_held_out(DataSettings(fold="1/3", split=(1.0, 0.0, 0.0)), "test")
    assert not is_held_out(DataSettings(fold="1/3", split=(0.5, 0.0, 0.5)), "validation")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"fold": "0/3"}, "fold: a fold is K/N, such as 2/5: part K of N, with N at least 2 and K "
         "at most N, not '0/3'"),
        ({"fold": "4/3"}, "fold: a fold is K/N, such as 2/5: part K of N, with N at least 2 and K "
         "at most N, not '4/3'"),
        ({"fold": "1/3", "split": (100, 10, 10)}, "fold needs a split by shares: they say how the "
         "text outside of the fold is divided into train and validation"),
        ({"fold": "1/3", "test_corpus": ("a.txt",)}, "fold makes the test split; it cannot be "
         "combined with test_corpus"),
        ({"fold": "1/3", "canaries": 2}, "fold cannot be combined with canaries"),
    ],
)  # fmt: skip
def test_folds_that_make_no_sense_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as refused:
        Settings.from_flat(values)
    assert str(refused.value) == f"settings: {message}"
