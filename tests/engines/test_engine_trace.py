"""Traces of a layer: every gate and state at each time step, by each engine."""

import pytest
import torch
from native_oracle import needs_kernels

from rnnlab.cells import CELLS, Weights
from rnnlab.engines import ENGINES

SHAPES = [  # T, B, I, H
    (1, 1, 1, 1),
    (7, 1, 5, 16),
    (5, 3, 20, 17),
    (40, 2, 33, 70),
]


def layer_of(cell, T, B, I, H, *, ids):  # noqa: E741
    torch.manual_seed(T + H)
    rows = cell.num_gates * H
    shapes = [(rows, I), (rows, H), (rows,), (rows,)]
    weights = Weights(*(torch.randn(shape) * 0.5 / H**0.5 for shape in shapes))
    state = tuple(torch.randn(B, H) for _ in cell.state_names)
    inputs = torch.randint(0, I, (T, B)) if ids else torch.randn(T, B, I)
    return weights, inputs, state


def by_hand(cell, weights, inputs, state, resets):
    """Every gate (T, B, G, H) and state (T, B, H), from the cell's own step, in float64."""
    weights = Weights(*(weight.double() for weight in weights))
    inputs = inputs.double() if inputs.is_floating_point() else inputs
    state = tuple(part.double() for part in state)
    gates, states = [], []
    for t, x in enumerate(inputs):
        if resets is not None:
            state = tuple(part * ~resets[t][:, None] for part in state)
        gates.append(torch.stack(cell.activations(x, state, weights), 1))
        state = cell.step(x, state, weights)
        states.append(state)
    return torch.stack(gates), [torch.stack(part) for part in zip(*states, strict=True)]


@pytest.fixture(autouse=True)
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(
    "engine", ["textbook", "builtin", pytest.param("native", marks=needs_kernels)]
)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("cell", CELLS.values(), ids=CELLS)
@pytest.mark.parametrize("kind", ["floats", "ids", "resets"])
def test_a_trace_is_that_of_the_equations(engine, cell, shape, kind):
    weights, inputs, state = layer_of(cell, *shape, ids=kind == "ids")
    resets = torch.rand(shape[:2]) < 0.3 if kind == "resets" else None
    gates, states = by_hand(cell, weights, inputs, state, resets)
    found = ENGINES[engine].trace(cell, weights, inputs, state, resets)
    torch.testing.assert_close(found.gates, gates.float(), rtol=1e-5, atol=1e-5)
    assert len(found.states) == len(states)
    for part, expected in zip(found.states, states, strict=True):
        torch.testing.assert_close(part, expected.float(), rtol=1e-5, atol=1e-5)
    outputs, last = ENGINES[engine].run(cell, weights, inputs, state, resets)
    torch.testing.assert_close(found.states[0], outputs, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(tuple(part[-1] for part in found.states), last, rtol=1e-5, atol=1e-5)


@needs_kernels
def test_a_trace_needs_what_backward_needs():
    from rnnlab.engines.native_layer import _layer_call

    weights, inputs, state = layer_of(CELLS["lstm"], 2, 1, 3, 4, ids=False)
    call, *_ = _layer_call("lstm", "float32", inputs, None, (*weights, *state), keep=False)
    with pytest.raises(ValueError, match="a trace needs float32, keep, and arrays for what"):
        call.get_trace(torch.empty(2, 1, 4, 4).numpy(), torch.empty(2, 1, 4).numpy())
