"""The gate learns from parts of the training text that neither network nor n-grams have seen."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnlab.config import ModelSettings
from rnnlab.config.settings import MachineSettings
from rnnlab.lm.compute import Compute
from rnnlab.lm.model import LanguageModel
from rnnlab.lm.ngram_joining import MAX_COUNTED, MAX_GATE_TOKENS, CountedNGrams, gate_slices
from rnnlab.lm.ngram_mixture import mixed


@given(st.integers(3, 10_000_000), st.booleans())
def test_the_parts_kept_are_in_order_and_small(tokens: int, samples: bool) -> None:
    parts = gate_slices(tokens, 0 if samples else None)
    places = [place for part in parts for place in (part.start, part.stop)]
    assert places == sorted(places)
    assert parts[0].start == 0
    assert places[-1] < tokens
    assert sum(part.stop - part.start for part in parts) == max(
        2, min(tokens // 20, MAX_GATE_TOKENS)
    )


def test_half_of_them_are_spread_over_a_long_text() -> None:
    assert gate_slices(1_000_000) == (
        slice(0, 2500),
        slice(200_000, 200_625),
        slice(400_000, 400_625),
        slice(600_000, 600_625),
        slice(800_000, 800_625),
    )
    alone = (slice(0, MAX_GATE_TOKENS),)
    assert gate_slices(1_000_000, start=3) == alone
    assert gate_slices(MAX_COUNTED + 1) == alone
    assert gate_slices(99_000) == (slice(0, 4950),)


def test_n_grams_are_counted_without_them() -> None:
    ids = np.arange(200_000) % 7
    ids[40_000:40_625] = 7
    ids[:2500] = 7
    counted = CountedNGrams.count(ids, 8, 2)
    assert not np.isin(7, counted.table.orders[0].symbols)
    assert [len(part) for part in counted.kept] == [2500, 625, 625, 625, 625]
    np.testing.assert_array_equal(counted.kept[1], 7)


@pytest.mark.parametrize("tokens", [3, 4, 40, 300, 2500, 99_000, 100_000, 200_000])
def test_targets_are_kept_tokens_each_at_most_once(tokens: int) -> None:
    parts = gate_slices(tokens)
    ids = np.arange(tokens)
    counted = CountedNGrams.count(np.zeros(tokens, np.int64), 2, 2)
    counted = CountedNGrams(counted.table, tuple(ids[part] for part in parts), 0.0)
    inputs, targets = counted._columns()
    warm_up = len(inputs) - len(targets)
    np.testing.assert_array_equal(inputs[warm_up + 1 :], targets[:-1])
    np.testing.assert_array_equal(np.diff(inputs, axis=0), 1)
    kept = np.concatenate(counted.kept)
    assert np.isin(targets, kept).all()
    assert np.isin(inputs, kept).all()
    assert len(np.unique(targets)) == targets.size
    if len(parts) > 1:
        assert targets.size > 0.75 * len(kept)


def test_a_beginning_that_is_copied_does_not_decide_the_gate() -> None:
    rng = np.random.default_rng(0)
    text = rng.integers(0, 16, 110_000)
    text[50_000:55_000] = text[:5_000]
    model = LanguageModel(ModelSettings(hidden_size=8), 16, seed=0)
    compute = Compute.choose(MachineSettings(), "lstm")
    mixture = CountedNGrams.count(text, 16, 8).join(model, compute)
    new = rng.integers(0, 16, (2_001, 1))
    log_q = np.log(np.concatenate(list(mixture.table.predict(new[:-1]))))
    log_p = np.full_like(log_q, -np.log(16))
    found = mixed(mixture.gate, log_p, log_q)
    nats = -found[np.arange(2_000), new[1:, 0]].mean()
    assert nats < np.log(16) + 0.1
