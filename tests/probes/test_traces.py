"""Traces of a whole network, in parts, against the cell's own equations."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from native_oracle import needs_kernels
from probed_model import TEXT, build

from rnnlab.cells import CELLS
from rnnlab.probes import traces as module
from rnnlab.probes.reading import Reading
from rnnlab.probes.traces import quantities, trace

NAMES = {"rnn": "h", "rnn-relu": "h", "gru": "rznh", "lstm": "ifgohc"}


def by_hand(model, ids):
    """Each quantity (T, L, H) in float64, from the cells' equations."""
    network, cell = model.network(), model.recurrent.cell
    states = [tuple(part.double() for part in layer) for layer in model.zero_state(1)]
    rows = []
    for v in ids:
        if model.start == v:
            states = [tuple(part * 0 for part in layer) for layer in states]
        now = torch.tensor([int(v)])
        x = now if network.embedding is None else F.embedding(now, network.embedding).double()
        row = []
        for layer, weights in enumerate(network.layers):
            exact = type(weights)(*(weight.double() for weight in weights))
            gates = cell.activations(x, states[layer], exact)
            states[layer] = cell.update(gates, states[layer])
            x = states[layer][0]
            own = gates if len(gates) > 1 else ()
            row.append(torch.cat([*own, *states[layer]]))
        rows.append(torch.stack(row))
    return torch.stack(rows).detach().numpy()


@pytest.mark.parametrize("engine", ["textbook", pytest.param("native", marks=needs_kernels)])
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize(
    "options",
    [
        {"hidden_size": 17, "with_ngrams": True},
        {"num_layers": 3, "input": "one-hot"},
        {"start": 6, "num_layers": 2, "hidden_size": 1},
    ],
    ids=["odd", "layers", "samples"],
)
def test_every_value_is_that_of_the_equations(engine, cell, options, monkeypatch):
    monkeypatch.setattr(module, "CHUNK_TOKENS", 13)
    text_model = build(cell=cell, engine=engine, **options)
    reading = Reading.of(text_model, TEXT[:60], is_prepared=True)
    found = trace(reading)
    assert "".join(found.quantities) == "".join(quantities(text_model.model)) == NAMES[cell]
    expected = by_hand(text_model.model, reading.ids)
    np.testing.assert_allclose(found.values, expected, rtol=1e-5, atol=1e-5)
    for place, name in enumerate(found.quantities):
        np.testing.assert_array_equal(found[name], found.values[:, :, place])
