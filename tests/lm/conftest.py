"""What several tests of the language model need."""

import numpy as np
import pytest
import torch

from rnnlab.config import ModelSettings
from rnnlab.lm.model import LanguageModel


def build(vocabulary_size=7, *, seed=0, **settings):
    torch.manual_seed(seed)
    base = {"hidden_size": 8, "embedding_size": 5}
    return LanguageModel(ModelSettings(**base | settings), vocabulary_size)


@pytest.fixture
def make_model():
    """A function that builds a tiny model: vocabulary size, seed, model settings."""
    return build


@pytest.fixture(scope="session")
def sharp_model():
    """An LSTM over 7 tokens whose large weights make one token clearly the likeliest; copy it
    before you change it."""
    model = build(7, init="normal", init_std=0.7, num_layers=2, dropout=0.5)
    with torch.no_grad():
        model.output.weight.mul_(3)
    return model


@pytest.fixture(scope="session")
def cycle():
    """A function that returns N ids 0 1 .. 6 0 1 .., a text that can be learned by heart."""
    return lambda length: np.arange(length, dtype=np.int64) % 7


@pytest.fixture
def output_types():
    """A function that gives a set which gathers the types of the logits that a model computes."""

    def watch(model):
        types = set()
        model.output.register_forward_hook(lambda _module, _inputs, out: types.add(out.dtype))
        return types

    return watch
