"""Samples: every line is in one split, whatever the order of the file."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnlab.data.samples import as_text, samples_of, split_samples
from rnnlab.errors import CorpusError, UsageError

lines = st.text(st.characters(exclude_characters="\r\n"), min_size=1, max_size=4)
many = st.lists(lines, min_size=20, max_size=80)
SHARES = (0.8, 0.1, 0.1)


@given(samples=many)
@settings(max_examples=200, derandomize=True)
def test_samples_survive_as_a_text(samples: list[str]) -> None:
    text = as_text(samples)
    assert text[0] == text[-1] == "\n"
    assert text.count("\n") == len(samples) + 1
    assert samples_of(text) == samples
    assert samples_of(text.replace("\n", "\r\n\n")) == samples


@given(samples=many, seed=st.integers(0, 3), random=st.randoms(use_true_random=False))
@settings(max_examples=200, derandomize=True)
def test_shuffled_splits_do_not_depend_on_the_order_of_the_file(samples, seed, random) -> None:
    found = split_samples(samples, SHARES, "shuffled", seed)
    other = random.sample(samples, len(samples))
    assert split_samples(other, SHARES, "shuffled", seed) == found
    together = [sample for own in found.splits.values() for sample in own]
    assert Counter(together) == Counter(samples)
    sets = [set(own) for own in found.splits.values()]
    assert sum(map(len, sets)) == len(set(samples))
    assert found.repeated == len(samples) - len(set(samples))
    assert found.left_out == 0


@given(samples=many)
@settings(max_examples=200, derandomize=True)
def test_splits_in_the_order_of_the_file_leave_out_what_was_there_before(samples) -> None:
    found = split_samples(samples, SHARES, "file", 0)
    train = round(len(samples) * 0.8)
    assert found.splits["train"] == samples[:train]
    for earlier, later in (("train", "validation"), ("train", "test"), ("validation", "test")):
        assert not {*found.splits[earlier]} & {*found.splits[later]}
    assert sum(map(len, found.splits.values())) + found.left_out == len(samples)


def test_shares_are_met_and_another_seed_is_another_split() -> None:
    samples = [f"sample {n}" for n in range(1000)]
    found = [split_samples(samples, SHARES, "shuffled", seed).splits for seed in (0, 1)]
    assert [len(own) for own in found[0].values()] == [800, 100, 100]
    assert found[0] != found[1]
    counted = split_samples(samples, (20, 5, 0), "shuffled", 0).splits
    assert [len(own) for own in counted.values()] == [20, 5, 0]


def test_too_few_samples_are_one_clear_error() -> None:
    with pytest.raises(UsageError, match=r"^split asks for 25 samples; the corpus has 3$"):
        split_samples(["a", "b", "c"], (20, 5, 0), "shuffled", 0)
    with pytest.raises(CorpusError, match=r"^no training samples: the corpus has 0 lines with te"):
        split_samples([], SHARES, "shuffled", 0)
