"""The model against one put together from torch's modules; names, counts, dropout, repr."""

from contextlib import suppress

import pytest
import torch
from torch import nn

from rnnlab.cells import CELLS
from rnnlab.config import ModelSettings
from rnnlab.engines import ENGINES
from rnnlab.lm.model import LanguageModel, detached, dropout, evaluating

V, H, E = 11, 6, 4
GATES = {"rnn": 1, "rnn-relu": 1, "gru": 3, "lstm": 4}
ENGINE = ENGINES["builtin"]


def make(**settings):
    torch.manual_seed(0)
    base = {"hidden_size": H, "embedding_size": E}
    return LanguageModel(ModelSettings(**base | settings), V)


def random_state(model, B):
    return tuple(tuple(torch.randn_like(p) for p in layer) for layer in model.zero_state(B))


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("num_layers", [1, 3])
@pytest.mark.parametrize("kind", ["one-hot", "embedding"])
def test_parameters_have_torchs_names_and_the_count_of_the_formula(cell, num_layers, kind):
    model = make(cell=cell, num_layers=num_layers, input=kind)
    width = E if kind == "embedding" else V
    recurrent = sum(
        GATES[cell] * H * (fan_in + H + 2) for fan_in in (width, *[H] * (num_layers - 1))
    )
    assert model.num_parameters() == (V * E if kind == "embedding" else 0) + recurrent + H * V + V
    expected = ["embedding.weight"] if kind == "embedding" else []
    for layer in range(num_layers):
        names = (f"weight_ih_l{layer}", f"weight_hh_l{layer}")
        names += (f"bias_ih_l{layer}", f"bias_hh_l{layer}")
        expected += [f"recurrent.{name}" for name in names]
    assert [n for n, _ in model.named_parameters()] == [*expected, "output.weight", "output.bias"]


@pytest.mark.parametrize("engine", ENGINES.values(), ids=list(ENGINES))
@pytest.mark.parametrize("kind", ["one-hot", "embedding"])
@pytest.mark.parametrize("cell", CELLS)
def test_logits_and_state_equal_a_model_of_torchs_modules(engine, kind, cell):
    dtype, tolerance = (torch.float32, 1e-6) if engine.name == "native" else (torch.float64, 1e-12)
    model = make(cell=cell, num_layers=2, input=kind).to(dtype)
    width = E if kind == "embedding" else V
    kinds = {"rnn": nn.RNN, "rnn-relu": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}
    more = {"nonlinearity": "relu"} if cell == "rnn-relu" else {}
    module = kinds[cell](width, H, 2, **more).to(dtype)
    module.load_state_dict(model.recurrent.state_dict())
    ids = torch.randint(V, (5, 3))
    state = random_state(model, 3)
    rows = model.embedding.weight[ids] if kind == "embedding" else torch.eye(V).to(dtype)[ids]
    joined = tuple(torch.stack(parts) for parts in zip(*state, strict=True))
    values, last = module(rows, joined if cell == "lstm" else joined[0])
    logits, final = model(ids, state, engine)
    assert logits.shape == (5, 3, V)
    expected = values @ model.output.weight.T + model.output.bias
    torch.testing.assert_close(logits, expected, rtol=0, atol=tolerance)
    for layer in range(2):
        for part, wanted in enumerate(last if cell == "lstm" else (last,)):
            torch.testing.assert_close(final[layer][part], wanted[layer], rtol=0, atol=tolerance)


def test_one_hot_input_has_no_embedding():
    assert make(input="one-hot").embedding is None


def test_tied_weights_are_one_tensor_counted_once_and_trained_from_both_ends():
    model = make(tie_weights=True, embedding_size=H)
    assert model.output.weight is model.embedding.weight
    assert model.num_parameters() == V * H + 4 * H * (2 * H + 2) + V
    assert "output.weight" not in dict(model.named_parameters())
    ids = torch.tensor([[3]])
    logits, _ = model(ids, model.zero_state(1), ENGINE)
    logits[0, 0, 7].backward()
    used = model.embedding.weight.grad.abs().sum(dim=1).nonzero().flatten().tolist()
    assert used == [3, 7]  # read as input 3, and as output 7


def test_tied_weights_start_small_enough_to_be_output_weights():
    torch.manual_seed(0)
    settings = ModelSettings(hidden_size=64, embedding_size=64, tie_weights=True)
    model = LanguageModel(settings, 500)
    assert model.output.weight.std().item() == pytest.approx(64**-0.5, rel=0.03)


@pytest.mark.parametrize("kind", ["input_dropout", "dropout", "weight_dropout", "layer_dropout"])
@pytest.mark.parametrize("engine", ENGINES.values(), ids=list(ENGINES))
def test_each_dropout_acts_in_training_only(kind, engine):
    plain, model = make(num_layers=2), make(num_layers=2, **{kind: 0.5})
    ids, state = torch.randint(V, (4, 3)), plain.zero_state(3)
    expected, _ = plain(ids, state, engine)
    model.train()
    first, _ = model(ids, state, engine)
    second, _ = model(ids, state, engine)
    assert not torch.equal(first, expected)
    assert not torch.equal(first, second)
    model.eval()
    torch.testing.assert_close(model(ids, state, engine)[0], expected, rtol=0, atol=0)


def test_weight_dropout_leaves_the_weights_and_drops_their_gradient():
    model = make(weight_dropout=0.5)
    before = model.recurrent.weight_hh_l0.clone()
    ids = torch.randint(V, (6, 3))
    model(ids, model.zero_state(3), ENGINE)[0].square().sum().backward()
    assert torch.equal(model.recurrent.weight_hh_l0, before)
    dropped = (model.recurrent.weight_hh_l0.grad == 0).float().mean().item()
    assert 0.25 < dropped < 0.75


def test_output_dropout_keeps_the_expected_feature():
    model = make(dropout=0.25)
    ids = torch.zeros(1, 20_000, dtype=torch.int64)
    state = model.zero_state(20_000)
    with torch.no_grad():
        dropped, _ = model.features(ids, state, ENGINE)
        with evaluating(model):
            kept, _ = model.features(ids, state, ENGINE)
    assert (dropped == 0).float().mean().item() == pytest.approx(0.25, abs=0.01)
    torch.testing.assert_close(dropped.mean(dim=(0, 1)), kept[0, 0], rtol=0.05, atol=1e-3)


@pytest.mark.parametrize("cell", CELLS)
def test_zero_state_has_a_part_of_zeros_for_each_layer(cell):
    model = make(cell=cell, num_layers=2).double()
    state = model.zero_state(5)
    assert [len(layer) for layer in state] == [2 if cell == "lstm" else 1] * 2
    assert all(p.shape == (5, H) and p.dtype == torch.float64 for layer in state for p in layer)
    assert not any(part.any() for layer in state for part in layer)


def test_detached_keeps_values_and_cuts_gradients():
    model = make(num_layers=2)
    _, state = model(torch.randint(V, (3, 2)), model.zero_state(2), ENGINE)
    cut = detached(state)
    for old, new in zip(sum(state, ()), sum(cut, ()), strict=True):
        assert old.requires_grad
        assert not new.requires_grad
        assert torch.equal(old, new)


@pytest.mark.parametrize("training", [True, False])
def test_evaluating_restores_the_flag_even_after_an_error(training):
    model = make().train(training)
    with suppress(KeyError), evaluating(model):
        assert not any(module.training for module in model.modules())
        raise KeyError
    assert all(module.training is training for module in model.modules())


def test_repr_lists_every_parameter_its_shape_and_the_total():
    text = repr(make(cell="gru"))
    assert text == "\n".join(
        [
            "LanguageModel: gru, embedding input",
            "  embedding.weight        11 x 4   44",
            "  recurrent.weight_ih_l0  18 x 4   72",
            "  recurrent.weight_hh_l0  18 x 6  108",
            "  recurrent.bias_ih_l0    18       18",
            "  recurrent.bias_hh_l0    18       18",
            "  output.weight           11 x 6   66",
            "  output.bias             11       11",
            "  all parameters                  337",
        ]
    )
    assert "recurrent.weight_ih_l2" in repr(make(num_layers=3))
    assert "one-hot input" in repr(make(input="one-hot"))


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
def test_a_share_p_is_zeroed_and_the_rest_scaled_so_that_the_mean_stays(p, dtype):
    torch.manual_seed(0)
    x = torch.full((200, 500), 2.0, dtype=dtype)
    y = dropout(x, p, training=True)
    zeroed = (y == 0).double().mean().item()
    assert zeroed == pytest.approx(p, abs=5 * (p * (1 - p) / x.numel()) ** 0.5)
    assert y.max().item() == y[y != 0].min().item() == pytest.approx(2 / (1 - p), rel=1e-6)
    assert y.dtype == torch.promote_types(dtype, torch.float32)


def test_elements_are_dropped_independently_and_anew_each_time():
    torch.manual_seed(0)
    x = torch.ones(300, 300)
    one, other = (dropout(x, 0.5, training=True) == 0 for _ in range(2))
    for a, b in ((one, other), (one[1:], one[:-1]), (one[:, 1:], one[:, :-1])):
        assert (a & b).double().mean().item() == pytest.approx(0.25, abs=0.01)


def test_the_gradient_is_scaled_where_the_value_was_and_zero_elsewhere():
    x = torch.randn(50, 50, requires_grad=True)
    y = dropout(x, 0.3, training=True)
    y.sum().backward()
    assert torch.allclose(x.grad, (y != 0) / 0.7)


def test_nothing_happens_in_evaluation_or_at_zero():
    x = torch.randn(3)
    assert dropout(x, 0.5, training=False) is x
    assert dropout(x, 0.0, training=True) is x
