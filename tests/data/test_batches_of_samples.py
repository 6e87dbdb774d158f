"""Batches of samples: every token once, each sample whole, in another order each epoch."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnlab.data.batches import SampleBatches
from rnnlab.errors import CorpusError

START = 3


def samples_of(rng):
    """Samples of 1 to 6 tokens, so many that every batch can be filled."""
    return [rng.integers(4, 10, rng.integers(1, 7)).tolist() for _ in range(rng.integers(90, 201))]


def stream(parts):
    return np.array([START, *(token for part in parts for token in [*part, START])])


def rows_of(batches, rng):
    """Inputs and targets (B, count * T) of an epoch."""
    count, pairs = batches.epoch(rng)
    found = list(pairs)
    assert len(found) == count
    return [np.concatenate([pair[i] for pair in found]).T for i in (0, 1)]


@given(seed=st.integers(0, 2**32), B=st.integers(1, 3), T=st.integers(1, 9))
@settings(max_examples=100, derandomize=True)
def test_rows_are_whole_samples_and_targets_their_next_tokens(seed, B, T):
    rng = np.random.default_rng(seed)
    parts = samples_of(rng)
    ids = stream(parts)
    batches = SampleBatches(ids, B, T, START)
    inputs, targets = rows_of(batches, rng)
    known = sorted(map(tuple, parts))
    read = []
    for x, y in zip(inputs.tolist(), targets.tolist(), strict=True):
        assert x[0] == START
        assert y[:-1] == x[1:]
        cuts = [i for i, token in enumerate(x) if token == START]
        read += [tuple(x[a + 1 : b]) for a, b in pairwise(cuts)]
    for sample in read:
        known.remove(sample)  # none is read twice


def test_each_epoch_has_another_order_and_can_be_entered_anywhere():
    rng = np.random.default_rng(0)
    batches = SampleBatches(stream([list(rng.integers(4, 9, 5)) for _ in range(300)]), 4, 8, START)
    epochs = [rows_of(batches, np.random.default_rng(seed)) for seed in (1, 1, 2)]
    assert (epochs[0][0] == epochs[1][0]).all()
    assert (epochs[0][0] != epochs[2][0]).any()
    _, all_ = batches.epoch(np.random.default_rng(1))
    _, later = batches.epoch(np.random.default_rng(1), 5)
    for one, two in zip(list(all_)[5:], later, strict=True):
        assert (one[0] == two[0]).all()
        assert (one[1] == two[1]).all()


def test_almost_nothing_is_left_out():
    rng = np.random.default_rng(0)
    ids = stream([list(rng.integers(4, 9, rng.integers(1, 12))) for _ in range(2_000)])
    inputs, _ = rows_of(SampleBatches(ids, 8, 16, START), rng)
    assert inputs.size > 0.98 * len(ids)


def test_a_sample_that_is_longer_than_a_row_is_cut():
    ids = stream([[4] * 1000, [5], [6]])
    inputs, targets = rows_of(SampleBatches(ids, 4, 8, START), np.random.default_rng(0))
    assert inputs.size > 0.95 * len(ids)
    assert (targets[:, :-1] == inputs[:, 1:]).all()


def test_too_few_tokens_are_one_clear_error():
    with pytest.raises(CorpusError, match=r"^text too short: batch_size 4 x num_steps 8 needs a"):
        SampleBatches(stream([[4], [5]]), 4, 8, START)
