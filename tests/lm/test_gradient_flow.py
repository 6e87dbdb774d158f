"""The gradient through time against closed forms and against derivatives taken another way."""

import math
import sys

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from rnnlab.config import ModelSettings
from rnnlab.engines import ENGINES
from rnnlab.errors import CorpusError, UsageError
from rnnlab.lm.activations import WARM_UP, WINDOWS
from rnnlab.lm.gradient_flow import decay, gradient_norms
from rnnlab.lm.model import LanguageModel

V = 7
IDS = np.random.default_rng(0).integers(0, V, 300)


def build(seed=0, **settings):
    torch.manual_seed(seed)
    return LanguageModel(
        ModelSettings(**{"hidden_size": 6, "embedding_size": 4} | settings), V
    ).double()


def windows(ids, steps):
    """The stretches of text that are measured, cut one by one."""
    length = WARM_UP + steps + 1
    places = np.linspace(0, len(ids) - length, min(WINDOWS, len(ids) - length + 1)).astype(int)
    return [ids[start : start + length] for start in places]


def by_jacobian(model, ids, steps):
    """The same norms one window and one k at a time: L_T as a function of h_(T-k) alone, computed
    by the model's own forward pass."""
    builtin, rows = ENGINES["builtin"], []
    for window in windows(ids, steps):
        tokens = torch.from_numpy(window)[:, None]
        row = []
        for k in range(steps + 1):
            head, tail, target = tokens[: len(tokens) - 1 - k], tokens[-1 - k : -1], tokens[-1]
            with torch.no_grad():
                _, state = model(head, model.zero_state(1), builtin)

            def loss(h, state=state, tail=tail, target=target):
                state = tuple((own, *rest) for own, (_, *rest) in zip(h, state, strict=True))
                for x in tail:
                    _, state = model(x[None], state, builtin)
                return F.cross_entropy(model.output(state[-1][0]), target)

            h = torch.stack([part[0] for part in state])
            row.append(torch.autograd.functional.jacobian(loss, h).norm().item())
        rows.append(row)
    return np.mean(rows, axis=0)


@pytest.mark.parametrize("cell", ["rnn", "rnn-relu", "gru", "lstm"])
@pytest.mark.parametrize(
    "settings", [{"input": "one-hot"}, {"num_layers": 2, "dropout": 0.5, "weight_dropout": 0.5}]
)
def test_norms_are_those_of_the_loss_as_a_function_of_h_alone(cell, settings):
    model = build(cell=cell, **settings).eval()
    expected = by_jacobian(model, IDS[:70], 5)
    model.train()
    np.testing.assert_allclose(gradient_norms(model, IDS[:70], 5), expected, rtol=1e-9)
    assert model.training
    assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_norms_agree_with_finite_differences(cell):
    """Central differences in h_(T-3) of the first layer and the second, c held fixed."""
    model, steps, textbook = build(cell=cell, num_layers=2), 3, ENGINES["textbook"]
    tokens = torch.from_numpy(IDS[: WARM_UP + steps + 1])[:, None]  # room for one window only
    width, squares = 1e-5, 0.0
    with torch.no_grad():
        _, state = model(tokens[:WARM_UP], model.zero_state(1), textbook)
        for layer in range(2):
            for unit in range(6):
                losses = []
                for sign in (1, -1):
                    moved = [[part.clone() for part in parts] for parts in state]
                    moved[layer][0][0, unit] += sign * width
                    moved = tuple(tuple(parts) for parts in moved)
                    logits, _ = model(tokens[WARM_UP:-1], moved, textbook)
                    losses.append(F.cross_entropy(logits[-1], tokens[-1]).item())
                squares += ((losses[0] - losses[1]) / (2 * width)) ** 2
    norms = gradient_norms(model, tokens[:, 0].numpy(), steps)
    assert norms[steps] == pytest.approx(math.sqrt(squares), rel=1e-6)


def linear_rnn(matrix):
    """A tanh network that stays at h = 0, where tanh is the identity to first order."""
    model = build(cell="rnn", hidden_size=len(matrix))
    with torch.no_grad():
        for parameter in model.recurrent.parameters():
            parameter.zero_()
        model.recurrent.weight_hh_l0.copy_(matrix)
    return model


@pytest.mark.parametrize("gain", [0.5, 1.0, 1.3])
def test_a_linear_network_has_norms_in_closed_form(gain):
    """||(gain·Q)^k v|| = gain^k ||v|| for orthogonal Q, v = W_out (softmax - one-hot)."""
    rotation = np.linalg.qr(np.random.default_rng(1).normal(size=(6, 6)))[0]
    model, steps = linear_rnn(torch.from_numpy(gain * rotation)), 40
    norms = gradient_norms(model, IDS, steps)
    bias, weight = (p.detach().numpy() for p in (model.output.bias, model.output.weight))
    share = np.exp(bias) / np.exp(bias).sum()
    first = np.mean(
        [np.linalg.norm(weight.T @ (share - np.eye(V)[w[-1]])) for w in windows(IDS, steps)]
    )
    np.testing.assert_allclose(norms, first * gain ** np.arange(steps + 1), rtol=1e-9)
    assert decay(norms) == pytest.approx(abs(30 * math.log10(gain)), abs=1e-9)


def test_a_network_without_a_memory_passes_nothing_back():
    norms = gradient_norms(linear_rnn(torch.zeros(6, 6)), IDS, 31)
    assert norms[0] > 0
    assert norms[1:] == [0.0] * 31
    assert decay([*norms[:1], *norms]) == pytest.approx(math.log10(norms[0] / sys.float_info.min))


def test_an_lstm_that_only_remembers_keeps_the_gradient():
    """With f = 1 what h_(T-k) adds to c stays there: the norms no longer depend on k, k >= 1."""
    model, H, small = build(cell="lstm"), 6, 1e-6
    with torch.no_grad():
        for parameter in model.recurrent.parameters():
            parameter.zero_()
        model.recurrent.weight_hh_l0[2 * H : 3 * H] = small * torch.eye(H)  # g, all that h enters
        model.recurrent.bias_ih_l0[H : 2 * H] = 50.0
    norms = gradient_norms(model, IDS, 40)
    # At h = c = 0 the gates i and o are 1/2: h_(T-k) reaches h_T by i · small · o.
    np.testing.assert_allclose(norms[1:], norms[0] * small / 4, rtol=1e-4)
    assert decay(norms) == pytest.approx(0, abs=1e-4)


def test_a_float32_model_gives_what_its_weights_give_in_float64():
    model = build(cell="gru").float()
    norms = gradient_norms(model, IDS, 10)
    assert model.output.weight.dtype == torch.float32
    np.testing.assert_allclose(norms, gradient_norms(model.double(), IDS, 10), rtol=0)


def test_a_text_too_short_is_refused():
    model = build()
    length = WARM_UP + 5 + 1
    assert len(gradient_norms(model, IDS[:length], 5)) == 6
    with pytest.raises(CorpusError) as caught:
        gradient_norms(model, IDS[: length - 1], 5)
    assert str(caught.value) == (
        f"a text of {length - 1} tokens is too short to follow the gradient; it needs {length}"
    )


@pytest.mark.parametrize(
    ("norms", "expected"),
    [([9.0, 1.0, 5.0, 0.01], 2.0), ([9.0, 1e-3, 1.0, 1e3], 6.0), ([9.0, 2.0, 0.0, 2.0], 0.0)],
)
def test_decay_counts_decades_either_way(norms, expected):
    assert decay(norms, 2) == pytest.approx(expected)


def test_decay_needs_norms_that_go_so_far():
    with pytest.raises(UsageError) as caught:
        decay([1.0] * 31)
    assert str(caught.value) == "steps must be at most the number of norms less 2, 29, not 30"
