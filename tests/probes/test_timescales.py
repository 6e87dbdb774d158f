"""Timescales of networks in which they are known."""

import math

import numpy as np
import pytest
import torch
from probed_model import TEXT, build

from rnnlab.errors import CorpusError, UsageError
from rnnlab.probes.reading import Reading
from rnnlab.probes.timescales import timescales

TAUS = [2.0, 5.0, 15.0, 50.0]


def planted(cell, gate_row, sign):
    """Units that do not hear each other, whose keeping gate has one value: exp(-1/τ)."""
    model = build(cell=cell, hidden_size=len(TAUS)).model
    with torch.no_grad():
        model.recurrent.weight_hh_l0.zero_()
        for unit, tau in enumerate(TAUS):
            row = gate_row * len(TAUS) + unit
            keep = math.exp(-1 / tau)
            model.recurrent.weight_ih_l0[row] = 0
            model.recurrent.bias_hh_l0[row] = 0
            model.recurrent.bias_ih_l0[row] = sign * math.log(keep / (1 - keep))
    return model


@pytest.mark.parametrize(("cell", "row"), [("lstm", 1), ("gru", 1)])
def test_times_are_those_that_were_planted(cell, row):
    text_model = build(cell=cell, hidden_size=len(TAUS))
    text_model.model.load_state_dict(planted(cell, row, 1).state_dict())
    found = timescales(Reading.of(text_model, TEXT))
    assert found.gate_name == {"lstm": "f", "gru": "z"}[cell]
    np.testing.assert_allclose(found.tau[0], TAUS, rtol=1e-4)
    np.testing.assert_allclose(found.measured[0], TAUS, rtol=0.02)
    assert found.agreement == pytest.approx(1)
    assert found.sentences()[1].startswith("1 of 4 units keep longer than 20 tokens, untrained 0.")


def test_an_untrained_network_keeps_nothing():
    reading = Reading.of(build(seed=0, hidden_size=16), TEXT)
    for parameter in reading.model.model.parameters():
        parameter.data.div_(2)  # as a seed gives them
    assert timescales(reading, seed=0).sentences()[1].startswith("Nothing found beyond the control")


def test_what_is_not_possible_is_one_sentence():
    with pytest.raises(UsageError, match="cell 'rnn' has no gate that keeps"):
        timescales(Reading.of(build(cell="rnn"), TEXT))
    with pytest.raises(CorpusError, match="a text of 100 tokens is too short to follow a change"):
        timescales(Reading.of(build(), TEXT[:100]))
