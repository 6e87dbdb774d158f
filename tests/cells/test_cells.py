"""Cells against gradcheck and against a literal numpy re-statement of the published equations."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnlab.cells import CELLS, Weights


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def rnn_equations(activation):
    def step(x, state, W, R, b, d):
        (h,) = state
        return (
            np.array([activation(W @ x_ + b + R @ h_ + d) for x_, h_ in zip(x, h, strict=True)]),
        )

    return step


def gru_equations(x, state, W, R, b, d):
    (h,), H = state, R.shape[1]
    W_r, W_z, W_n = W[:H], W[H : 2 * H], W[2 * H :]
    R_r, R_z, R_n = R[:H], R[H : 2 * H], R[2 * H :]
    rows = []
    for x_, h_ in zip(x, h, strict=True):
        r = sigmoid(W_r @ x_ + b[:H] + R_r @ h_ + d[:H])
        z = sigmoid(W_z @ x_ + b[H : 2 * H] + R_z @ h_ + d[H : 2 * H])
        n = np.tanh(W_n @ x_ + b[2 * H :] + r * (R_n @ h_ + d[2 * H :]))
        rows.append((1 - z) * n + z * h_)
    return (np.array(rows),)


def lstm_equations(x, state, W, R, b, d):
    (h, c), H = state, R.shape[1]
    new_h, new_c = [], []
    for x_, h_, c_ in zip(x, h, c, strict=True):
        i, f, g, o = (
            W[k * H : (k + 1) * H] @ x_
            + b[k * H : (k + 1) * H]
            + R[k * H : (k + 1) * H] @ h_
            + d[k * H : (k + 1) * H]
            for k in range(4)
        )
        cell = sigmoid(f) * c_ + sigmoid(i) * np.tanh(g)
        new_c.append(cell)
        new_h.append(sigmoid(o) * np.tanh(cell))
    return np.array(new_h), np.array(new_c)


EQUATIONS = {
    "rnn": rnn_equations(np.tanh),
    "rnn-relu": rnn_equations(lambda a: np.maximum(a, 0)),
    "gru": gru_equations,
    "lstm": lstm_equations,
}


def draw(cell, I, H, B, seed=0):  # noqa: E741
    """Weights, state and a generator, all float64."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    rows = cell.num_gates * H
    weights = Weights(normal(rows, I), normal(rows, H), normal(rows), normal(rows))
    state = tuple(normal(B, H) for _ in cell.state_names)
    return weights, state, normal


def test_every_cell_has_its_equations_here():
    assert CELLS.keys() == EQUATIONS.keys()
    assert all(name == cell.name for name, cell in CELLS.items())


@pytest.mark.parametrize("name", CELLS)
@settings(deadline=None)
@given(seed=st.integers(0, 1000), sizes=st.tuples(*[st.integers(1, 5)] * 3))
def test_step_computes_the_published_equations(name, seed, sizes):
    I, H, B = sizes  # noqa: E741
    weights, state, normal = draw(CELLS[name], I, H, B, seed)
    x = normal(B, I)
    expected = EQUATIONS[name](
        x.numpy(), tuple(part.numpy() for part in state), *(w.numpy() for w in weights)
    )
    actual = CELLS[name].step(x, state, weights)
    assert len(actual) == len(expected) == len(CELLS[name].state_names)
    for found, wanted in zip(actual, expected, strict=True):
        np.testing.assert_allclose(found.numpy(), wanted, rtol=0, atol=1e-13)


@pytest.mark.parametrize("name", CELLS)
def test_gradients_pass_gradcheck(name):
    cell = CELLS[name]
    weights, state, normal = draw(cell, I=3, H=2, B=2)
    parts = len(state)
    leaves = [part.requires_grad_() for part in (normal(2, 3), *state, *weights)]

    def step(x, *rest):
        return cell.step(x, rest[:parts], Weights(*rest[parts:]))

    assert torch.autograd.gradcheck(step, leaves)


@pytest.mark.parametrize("name", CELLS)
def test_gradients_pass_gradcheck_with_ids(name):
    cell = CELLS[name]
    weights, state, _ = draw(cell, I=4, H=2, B=3)
    parts, ids = len(state), torch.tensor([2, 0, 2])
    leaves = [part.requires_grad_() for part in (*state, *weights)]

    def step(*rest):
        return cell.step(ids, rest[:parts], Weights(*rest[parts:]))

    assert torch.autograd.gradcheck(step, leaves)


@pytest.mark.parametrize("name", CELLS)
def test_ids_stand_for_one_hot_rows_forward_and_backward(name):
    cell = CELLS[name]
    weights, state, _ = draw(cell, I=5, H=3, B=4)
    ids = torch.tensor([4, 1, 1, 0])
    leaves = [part.requires_grad_() for part in (*state, *weights)]
    results = []
    for x in (ids, torch.eye(5, dtype=torch.float64)[ids]):
        out = cell.step(x, state, weights)
        loss = sum((part * (k + 1)).sin().sum() for k, part in enumerate(out))
        results.append((*out, *torch.autograd.grad(loss, leaves)))
    for gathered, multiplied in zip(*results, strict=True):
        torch.testing.assert_close(gathered, multiplied, rtol=0, atol=1e-13)


@pytest.mark.parametrize("name", CELLS)
def test_each_gate_is_the_block_that_its_place_says_within_its_range(name):
    cell = CELLS[name]
    weights, state, normal = draw(cell, I=3, H=2, B=4)
    x = normal(4, 3)
    before = cell.activations(x, state, weights)
    assert len(before) == cell.num_gates
    for k, gate in enumerate(cell.gates):
        shifted = weights._replace(bias_ih=weights.bias_ih.clone())
        for shift, end in ((-100, gate.low), (100, gate.high)):
            shifted.bias_ih[2 * k : 2 * k + 2] = shift
            values = cell.activations(x, state, shifted)[k]
            if end == float("inf"):
                assert (values > 50).all()
            else:
                torch.testing.assert_close(values, torch.full_like(values, end), rtol=0, atol=1e-9)
        assert ((before[k] >= gate.low) & (before[k] <= gate.high)).all()
    names = [gate.name for gate in cell.gates]
    assert names == {"lstm": list("ifgo"), "gru": list("rzn")}.get(name, ["h"])
