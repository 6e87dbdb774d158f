"""Surprise against the model's own score, and against sums over the whole vocabulary."""

import math

import numpy as np
import pytest
import torch
from probed_model import TEXT, build

from rnnlab.errors import CorpusError, UsageError
from rnnlab.lm.evaluate import ngram_nats, target_nats
from rnnlab.probes import surprise as module
from rnnlab.probes.reading import Reading
from rnnlab.probes.surprise import surprise

CASES = [{"with_ngrams": True}, {}, {"cell": "gru", "num_layers": 2, "with_ngrams": True}]


@pytest.mark.parametrize("options", CASES, ids=str)
@pytest.mark.parametrize("cells", [100, 10**6])
def test_bits_are_those_of_the_score(options, cells, monkeypatch):
    monkeypatch.setattr(module, "MAX_CELLS", cells)  # read in parts of some tokens, or at once
    model = build(**options)
    reading = Reading.of(model, TEXT[:300])
    found = surprise(reading)
    nats = target_nats(model.model, model.compute, reading.ids, "carried", mixture=model.mixture)
    np.testing.assert_allclose(found.bits * math.log(2), nats, rtol=1e-4, atol=1e-5)
    alone = target_nats(model.model, model.compute, reading.ids, "carried")
    np.testing.assert_allclose(found.network_bits * math.log(2), alone, rtol=1e-4, atol=1e-5)
    if model.mixture is None:
        assert found.ngram_bits is None
    else:
        ngram = ngram_nats(model.mixture.table, reading.ids, "carried")
        np.testing.assert_allclose(found.ngram_bits * math.log(2), ngram, rtol=1e-6)
    assert "".join(found.tokens) == reading.text
    assert found.characters == 299


def test_entropy_rank_and_alternatives_are_those_of_all_probabilities():
    model = build()
    reading = Reading.of(model, TEXT[:100])
    V = model.tokenizer.size
    found = surprise(reading, alternatives=V)
    np.testing.assert_allclose(found.probabilities.sum(1), 1, rtol=1e-5)
    assert (np.diff(found.probabilities, axis=1) <= 0).all()
    assert (np.sort(found.alternatives, axis=1) == np.arange(V)).all()
    with torch.no_grad():
        logits, _ = model.model(
            torch.from_numpy(reading.ids[:-1, None].astype(np.int64)), model.model.zero_state(1),
            model.compute.engine,
        )  # fmt: skip
    for t, p in enumerate(logits[:, 0].double().softmax(1).numpy()):
        own = p[reading.ids[t + 1]]
        assert found.entropy[t] == pytest.approx(-sum(q * math.log2(q) for q in p), rel=1e-5)
        assert found.rank[t] == 1 + sum(q > own for q in p)
        assert found.probabilities[t] == pytest.approx(sorted(p, reverse=True), rel=1e-4)
    assert surprise(reading, alternatives=2).alternatives.shape == (99, 2)


def test_what_is_not_possible_is_one_sentence():
    with pytest.raises(CorpusError, match="a text of 1 tokens is too short for a probe; it needs"):
        Reading.of(build(), "a")
    with pytest.raises(UsageError, match="alternatives must be 1 or above, not 0"):
        surprise(Reading.of(build(), "ab"), alternatives=0)


def test_unknown_characters_are_counted():
    reading = Reading.of(build(), "abXYX")
    assert reading.unknown == {"X": 2, "Y": 1}
    said = surprise(reading).sentences()
    assert said[1] == "3 tokens not in the vocabulary, read as <unk>: 'X', 'Y'."
    assert surprise(reading).tokens == ("a", "b", "X", "Y", "X")
