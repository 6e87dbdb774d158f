"""Searches in networks of several layers, and of words and BPE, against NumPy's correlations."""

import numpy as np
import pytest
import torch
from planted_network import COUNTER, QUOTES, planted_model, planted_text

from rnnlab.config import DataSettings, ModelSettings
from rnnlab.data.tokenizer import train_tokenizer
from rnnlab.lm.model import LanguageModel
from rnnlab.lm.text_model import TextModel
from rnnlab.probes.decoding import decoding
from rnnlab.probes.decoding_settings import DecodingSettings
from rnnlab.probes.features import features_of
from rnnlab.probes.following import following
from rnnlab.probes.following_settings import FollowingSettings
from rnnlab.probes.reading import Reading
from rnnlab.probes.states import Halves
from rnnlab.probes.traces import trace

FAST = {"shifts": 40, "least_shift": 60, "twins": 3}


def with_second_layer(**settings) -> TextModel:
    """The planted network as the first of two layers; the second is random."""
    planted = planted_model()
    sizes = ModelSettings(cell="lstm", hidden_size=6, input="one-hot", num_layers=2)
    network = LanguageModel(sizes, planted.tokenizer.size, 7)
    with torch.no_grad():
        for name, values in planted.model.recurrent.named_parameters():
            network.recurrent.get_parameter(name).copy_(values)
    return TextModel(network, planted.tokenizer, "none", planted.compute)


@pytest.fixture(scope="module")
def layered() -> Reading:
    return Reading.of(with_second_layer(), planted_text(6_000, 5))


def test_planted_units_are_found_in_their_layer(layered):
    found = following(layered, FollowingSettings(**FAST))
    assert found.r.shape[:3] == (2, 2, 6)
    units = {(one.layer, one.unit): one.feature for one in found.found()}
    assert units[0, COUNTER] == "position in line"
    assert units[0, QUOTES] == "inside quotes"
    assert f"Unit {QUOTES} of layer 1 (" in " ".join(found.sentences())


def test_the_layer_that_knows_is_named(layered):
    pytest.importorskip("sklearn")
    found = decoding(layered, DecodingSettings(**FAST))
    assert found.score.shape[:2] == (2, 2)
    known = {one.feature: one for one in found.found()}
    assert known["inside quotes"].layer == 0
    assert known["inside quotes"].score > 0.95
    assert "'inside quotes' can be read from" in " ".join(found.sentences())
    second = found.score[:, 1, found.features.index("inside quotes")]
    assert known["inside quotes"].score >= second.max()


@pytest.mark.parametrize("kind", ["word", "bpe"])
def test_correlations_of_words_and_bpe_are_those_of_numpy(kind):
    text = planted_text(16_000, 2)
    tokenizer = train_tokenizer(DataSettings(tokenizer=kind, bpe_size=300), text)
    network = LanguageModel(ModelSettings(hidden_size=5, embedding_size=4), tokenizer.size, 1)
    reading = Reading.of(TextModel(network, tokenizer, "none", planted_model().compute), text)
    reading = reading.first(2_000)
    settings = FollowingSettings(**FAST, least_changes=10)
    found = following(reading, settings)
    traced = trace(reading)
    _, test = Halves.of(len(reading), settings.least_shift, 2 * settings.least_shift + 40)
    features = {feature.name: feature.values for feature in features_of(reading).all}
    assert "inside quotes" in found.features
    assert found.r.shape == (2, 1, 5, len(found.features))
    for p, part in enumerate(found.parts):
        for f, name in enumerate(found.features):
            for unit in range(5):
                r = np.corrcoef(traced[part][test, 0, unit], features[name][test])[0, 1]
                assert found.r[p, 0, unit, f] == pytest.approx(r, abs=1e-5)


@pytest.mark.parametrize("kind", ["word", "bpe"])
def test_an_untrained_network_of_words_or_bpe_knows_nothing(kind):
    pytest.importorskip("sklearn")
    text = planted_text(16_000, 2)
    tokenizer = train_tokenizer(DataSettings(tokenizer=kind, bpe_size=300), text)
    network = LanguageModel(ModelSettings(hidden_size=5, embedding_size=4), tokenizer.size, 1)
    reading = Reading.of(TextModel(network, tokenizer, "none", planted_model().compute), text)
    found = decoding(reading.first(2_000), DecodingSettings(**FAST, least_changes=10))
    assert found.score.shape == (2, 1, len(found.features))
    assert not found.known.any()  # it is untrained
