"""How weights start: each rule's definition, gate by gate."""

import math
from itertools import pairwise

import pytest
import torch

from rnnlab.config import ModelSettings
from rnnlab.lm.model import LanguageModel

V, H, E = 300, 96, 40
GATES = {"rnn": 1, "rnn-relu": 1, "gru": 3, "lstm": 4}
RULES = ["torch", "normal", "xavier", "kaiming", "orthogonal"]

each_cell = pytest.mark.parametrize("cell", GATES)


def make(seed=0, **settings):
    torch.manual_seed(seed)
    base = {"hidden_size": H, "embedding_size": E, "num_layers": 2}
    return LanguageModel(ModelSettings(**base | settings), V)


def gate_matrices(model):
    """Every gate's (H, I) and (H, H) block of every layer."""
    gates = GATES[model.settings.cell]
    blocks = []
    for weights in model.recurrent.weights():
        for matrix in weights[:2]:
            blocks += matrix.detach().chunk(gates)
    assert len(blocks) == 4 * gates
    return blocks


def biases(model):
    return [p.detach() for n, p in model.named_parameters() if "bias" in n]


def assert_normal(sample, std):
    """Mean 0, the standard deviation, and a normal's share beyond two of them."""
    assert sample.std().item() == pytest.approx(std, rel=0.06)
    assert abs(sample.mean().item()) < 5 * std / sample.numel() ** 0.5
    assert (sample.abs() > 2 * std).float().mean().item() == pytest.approx(0.0455, abs=0.012)


def assert_uniform(sample, bound):
    """All within the bound, near to it, and a uniform's standard deviation."""
    assert 0.95 * bound < sample.abs().max().item() <= bound
    assert sample.std().item() == pytest.approx(bound / 3**0.5, rel=0.1)


@each_cell
def test_torch_draws_everything_recurrent_from_one_over_root_hidden(cell):
    model = make(cell=cell, init="torch")
    for parameter in model.recurrent.parameters():
        assert_uniform(parameter, 1 / math.sqrt(H))


@each_cell
def test_normal_has_the_standard_deviation_asked_for(cell):
    model = make(cell=cell, init="normal", init_std=0.3)
    for matrix in [*gate_matrices(model), model.output.weight]:
        assert_normal(matrix, 0.3)


@each_cell
def test_xavier_bounds_come_from_one_gates_fans(cell):
    model = make(cell=cell, init="xavier")
    for matrix in [*gate_matrices(model), model.output.weight]:
        assert_uniform(matrix, math.sqrt(6 / sum(matrix.shape)))


@each_cell
def test_kaiming_variance_is_two_over_fan_in(cell):
    model = make(cell=cell, init="kaiming")
    for matrix in [*gate_matrices(model), model.output.weight]:
        assert_normal(matrix, math.sqrt(2 / matrix.shape[1]))


@each_cell
def test_orthogonal_is_orthonormal_gate_by_gate(cell):
    model = make(cell=cell, init="orthogonal")
    for matrix in [*gate_matrices(model), model.output.weight.detach()]:
        rows, columns = matrix.shape
        gram = matrix @ matrix.T if rows <= columns else matrix.T @ matrix
        torch.testing.assert_close(gram, torch.eye(min(rows, columns)), rtol=0, atol=1e-5)
    blocks = gate_matrices(model)
    assert all(not torch.equal(a, b) for a, b in pairwise(blocks))


@pytest.mark.parametrize("init", RULES[1:])
def test_biases_start_at_zero_in_all_but_torchs_rule(init):
    assert not any(bias.any() for bias in biases(make(init=init)))


@pytest.mark.parametrize("init", RULES)
def test_embedding_always_starts_standard_normal(init):
    assert_normal(make(init=init).embedding.weight, 1.0)


@pytest.mark.parametrize("init", RULES)
def test_forget_bias_is_added_to_the_forget_gates_bias_ih_and_nowhere_else(init):
    plain, biased = make(init=init), make(init=init, forget_bias=1.5)
    for (name, before), after in zip(plain.named_parameters(), biased.parameters(), strict=True):
        expected = before.detach().clone()
        if name in ("recurrent.bias_ih_l0", "recurrent.bias_ih_l1"):
            expected[H : 2 * H] += 1.5
        assert torch.equal(after, expected), name


@pytest.mark.parametrize("init", RULES)
@pytest.mark.parametrize("tied", [{}, {"tie_weights": True, "embedding_size": H}], ids=str)
def test_output_scale_multiplies_the_output_matrix_and_nothing_else(init, tied):
    plain, scaled = make(init=init, **tied), make(init=init, output_scale=6.0, **tied)
    wider = plain.output.weight
    for (name, before), after in zip(plain.named_parameters(), scaled.parameters(), strict=True):
        assert torch.equal(after, before * 6 if before is wider else before), name


@pytest.mark.parametrize("init", RULES)
def test_seed_decides_the_weights(init):
    first, again, other = make(7, init=init), make(7, init=init), make(8, init=init)
    assert all(map(torch.equal, first.parameters(), again.parameters()))
    assert not torch.equal(first.recurrent.weight_hh_l0, other.recurrent.weight_hh_l0)
    assert not torch.equal(first.output.weight, other.output.weight)
