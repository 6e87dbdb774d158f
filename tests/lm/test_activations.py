"""Layers read one by one against the model's own forward pass."""

import numpy as np
import pytest
import torch

from rnnlab.cells import CELLS
from rnnlab.engines import ENGINES
from rnnlab.lm.activations import read_layer_by_layer, stretches

IDS = np.random.default_rng(0).integers(0, 7, 2000)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("settings", [{"num_layers": 2, "dropout": 0.5}, {"input": "one-hot"}])
def test_reading_is_that_of_the_model_itself(make_model, cell, settings):
    model, windows = make_model(cell=cell, **settings).eval(), stretches(IDS, 30)
    start = model.zero_state(windows.shape[1])
    with torch.no_grad():
        expected, last = model.features(windows, start, ENGINES["builtin"])
        read = list(read_layer_by_layer(model.network(), windows, start))
    features = torch.stack([layers[-1].state[0] for layers in read])
    torch.testing.assert_close(features, expected, rtol=0, atol=1e-6)
    for layer, state in zip(read[-1], last, strict=True):
        assert len(layer.gates) == CELLS[cell].num_gates
        for part, wanted in zip(layer.state, state, strict=True):
            torch.testing.assert_close(part, wanted, rtol=0, atol=1e-6)
