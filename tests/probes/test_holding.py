"""A network with units switched off, against a loop that sets their memory at each step."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from native_oracle import needs_kernels
from probed_model import TEXT, build

from rnnlab.cells import CELLS
from rnnlab.errors import UsageError
from rnnlab.probes.holding import held_model, means
from rnnlab.probes.reading import Reading
from rnnlab.probes.traces import trace

ENGINES = ["textbook", pytest.param("native", marks=needs_kernels)]


def log_p_by_hand(model, ids, units):
    """ln p (N, V) after each token in float64, from the cells' equations and a state of zeros."""
    network, cell = model.network(), model.recurrent.cell
    state = [tuple(part.double() for part in layer) for layer in model.zero_state(1)]
    layers = [type(w)(*(part.double() for part in w)) for w in network.layers]
    rows = []
    with torch.no_grad():
        for v in ids.tolist():
            now = torch.tensor([v])
            x = now if network.embedding is None else F.embedding(now, network.embedding).double()
            for number, weights in enumerate(layers):
                gates = cell.activations(x, state[number], weights)
                *h, memory = (part.clone() for part in cell.update(gates, state[number]))
                for (layer, unit), value in units.items():
                    if layer == number:
                        memory[:, unit] = value
                new = (gates[3] * memory.tanh(), memory) if h else (memory,)
                state[number], x = new, new[0]
            logits = F.linear(x, network.output_weight.double(), network.output_bias.double())
            rows.append(logits.log_softmax(1)[0])
    return torch.stack(rows).numpy()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize(
    "options",
    [{"hidden_size": 5, "tie_weights": True}, {"input": "one-hot"}, {"num_layers": 3}],
    ids=["tied", "one-hot", "layers"],
)
def test_every_probability_is_that_of_setting_the_memory_at_each_step(engine, cell, options):
    model = build(cell=cell, engine=engine, **options)
    if cell == "rnn-relu":
        for parameter in model.model.recurrent.parameters():
            parameter.data.mul_(0.5)
    reading = Reading.of(model, TEXT[:60])
    values = trace(reading)["c" if cell == "lstm" else "h"].astype(float).mean(0)
    np.testing.assert_allclose(means(reading), values, atol=1e-6)
    last = len(values) - 1
    units = {(0, 2): values[0, 2], (last, 4): values[last, 4], (last, 1): values[last, 1]}
    if cell == "lstm":
        units |= {(0, 3): 1.7, (last, 0): -4.0}  # beyond what g alone can give
    ids = reading.ids.astype(int)
    expected = log_p_by_hand(model.model, ids[:-1], units)
    found = held_model(model, units).score(TEXT[:60]).target_nats
    np.testing.assert_allclose(found, -expected[np.arange(len(found)), ids[1:]], atol=2e-5)
    without = log_p_by_hand(model.model, ids[:-1], {})
    whole = model.score(TEXT[:60]).target_nats  # the model itself is as it was
    np.testing.assert_allclose(whole, -without[np.arange(len(found)), ids[1:]], atol=2e-5)
    assert np.abs(found - whole).max() > 0.01


@needs_kernels
def test_it_writes_what_the_equations_write():
    model = build(cell="lstm", engine="native")
    units = {(0, 3): 2.5, (0, 7): -0.4}
    text = "ab"
    for _ in range(30):
        ids = model.tokenizer.encode(text)
        log_p = log_p_by_hand(model.model, ids, units)[-1]
        log_p[model.tokenizer.unknown_id] = -math.inf
        text += model.tokenizer.decode([int(log_p.argmax())])
    assert held_model(model, units).generate("ab", length=30, temperature=0) == text
    assert model.generate("ab", length=30, temperature=0) != text


def test_samples_and_their_n_grams():
    """A state that is set to zero before each sample has the value from its first token on."""
    model = build(cell="gru", start=6, with_ngrams=True)
    held = held_model(model, {(0, 1): 0.3})
    h = trace(Reading.of(held, TEXT[:80], is_prepared=True))["h"]
    np.testing.assert_allclose(h[:, 0, 1], 0.3, atol=1e-6)
    assert held.mixture is model.mixture


def test_nothing_to_hold_is_the_model_itself():
    model = build()
    assert held_model(model, {}) is model


@pytest.mark.parametrize(
    ("cell", "units", "message"),
    [
        ("lstm", {(1, 0): 0.0}, "unit 0 of layer 1 does not exist (layers 0 to 0; units 0 to 8)"),
        ("lstm", {(0, 9): 0.0}, "unit 9 of layer 0 does not exist (layers 0 to 0; units 0 to 8)"),
        ("gru", {(0, 3): 1.5}, "unit 3 of layer 0 cannot be held at 1.5: its memory is -1 to 1"),
        ("rnn-relu", {(0, 3): -1.0}, "unit 3 of layer 0 cannot be held at -1: its memory is 0 to "
         "inf"),
        ("lstm", {(0, 3): math.nan}, "unit 3 of layer 0 cannot be held at nan: its memory is -inf "
         "to inf"),
    ],
)  # fmt: skip
def test_what_is_not_possible_is_one_sentence(cell, units, message):
    with pytest.raises(UsageError) as error:
        held_model(build(cell=cell), units)
    assert str(error.value) == message
