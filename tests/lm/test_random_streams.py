"""A model's own random numbers: those of torch's default generators, without touching them."""

import copy

import pytest
import torch

from rnnlab.config import ModelSettings
from rnnlab.engines import ENGINES
from rnnlab.lm.compute import CPU
from rnnlab.lm.model import LanguageModel
from rnnlab.lm.random_streams import RandomStreams

SETTINGS = ModelSettings(
    hidden_size=8, embedding_size=5, num_layers=2, input_dropout=0.2, dropout=0.3,
    layer_dropout=0.1, weight_dropout=0.4,
)  # fmt: skip


def outputs(model):
    return model(torch.arange(6).reshape(3, 2), model.zero_state(2), ENGINES["textbook"])[0]


@pytest.mark.parametrize("init", ["torch", "normal", "xavier", "kaiming", "orthogonal"])
@pytest.mark.parametrize("tied", [False, True])
def test_a_seed_gives_the_weights_and_dropout_that_torchs_default_generator_gives(init, tied):
    settings = SETTINGS.model_copy(
        update={"init": init, "tie_weights": tied, "embedding_size": 8 if tied else 5}
    )
    torch.manual_seed(11)
    expected = LanguageModel(settings, 7)
    expected_outputs = [outputs(expected) for _ in range(3)]
    torch.manual_seed(5)
    before = torch.get_rng_state()
    model = LanguageModel(settings, 7, seed=11)
    assert all(map(torch.equal, model.parameters(), expected.parameters()))
    assert all(map(torch.equal, [outputs(model) for _ in range(3)], expected_outputs))
    assert torch.equal(torch.get_rng_state(), before)


def test_without_a_seed_torchs_modules_and_the_model_begin_with_the_same_weights():
    torch.manual_seed(3)
    embedding, output = torch.nn.Embedding(7, 5), torch.nn.Linear(8, 7)
    lstm = torch.nn.LSTM(5, 8, 2)
    torch.manual_seed(3)
    model = LanguageModel(SETTINGS, 7)
    assert torch.equal(model.embedding.weight, embedding.weight)
    assert torch.equal(model.output.weight, output.weight)
    assert torch.equal(model.output.bias, output.bias)
    assert all(map(torch.equal, model.recurrent.parameters(), lstm.parameters()))


def test_a_copy_of_a_model_draws_the_same_numbers_and_takes_none_from_the_original():
    model = LanguageModel(SETTINGS, 7, seed=1)
    copied = copy.deepcopy(model)
    first = outputs(copied)
    assert torch.equal(outputs(model), first)


def test_streams_of_one_device_are_one_generator():
    streams = RandomStreams(4)
    assert streams.on(CPU) is streams.on("cpu")
    assert RandomStreams().on(CPU) is torch.default_generator
