"""Memorisation against a search for every passage, and writers known to copy or not."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from rnnlab.config import ComputeSettings, ModelSettings
from rnnlab.data.copies import COPY, find_copies
from rnnlab.data.tokenizer import CharTokenizer
from rnnlab.errors import CorpusError, DivergenceError, UsageError
from rnnlab.lm.compute import Compute
from rnnlab.lm.model import LanguageModel
from rnnlab.lm.ngram_mixture import NGramMixture
from rnnlab.lm.ngram_table import NGramTable
from rnnlab.lm.text_model import TextModel
from rnnlab.probes.memorisation import memorisation, write_by_ngrams

ALPHABET = "abcd\n"
RANDOM = np.random.default_rng(4)
TRAIN, HELD_OUT = ("".join(RANDOM.choice(list(ALPHABET), size)) for size in (3000, 900))
BY_NGRAMS_ALONE = np.array([[0.0, 1.0], [0.0, 0.0]])


def build(order: int = 0, start: int | None = None) -> TextModel:
    """An untrained network; with an order, one that leaves all to n-grams of the training text."""
    tokenizer = CharTokenizer.train(ALPHABET, 0)
    settings = ModelSettings(hidden_size=5, embedding_size=3)
    model = LanguageModel(settings, tokenizer.size, 0, start)
    compute = Compute.choose(ComputeSettings(device="cpu"), settings.cell)
    mixture = None
    if order:
        table = NGramTable.count(tokenizer.encode(TRAIN), tokenizer.size, order)
        mixture = NGramMixture(table, BY_NGRAMS_ALONE)
    return TextModel(model, tokenizer, "none", compute, mixture=mixture)


def longest_copies(text: str) -> list[int]:
    """For every place, the longest passage from there that stands in the training text."""
    return [
        max(size for size in range(len(text) - place + 1) if text[place : place + size] in TRAIN)
        for place in range(len(text))
    ]


def test_every_number_is_that_of_a_search_for_every_passage() -> None:
    model = build()
    found = memorisation(model, TRAIN, HELD_OUT, pieces=4, length=60, seed=2)
    written = model.generate([""] * 4, length=60, temperature=1.0, seed=2)
    begins = np.linspace(0, len(HELD_OUT) - 60, 4).astype(int)
    held_out = [HELD_OUT[begin : begin + 60] for begin in begins]
    ids = model.tokenizer.encode(TRAIN)
    table = NGramTable.count(ids, model.tokenizer.size, 6)
    by_ngrams = write_by_ngrams(model, table, 4, 60, 1.0, 2)
    means = []
    assert found.sources == ("model", "ngram", "held_out")
    for s, texts in enumerate((written, by_ngrams, held_out)):
        lengths = np.array([longest_copies(text) for text in texts])
        assert found.mean[s] == pytest.approx(lengths.mean())
        assert found.high[s] == np.percentile(lengths, 95)
        assert found.longest[s] == lengths.max()
        assert len(found.longest_text[s]) == found.longest[s]
        assert found.longest_text[s] in TRAIN
        assert any(found.longest_text[s] in text for text in texts)
        assert found.counts[s].tolist() == [
            (lengths == size).sum() for size in range(found.counts.shape[1])
        ]
        means.append(lengths.mean(1))
    for s in (1, 2):
        test = stats.ttest_ind(means[0], means[s], equal_var=False).confidence_interval(0.95)
        assert (found.lead_low[s], found.lead_high[s]) == pytest.approx((test.low, test.high))


def test_an_untrained_network_copies_no_more_than_its_controls() -> None:
    found = memorisation(build(), TRAIN, HELD_OUT, length=100)
    assert not found.is_beyond_controls
    assert found.sentences()[1].startswith("Nothing found beyond the control")


def test_a_writer_that_knows_the_text_by_heart_is_found_out() -> None:
    model, shares = build(order=10), []
    low = memorisation(model, TRAIN, HELD_OUT, length=200, temperature=0.3, progress=shares.append)
    assert low.copied_share[0] > 0.5 > low.copied_share[2]
    assert low.longest[0] > COPY
    assert low.lead_low[2] > 0
    assert not low.is_beyond_controls  # for the n-gram model copies as much
    assert shares == sorted(shares)
    assert shares[-1] == 1
    model.mixture = NGramMixture(NGramTable.count(np.arange(5), 6, 2), BY_NGRAMS_ALONE)
    assert low.ngram_order == 10
    assert memorisation(model, TRAIN, length=50).ngram_order == 2


def test_a_model_beyond_its_controls_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A writer that repeats parts of the training text."""

    def parts(self: TextModel, prefixes: list[str], **settings: object) -> list[str]:
        return [TRAIN[100 * n : 100 * n + 90] for n in range(len(prefixes))]

    monkeypatch.setattr(TextModel, "generate", parts)
    found = memorisation(build(), TRAIN, HELD_OUT, length=90)
    texts, whole = [TRAIN[100 * n : 100 * n + 56] for n in range(16)], 900 // 16
    assert found.characters == 16 * whole
    assert found.is_beyond_controls
    assert found.copied_share[0] == 1 == find_copies(texts[0], TRAIN).copied_share
    assert found.longest.tolist()[0] == whole
    assert found.sentences()[1].startswith("The model copies more than its controls")
    assert "100.0% of what the model writes is in copies of 50" in found.sentences()[2]
    assert found.to_dict()["lead_low"]["values"][0] is None


def test_the_ngram_model_writes_by_its_probabilities() -> None:
    model = build()
    table = NGramTable.count(model.tokenizer.encode(TRAIN), model.tokenizer.size, 2)
    start = model.tokenizer.start_ids()
    (p,) = table.predict(start[:, None])
    for temperature in (0.5, 1.0):
        texts = write_by_ngrams(model, table, 4000, 1, temperature, 0)
        drawn = np.bincount(model.tokenizer.encode("".join(texts)), minlength=len(p[0])) / 4000
        expected = p[0] ** (1 / temperature)
        expected[model.tokenizer.unknown_id] = 0
        np.testing.assert_allclose(drawn, expected / expected.sum(), atol=0.03)
    (greedy,) = write_by_ngrams(model, table, 1, 1, 0.0, 0)
    assert model.tokenizer.encode(greedy).tolist() == [p[0].argmax()]


@pytest.mark.parametrize(
    ("settings", "rule"),
    [
        ({"pieces": 1}, "pieces must be 2 or above, not 1"),
        ({"held_out": "abc"}, "a held-out text of 3 characters is too short for 16 pieces"),
        ({"train": "a"}, "a training text of 1 characters has nothing to be copied"),
    ],
)
def test_what_cannot_be_measured_is_refused(settings: dict, rule: str) -> None:
    kind = UsageError if "pieces must" in rule else CorpusError
    with pytest.raises(kind, match=rule):
        memorisation(build(), **{"train": TRAIN, "length": 20} | settings)


def test_models_of_samples_are_refused() -> None:
    with pytest.raises(UsageError, match="needs a model of running text"):
        memorisation(build(start=1), TRAIN)


def test_a_network_that_has_diverged_is_refused() -> None:
    model = build()
    with torch.no_grad():
        model.model.recurrent.weight_hh_l0.fill_(math.nan)
    with pytest.raises(DivergenceError):
        memorisation(model, TRAIN, length=20)
