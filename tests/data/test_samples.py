"""Samples: every line is in one split, whatever the order of the file."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnlab.data import samples as module
from rnnlab.data.samples import as_text, assign_samples, sample_keys, samples_of
from rnnlab.data.splits import SPLITS
from rnnlab.errors import CorpusError, UsageError

lines = st.text(st.characters(exclude_characters="\n"), min_size=1, max_size=4).filter(
    lambda line: line == line.rstrip()
)
many = st.lists(lines, min_size=20, max_size=80)
SHARES = (0.8, 0.1, 0.1)


def split(samples: list[str], order: str, seed: int = 0, parts=SHARES) -> dict[str, list[str]]:
    found = assign_samples(sample_keys(samples), parts, order, seed)
    splits = {name: [samples[i] for i in found.members(name)] for name in SPLITS}
    assert found.counts == {name: len(own) for name, own in splits.items()}
    assert found.repeated == len(samples) - len(set(samples))
    used = sum(found.counts.values())
    assert (found.left_out == len(samples) - used) or sum(parts) > 1
    return splits


@given(samples=many, cut=st.integers(1, 9))
@settings(max_examples=200, derandomize=True)
def test_samples_survive_as_a_text(samples: list[str], cut: int) -> None:
    text = as_text(samples)
    assert text[0] == text[-1] == "\n"
    assert text.count("\n") == len(samples) + 1
    for found in (text, text.replace("\n", " \r\n\n"), text[1:-1]):
        assert list(samples_of(found[i : i + cut] for i in range(0, len(found), cut))) == samples


@given(samples=many, seed=st.integers(0, 3), random=st.randoms(use_true_random=False))
@settings(max_examples=200, derandomize=True)
def test_shuffled_splits_do_not_depend_on_the_order_of_the_file(samples, seed, random) -> None:
    found = split(samples, "shuffled", seed)
    assert split(random.sample(samples, len(samples)), "shuffled", seed) == found
    together = [sample for own in found.values() for sample in own]
    assert Counter(together) == Counter(samples)
    assert sum(len(set(own)) for own in found.values()) == len(set(samples))


@given(samples=many)
@settings(max_examples=200, derandomize=True)
def test_splits_in_the_order_of_the_file_leave_out_what_was_there_before(samples) -> None:
    found = split(samples, "file")
    first, second = (round(len(samples) * share) for share in (0.8, 0.9))
    assert found["train"] == samples[:first]
    assert found["validation"] == [s for s in samples[first:second] if s not in samples[:first]]
    assert found["test"] == [s for s in samples[second:] if s not in samples[:second]]


def test_shares_are_met_and_another_seed_is_another_split() -> None:
    samples = [f"sample {n}" for n in range(1000)]
    found = [split(samples, "shuffled", seed) for seed in (0, 1)]
    assert [len(own) for own in found[0].values()] == [800, 100, 100]
    assert found[0] != found[1]
    counted = split(samples, "shuffled", parts=(20, 5, 0))
    assert [len(own) for own in counted.values()] == [20, 5, 0]


def test_equal_samples_are_far_apart() -> None:
    """A split that has one sample often does not have all of them in one place."""
    samples = [f"sample {n}" for n in range(500)] + ["often"] * 500
    train = next(own for own in split(samples, "shuffled").values() if "often" in own)
    at = np.flatnonzero([sample == "often" for sample in train])
    assert len(at) == 500
    assert np.diff(at).max() < 20


def test_too_few_samples_are_one_clear_error() -> None:
    with pytest.raises(UsageError, match=r"^split asks for 25 samples; the corpus has 3$"):
        split(["a", "b", "c"], "shuffled", parts=(20, 5, 0))
    with pytest.raises(
        CorpusError, match=r"^no training samples: the corpus has 0 samples with te"
    ):
        split([], "shuffled")


def test_a_line_that_is_too_long_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LONGEST_SAMPLE", 5)
    rule = r"^line 2 has more than 5 characters, which is too long for a sample \(--unit text re"
    for pieces in (["12345\n123456\n1"], ["12345\n", *"123456", *(["7"] * 10_000)]):
        with pytest.raises(CorpusError, match=rule):
            list(samples_of(iter(pieces)))
