"""Ablation against a loop that sets the memory at each step, and on planted networks."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from planted_network import QUOTES, planted_model, planted_text
from probed_model import TEXT, build

from rnnlab.errors import CorpusError, UsageError
from rnnlab.probes.ablation import WINDOWS, ablation
from rnnlab.probes.reading import Reading
from rnnlab.probes.traces import trace

TOKENS = 161
LENGTH = (TOKENS - 1) // WINDOWS


def bits_by_hand(model, ids, *, layer=0, unit=None, value=None):
    """Bits per character of each window, read one by one; a unit's memory is set at each step."""
    network, cell = model.network(), model.recurrent.cell
    state, found, before = list(model.zero_state(1)), [], []
    with torch.no_grad():
        for t in range(len(ids) - 1):  # the states of the whole network
            before.append(list(state))
            x = F.embedding(torch.tensor([int(ids[t])]), network.embedding)
            for number, weights in enumerate(network.layers):
                state[number] = cell.step(x, state[number], weights)
                x = state[number][0]
        for begin in range(0, LENGTH * WINDOWS, LENGTH):
            state, nats = before[begin], 0.0
            if unit is not None:  # the window begins with the value
                held = [part.clone() for part in state[layer]]
                held[-1][:, unit] = value
                state = [*state[:layer], tuple(held), *state[layer + 1 :]]
            for t in range(begin, begin + LENGTH):
                x = F.embedding(torch.tensor([int(ids[t])]), network.embedding)
                for number, weights in enumerate(network.layers):
                    gates = cell.activations(x, state[number], weights)
                    new = cell.update(gates, state[number])
                    if unit is not None and number == layer:
                        memory = new[-1].clone()
                        memory[:, unit] = value
                        h = (gates[3] * torch.tanh(memory),) if len(new) == 2 else ()
                        new = (*h, memory)
                    state = [*state[:number], new, *state[number + 1 :]]
                    x = new[0]
                logits = F.linear(x, network.output_weight, network.output_bias)
                nats -= logits.log_softmax(1)[0, ids[t + 1]].item()
            found.append(nats / math.log(2) / LENGTH)
    return np.array(found)


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn", "rnn-relu"])
def test_the_cost_is_that_of_setting_the_memory_at_each_step(cell):
    reading = Reading.of(build(cell=cell, num_layers=2, hidden_size=5), TEXT[:TOKENS])
    if cell == "rnn-relu":
        for parameter in reading.model.model.recurrent.parameters():
            parameter.data.mul_(0.5)
    found = ablation(reading)
    ids, model = reading.ids.astype(int), reading.model.model
    memory = trace(reading.first(TOKENS - 1))["c" if cell == "lstm" else "h"]
    whole = bits_by_hand(model, ids)
    assert found.bits_per_character == pytest.approx(whole.mean(), rel=1e-4)
    for layer, unit in ((0, 2), (1, 4)):
        value = float(memory[:, layer, unit].astype(float).mean())
        costs = bits_by_hand(model, ids, layer=layer, unit=unit, value=value) - whole
        assert found.at_mean[layer, unit] == pytest.approx(costs.mean(), abs=2e-4)
        half = 2.364624 * costs.std(ddof=1) / math.sqrt(WINDOWS)  # t of 7 degrees of freedom
        assert found.half_width[layer, unit] == pytest.approx(half, abs=2e-4)
        assert found.variance[layer, unit] == pytest.approx(memory[:, layer, unit].var(), rel=1e-3)


def test_a_unit_that_the_output_needs_stands_out_and_one_that_nothing_reads_costs_nothing():
    model = planted_model(hidden_size=24)
    network = model.model
    with torch.no_grad():
        network.output.weight.mul_(0.01)
        network.output.weight[:, QUOTES] = 0
        # Inside quotes a, outside of them b: the unit decides.
        a, b = model.tokenizer.encode("ab").tolist()
        network.output.weight[a, QUOTES], network.output.weight[b, QUOTES] = 30.0, -30.0
        network.output.bias.zero_()
        network.output.bias[a], network.output.bias[b] = -7.0, 7.0
        network.output.weight[:, 7] = 0
        network.recurrent.weight_hh_l0[:, 7] = 0
    inside = "".join("“" + "a" * 12 + "”" + "b" * 12 for _ in range(60))
    found = ablation(Reading.of(model, inside))
    assert np.argmax(found.at_mean) == QUOTES
    assert found.stands_out[0, QUOTES]
    assert found.at_mean[0, 7] == pytest.approx(0, abs=1e-6)
    assert not found.stands_out[0, 7]
    assert f"Unit {QUOTES} of layer 1 costs most" in found.sentences()[1]
    assert found.control_cost.shape == found.control_variance.shape == (1, 24)


def test_an_untrained_network_has_no_unit_that_stands_out():
    reading = Reading.of(planted_model(hidden_size=12), planted_text(2_000, 3))
    reading.model.model.output.weight.data.mul_(0.01)
    assert ablation(reading).sentences()[0].startswith("Nothing found beyond the control")


def test_what_is_not_possible_is_one_sentence():
    with pytest.raises(CorpusError, match="a text of 16 tokens is too short for an ablation"):
        ablation(Reading.of(build(), TEXT[:16]))
    with pytest.raises(UsageError, match="a model of samples begins each with a memory of zero"):
        ablation(Reading.of(build(start=6), TEXT, is_prepared=True))


@pytest.mark.parametrize("cell", ["lstm", "rnn"])
def test_engines_agree(cell):
    """Those that look tokens up do not multiply by the embedding any more."""
    found = [
        ablation(Reading.of(build(cell=cell, hidden_size=5, engine=engine), TEXT[:TOKENS]))
        for engine in ("textbook", "builtin", "auto")
    ]
    for other in found[1:]:
        np.testing.assert_allclose(other.at_mean, found[0].at_mean, atol=1e-5)
        np.testing.assert_allclose(other.at_another_moment, found[0].at_another_moment, atol=1e-5)
        np.testing.assert_allclose(other.control_cost, found[0].control_cost, atol=1e-5)
