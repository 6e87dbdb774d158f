"""Saturation against counts one by one."""

import numpy as np
import pytest
from probed_model import TEXT, build

from rnnlab.errors import UsageError
from rnnlab.probes.reading import Reading
from rnnlab.probes.saturation import saturation
from rnnlab.probes.traces import trace
from rnnlab.probes.twin import untrained_twin

ENDS = {"r": (0.1, 0.9), "z": (0.1, 0.9), "n": (-0.8, 0.8), "h": (-0.8, 0.8), "i": (0.1, 0.9),
        "f": (0.1, 0.9), "g": (-0.8, 0.8), "o": (0.1, 0.9)}  # fmt: skip


@pytest.mark.parametrize(("cell", "gates"), [("lstm", "ifgo"), ("gru", "rzn"), ("rnn", "h")])
def test_shares_are_those_of_counts(cell, gates):
    reading = Reading.of(build(cell=cell, num_layers=2), TEXT[:200])
    found = saturation(reading, seed=5)
    assert "".join(found.gates) == gates
    twin = untrained_twin(reading.model, 5)
    for model, low, high in (
        (reading.model, found.low, found.high), (twin, found.twin_low, found.twin_high),
    ):  # fmt: skip
        traced = trace(Reading.of(model, TEXT[:200]))
        for g, gate in enumerate(gates):
            values = traced[gate]
            bottom, top = ENDS[gate]
            for layer, unit in ((0, 0), (1, 8)):
                one = values[:, layer, unit].tolist()
                assert low[layer, g, unit] == sum(v < bottom for v in one) / 200
                assert high[layer, g, unit] == sum(v > top for v in one) / 200


def test_the_findings_name_the_control():
    reading = Reading.of(build(), TEXT[:200])
    for parameter in reading.model.model.parameters():
        parameter.data.mul_(0.1)
    (nothing,) = saturation(reading).sentences()
    assert nothing.startswith("Nothing found beyond the control")
    reading.model.model.recurrent.bias_ih_l0.data[9:12] = 20.0  # f of three units
    assert saturation(reading).sentences() == [
        "Gate f of 3 of 9 units is in the highest tenth of its range 90% of the time and more; "
        "untrained, of 0."
    ]


def test_relu_has_no_ends():
    with pytest.raises(UsageError, match="cell 'rnn-relu' has no gate with two ends"):
        saturation(Reading.of(build(cell="rnn-relu"), TEXT[:20]))


def test_the_twin_has_the_weights_that_training_began_with():
    from rnnlab.lm.model import LanguageModel

    model = build(num_layers=2)
    twin = untrained_twin(model, 7).model
    first = LanguageModel(model.model.settings, model.tokenizer.size, 7)
    for name, parameter in twin.named_parameters():
        np.testing.assert_array_equal(parameter.detach(), first.state_dict()[name])
