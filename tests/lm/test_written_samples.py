"""Samples that are written: the same in any batch, and none that is not wanted."""

import numpy as np
import pytest
import torch

from rnnlab.config import GenerationSettings
from rnnlab.data.tokenizer import CharTokenizer
from rnnlab.engines import ENGINES
from rnnlab.errors import UsageError
from rnnlab.lm import written_samples
from rnnlab.lm.compute import Compute
from rnnlab.lm.text_model import TextModel
from rnnlab.lm.written_samples import write_samples

SETTINGS = GenerationSettings(length=12, temperature=1.0, seed=3)


@pytest.fixture(params=["builtin", "native"])
def model(make_model, request):
    tokenizer = CharTokenizer.train("\nab\n")
    network = make_model(tokenizer.size, init="normal", init_std=0.8)
    network.start = int(tokenizer.encode("\n")[0])
    with torch.no_grad():
        network.output.bias[network.start] -= 1
        network.output.bias[tokenizer.unknown_id] -= 40  # it is never written
    return TextModel(network, tokenizer, "none", Compute(ENGINES[request.param]))


def test_samples_do_not_depend_on_how_many_are_written_at_once(model, monkeypatch):
    found = list(write_samples(model, 100, SETTINGS))
    assert [sample.number for sample in found] == list(range(100))
    assert all("\n" not in sample.text for sample in found)
    assert all(sample.has_ended or len(sample.text) == 12 for sample in found)
    monkeypatch.setattr(written_samples, "BATCH", 7)
    assert list(write_samples(model, 30, SETTINGS)) == found[:30]
    other = write_samples(model, 30, SETTINGS.model_copy(update={"seed": 4}))
    assert [sample.text for sample in other] != [sample.text for sample in found[:30]]


def test_samples_are_as_frequent_as_they_are_likely(model):
    """Against the probabilities of `score`."""
    texts = [sample.text for sample in write_samples(model, 3_000, SETTINGS)]
    for text in ("", "a", "b", "ab"):
        p = np.exp(-model.score([text]).nats[0])
        share, error = np.mean([each == text for each in texts]), np.sqrt(p * (1 - p) / 3_000)
        assert abs(share - p) < 4 * error + 1e-3


def test_unique_and_new_samples(model):
    found = [sample.text for sample in write_samples(model, 20, SETTINGS, unique=True)]
    assert len(found) == len(set(found)) == 20
    rest = [s.text for s in write_samples(model, 5, SETTINGS, unique=True, known=found[:10])]
    assert not {*rest} & {*found[:10]}
    assert rest[:5] == found[10:15]


def test_it_ends_where_nothing_new_comes(model):
    with torch.no_grad():
        model.model.output.bias[model.model.start] += 50
    assert [sample.text for sample in write_samples(model, 3, SETTINGS)] == ["", "", ""]
    assert [sample.text for sample in write_samples(model, 3, SETTINGS, unique=True)] == [""]
    assert not list(write_samples(model, 3, SETTINGS, known=[""]))


def test_a_prefix_and_another_end(model):
    for sample in write_samples(model, 20, SETTINGS, prefix="ab", stop="b"):
        assert sample.text.startswith("ab")
        assert "b" not in sample.text[2:]
        assert sample.has_ended or len(sample.text) == 14


@pytest.mark.parametrize("change", [{"temperature": 0.0}, {"beam_width": 3, "temperature": 0.8}])
def test_what_is_not_drawn_at_random_is_refused(model, change):
    with pytest.raises(
        UsageError, match=r"^samples are drawn at random; they need a temperature ab"
    ):
        next(write_samples(model, 3, SETTINGS.model_copy(update=change)))
