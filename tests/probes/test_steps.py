"""Every number of a step, against the textbook in float64 and numpy, and against the trace."""

import numpy as np
import pytest
from own_cells import EXAMPLES, forget_cells
from probed_model import TEXT, build

from rnnlab.cells import CELLS
from rnnlab.cells.registry import pin
from rnnlab.errors import UsageError
from rnnlab.probes import traces as traces_module
from rnnlab.probes.reading import Reading
from rnnlab.probes.steps import steps
from rnnlab.probes.traces import trace

CLOSE = {"rtol": 1e-5, "atol": 1e-5}


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def step_by_hand(cell, sums_x, sums_h, before):
    """Gates and state after a step, from the sums (G, H) and the state before, in the textbook."""
    if cell == "lstm":
        s = sums_x + sums_h
        i, f, g, o = sigmoid(s[0]), sigmoid(s[1]), np.tanh(s[2]), sigmoid(s[3])
        c = f * before[1] + i * g
        return [i, f, g, o], [o * np.tanh(c), c]
    if cell == "gru":
        r, z = sigmoid(sums_x[0] + sums_h[0]), sigmoid(sums_x[1] + sums_h[1])
        n = np.tanh(sums_x[2] + r * sums_h[2])
        return [r, z, n], [(1 - z) * n + z * before[0]]
    h = sums_x[0] + sums_h[0]
    h = np.tanh(h) if cell == "rnn" else np.maximum(h, 0)
    return [h], [h]


@pytest.mark.parametrize("layer", [0, 1])
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("options", [{"input": "one-hot"}, {"start": 6}], ids=["one-hot", "start"])
def test_every_number_is_that_of_the_textbook(cell, options, layer, monkeypatch):
    monkeypatch.setattr(traces_module, "CHUNK_TOKENS", 13)
    model = build(cell=cell, num_layers=2, **options)
    if cell == "rnn-relu":
        for parameter in model.model.recurrent.parameters():
            parameter.data.mul_(0.5)
    reading = Reading.of(model, TEXT[:60], is_prepared=True)
    first, count = 20, 30
    found = steps(reading, layer, first, count)
    values = trace(reading)
    arrays = {n: p.detach().double().numpy() for n, p in model.model.named_parameters()}
    w_ih, w_hh, b_ih, b_hh = (
        arrays[f"recurrent.{name}_l{layer}"]
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    )
    G = len(CELLS[cell].gates)
    for s in range(count):
        t = first + s
        v = int(reading.ids[t])
        if layer:
            x = values["h"][t, 0].astype(float)
        elif "input" in options:
            x = np.eye(model.model.vocabulary_size)[v]
        else:
            x = arrays["embedding.weight"][v]
        names = CELLS[cell].state_names
        before = [values[name][t - 1, layer].astype(float) for name in names]
        if v == options.get("start"):
            before = [np.zeros_like(part) for part in before]
        sums_x = (w_ih @ x + b_ih).reshape(G, -1)
        sums_h = (w_hh @ before[0] + b_hh).reshape(G, -1)
        gates, after = step_by_hand(cell, sums_x, sums_h, before)
        np.testing.assert_allclose(found.from_input[s], sums_x, **CLOSE)
        np.testing.assert_allclose(found.from_hidden[s], sums_h, **CLOSE)
        np.testing.assert_allclose(found.gates[s], gates, **CLOSE)
        np.testing.assert_allclose(found.before[s], before, **CLOSE)
        np.testing.assert_allclose(found.after[s], after, **CLOSE)
        for place, name in enumerate(names):
            np.testing.assert_allclose(found.after[s, place], values[name][t, layer], **CLOSE)
        for place, name in enumerate(found.gate_names):
            np.testing.assert_allclose(found.gates[s, place], values[name][t, layer], **CLOSE)
    assert found.sentences() == [f"Layer {layer + 1} at the tokens 20 to 49."]


def test_the_first_step_begins_with_zeros_and_the_last_ones_are_fewer():
    reading = Reading.of(build(), TEXT[:30])
    assert not steps(reading, 0, 0).before.any()
    assert len(steps(reading, 0, 25, 10).gates) == 5


def test_of_an_own_cell_the_parts_of_the_sums_are_not_known(monkeypatch):
    forget_cells(monkeypatch)
    cell = pin(f"{EXAMPLES}/peephole_lstm.py:PeepholeLSTM")
    reading = Reading.of(build(cell=cell), TEXT[:30])
    found = steps(reading, 0, 3)
    assert found.from_input is None
    assert found.from_hidden is None
    assert "from_input" not in found.arrays()
    np.testing.assert_allclose(found.after[0, 0], trace(reading)["h"][3, 0], **CLOSE)


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        ((1, 0, 1), "layer must be 0 to 0, not 1"),
        ((0, 30, 1), "first must be 0 to 29, a token of the text, not 30"),
        ((0, 0, 257), "count must be 1 to 256 steps, not 257"),
    ],
)
def test_what_is_not_possible_is_one_sentence(ask, message):
    with pytest.raises(UsageError) as error:
        steps(Reading.of(build(), TEXT[:30]), *ask)
    assert str(error.value) == message
