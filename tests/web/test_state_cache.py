"""States that are kept: the same bits as from reading all anew, and bounded memory."""

import gc
import weakref
from pathlib import Path

import numpy as np
import pytest

import rnnlab
from rnnlab.lm.text_model import TextModel
from rnnlab.web.state_cache import RememberingReader, StateCache


@pytest.fixture(scope="module")
def model(shelf: Path) -> TextModel:
    return rnnlab.load(shelf / "pets", threads=1)


def read(model: TextModel, cache: StateCache, ids: list[int], variant: bytes = b"") -> list[bytes]:
    """The logits after each of the ids that had to be read."""
    reader = RememberingReader(model, cache, cache.beginning(model, variant))
    begin = reader.skip(ids[:-1], lambda: None)
    return [reader.read(token).tobytes() for token in ids[begin:]]


def test_a_text_goes_on_from_any_place_to_the_same_bits(model: TextModel) -> None:
    cache, ids = StateCache(), model.tokenizer.encode("The cat sees the dog. " * 9).tolist()
    whole = read(model, cache, ids)
    assert len(whole) == len(ids)
    for place in (1, 2, 77, len(ids)):
        assert read(model, cache, ids[:place]) == whole[place - 1 : place]
        changed = [*ids[: place - 1], (ids[place - 1] + 1) % model.tokenizer.size]
        found = read(model, cache, changed)
        assert (len(found), found[0]) == (1, read(model, StateCache(), changed)[-1])
        assert found[0] != whole[place - 1]
    assert len(read(model, cache, [*ids, 1, 2, 3])) == 3


def test_each_model_and_variant_has_its_own_states(model: TextModel, shelf: Path) -> None:
    cache, ids = StateCache(), [1, 2, 3, 4]
    read(model, cache, ids)
    assert len(read(model, cache, ids)) == 1
    assert len(read(model, cache, ids, b"held")) == 4
    other = rnnlab.load(shelf / "pets", threads=1)
    assert len(read(other, cache, ids)) == 4
    assert cache.beginning(other) == cache.beginning(other) != cache.beginning(model)
    gone = weakref.ref(other)
    del other
    gc.collect()
    assert gone() is None


def test_states_are_forgotten_when_there_are_too_many(model: TextModel) -> None:
    cache = StateCache()
    reader = RememberingReader(model, cache, cache.beginning(model))
    reader.read(1)
    size = len(reader.state())
    cache, ids = StateCache(5 * size), np.random.default_rng(0).integers(1, 9, 30).tolist()
    whole = read(model, cache, ids)
    assert len(read(model, cache, [*ids[:28], 5])) == 1
    assert read(model, cache, ids[:20]) == whole[:20]  # forgotten, and so read anew


def test_others_have_their_turn_while_a_long_text_is_looked_for(model: TextModel) -> None:
    cache, turns = StateCache(), list[int]()
    reader = RememberingReader(model, cache, cache.beginning(model))
    assert reader.skip([1] * 30_000, lambda: turns.append(1)) == 0
    assert len(turns) == 3
