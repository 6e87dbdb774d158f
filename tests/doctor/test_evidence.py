"""Measurements of texts and weights, on models and texts whose answer is known."""

import numpy as np
import pytest
import torch

from rnnlab.config import ModelSettings
from rnnlab.doctor.activity import LayerActivity, _Variation, weight_facts
from rnnlab.doctor.text_levels import text_levels
from rnnlab.lm.model import LanguageModel

V, H = 7, 6
IDS = np.random.default_rng(0).integers(0, V, 2000)


def build(seed=3, **settings):
    torch.manual_seed(seed)
    return LanguageModel(ModelSettings(**{"hidden_size": H, "embedding_size": 4} | settings), V)


def test_the_unigram_level_is_the_entropy_and_a_bigram_gains_where_order_counts():
    uniform = text_levels(IDS, V, {})
    assert uniform.tokens == 2000
    assert uniform.unigram_nats == pytest.approx(np.log(V), abs=0.01)
    assert uniform.gain_by_one_token < 0.02
    cycle = text_levels(np.arange(2000) % V, V, {})
    assert cycle.unigram_nats == pytest.approx(np.log(V), abs=1e-4)
    assert cycle.gain_by_one_token > 0.9


@pytest.mark.parametrize("cell", ["rnn", "rnn-relu", "gru", "lstm"])
def test_untrained_weights_have_not_moved_and_others_have_by_what_was_added(cell):
    model = build(cell=cell, num_layers=2)
    before = torch.random.get_rng_state()
    assert weight_facts(model, 3, IDS).moved == 0
    assert torch.equal(before, torch.random.get_rng_state())
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.1
    assert weight_facts(model, 3, IDS).moved == pytest.approx(0.1 * (3 * H) ** 0.5, rel=1e-4)
    assert weight_facts(model, 4, IDS).moved > 0.5


def test_gates_driven_to_an_end_are_counted_there():
    model = build()
    with torch.no_grad():
        model.recurrent.bias_ih_l0[:H] = -50  # i
        model.recurrent.bias_ih_l0[H : 2 * H] = 50  # f
        model.recurrent.bias_ih_l0[3 * H : 3 * H + 2] = 50  # o of two units
    shares = [(g.gate.name, g.low_share, g.high_share) for g in weight_facts(model, 3, IDS).gates]
    assert shares[:2] == [("i", 1, 0), ("f", 0, 1)]
    assert shares[3] == ("o", 0, pytest.approx(2 / H))


@pytest.mark.parametrize("num_layers", [1, 2])
def test_units_that_never_change_are_counted_in_their_layer(num_layers):
    model = build(cell="rnn-relu", num_layers=num_layers)
    last = f"l{num_layers - 1}"
    with torch.no_grad():
        model.recurrent.get_parameter(f"bias_ih_{last}")[:2] = -50
        for name in (f"weight_ih_{last}", f"weight_hh_{last}"):
            model.recurrent.get_parameter(name)[2] = 0
        model.recurrent.get_parameter(f"bias_ih_{last}")[2] = 1
        model.recurrent.get_parameter(f"bias_hh_{last}")[2] = 0
        model.recurrent.get_parameter(f"bias_ih_{last}")[3:] = 1
    layer = weight_facts(model, 3, IDS).layers[-1]
    assert (layer.layer, layer.units, layer.dead, layer.silent) == (num_layers, H, 3, 2)


def test_a_layer_without_any_change_is_dead_as_a_whole():
    model = build()
    with torch.no_grad():
        for parameter in model.recurrent.parameters():
            parameter.zero_()
    (layer,) = weight_facts(model, 3, IDS).layers
    assert (layer.dead, layer.silent) == (H, H)


def test_one_unit_that_has_run_away_does_not_make_the_others_dead():
    spread = _Variation()
    h = torch.ones(2, 40)
    h[0] += 0.1 * torch.arange(40)  # the first is dead
    h[1, 39] = 1e4
    spread.add(h)
    assert spread.activity(1) == LayerActivity(1, 40, dead=1, silent=0)


def test_a_text_of_two_tokens_can_be_read():
    facts = weight_facts(build(), 3, IDS[:2])
    assert facts.layers[0].units == H
    assert text_levels(IDS[:2], V, {}).gain_by_one_token == 0
