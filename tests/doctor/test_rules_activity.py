"""Rules about gates and units, on evidence just inside and just outside of their thresholds."""

import pytest
from made_up_evidence import evidence

from rnnlab.cells import CELLS
from rnnlab.doctor.activity import GateActivity, LayerActivity
from rnnlab.doctor.rules_activity import dead_units, saturated_gates


def gate(place, low, high, cell="lstm"):
    return GateActivity(1, CELLS[cell].gates[place], low, high)


@pytest.mark.parametrize(
    ("activity", "ill"),
    [
        (gate(0, 0.5, 0.41), True),
        (gate(0, 0.5, 0.39), False),
        (gate(2, 0.5, 0.5), False),
        (gate(2, 0.5, 0.5, "gru"), False),
        (gate(0, 0.5, 0.41, "rnn"), True),
    ],
)
def test_gates_and_the_only_state_can_saturate_but_not_the_candidate(activity, ill):
    assert (saturated_gates(evidence(gates=[activity])) is not None) is ill


def test_saturated_gates_name_the_gate_and_advise_a_smaller_forget_bias():
    found = saturated_gates(evidence(gates=[gate(1, 0.01, 0.98)], forget_bias=10.0))
    assert found.evidence == ("layer 1, f: 1% of activations are close to 0 and 98% close to 1",)
    assert found.advice[0] == "--forget-bias 1 (now 10)"


@pytest.mark.parametrize(("dead", "ill"), [(9, False), (10, True)])
def test_dead_units_from_a_fifth_of_a_layer_on(dead, ill):
    found = dead_units(evidence(layers=[LayerActivity(1, 50, dead, 0)]))
    assert (found is not None) is ill


def test_dead_units_give_the_number_that_never_fires():
    found = dead_units(evidence(layers=[LayerActivity(2, 50, 20, 19)], cell="rnn-relu"))
    assert found.evidence == (
        "layer 2: 20 of 50 units never change over the text, 19 of them are always 0",
    )
    assert found.advice[-1] == "--cell lstm (now rnn-relu)"


def test_a_memorized_text_may_saturate_gates_and_leave_units_dead():
    ill = {"gates": [gate(0, 0.5, 0.5)], "layers": [LayerActivity(1, 50, 50, 0)]}
    for rule in (saturated_gates, dead_units):
        assert rule(evidence([3.9] * 30 + [0.31] * 10, **ill)) is not None
        assert rule(evidence([3.9] * 30 + [0.29] * 10, **ill)) is None
