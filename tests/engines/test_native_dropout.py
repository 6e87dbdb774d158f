"""Dropout in the fused step. The masks are read off the gradients of models that show them."""

import numpy as np
import pytest
import torch
from native_oracle import (
    LEVELS,
    NATIVE,
    batch_of,
    build,
    each_cell,
    error,
    gradients_of,
    natively,
    needs_kernels,
    state_of,
)

from rnnlab.config import GenerationSettings
from rnnlab.lm.compute import Compute
from rnnlab.lm.evaluate import total_nats
from rnnlab.lm.generate import generate_ids

pytestmark = [needs_kernels, pytest.mark.usefixtures("one_thread")]


def weight_mask(p, seed, layers=1):
    """What each recurrent weight is multiplied by: its gradient over that of an exact step."""
    model = build(7, cell="rnn", hidden_size=96, num_layers=layers, weight_dropout=p)
    batch, state = batch_of(7, (1, 1)), state_of(model, 1)
    torch.manual_seed(seed)
    natively(model, batch, state)
    masks = []
    for weights, (h,) in zip(model.recurrent.weights(), state, strict=True):
        masks.append(weights.weight_hh.grad / (weights.bias_hh.grad[:, None] * h))
    return torch.cat(masks).double()


def input_mask(p, seed):
    """Where gradients of the embedding's rows, each read once, are not zero."""
    model = build(500, cell="lstm", embedding_size=48, input_dropout=p)
    ids = np.random.default_rng(0).permutation(500)[:120].reshape(12, 10)
    torch.manual_seed(seed)
    natively(model, (ids, ids), state_of(model, 10))
    return (model.embedding.weight.grad[ids.flatten()] != 0).double() / (1 - p)


def feature_mask(p, seed, site):
    """Dropped features from the gradient of an output layer of zeros, where p is 1 / V."""
    T, B, H, V = 6, 7, 48, 64
    model = build(V, cell="rnn-relu", hidden_size=H, num_layers=2, **{site: p})
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
        model.recurrent.bias_ih_l0.fill_(1.0)  # all outputs of the first layer are 1
        model.recurrent.weight_ih_l1.copy_(torch.eye(H))  # so are those of the second
    targets = np.arange(T * B).reshape(T, B)
    torch.manual_seed(seed)
    natively(model, (targets, targets), model.zero_state(B))
    d_logits = (torch.full((T * B, V), 1 / V) - torch.eye(V)[: T * B]).double() / (T * B)
    return torch.linalg.lstsq(d_logits.T, model.output.weight.grad.double()).solution


SITES = {
    "weight": weight_mask,
    "input": input_mask,
    "layer": lambda p, seed: feature_mask(p, seed, "layer_dropout"),
    "output": lambda p, seed: feature_mask(p, seed, "dropout"),
}
each_site = pytest.mark.parametrize("site", SITES)


def within(share, p, count):
    """Whether a share of `count` draws is one that a probability of p makes likely."""
    return abs(share - p) <= 4.5 * (p * (1 - p) / count) ** 0.5


@each_site
@pytest.mark.parametrize("p", [0.1, 0.5, 0.8])
def test_dropout_keeps_the_right_share_and_scales_it(level, site, p):
    mask = SITES[site](p, seed=5)
    kept = mask > 0.5
    torch.testing.assert_close(mask, kept.double() / (1 - p), rtol=1e-3, atol=1e-3)
    assert within(kept.double().mean().item(), 1 - p, kept.numel())


@each_site
def test_dropped_elements_are_independent_of_each_other(site):
    p = 0.3
    kept = SITES[site](p, seed=5) > 0.5
    same = p * p + (1 - p) * (1 - p)
    pairs = [(kept[1:], kept[:-1]), (kept[:, 1:], kept[:, :-1])]  # neighbours: rows, columns
    pairs += [(kept[:, n:], kept[:, :-n]) for n in (2, 16, 32)]
    pairs += [(kept, SITES[site](p, seed=6) > 0.5)]
    for one, other in pairs:
        assert within((one == other).double().mean().item(), same, one.numel())
    for axis in (0, 1):  # no row and no column is dropped or kept as a whole
        shares = kept.double().mean(dim=axis)
        assert shares.max() < 1
        assert shares.min() > 0.2


def test_layers_and_sites_have_masks_of_their_own():
    weights = (weight_mask(0.3, 5, layers=2) > 0.5).chunk(2)
    layer, output = (SITES[name](0.3, seed=5) > 0.5 for name in ("layer", "output"))
    for one, other in [weights, (layer, output)]:
        assert within((one == other).double().mean().item(), 0.58, one.numel())


DROPOUTS = {"input_dropout": 0.2, "layer_dropout": 0.3, "weight_dropout": 0.25, "dropout": 0.4}
WITH_DROPOUT = [
    *({name: share} for name, share in DROPOUTS.items()),
    DROPOUTS,
    {**DROPOUTS, "tie_weights": True, "hidden_size": 13, "embedding_size": 13},
    {"input": "one-hot", "weight_dropout": 0.3, "layer_dropout": 0.2, "dropout": 0.2},
]


def step_bits(options, seed, V=9):
    model = build(V, cell="gru", num_layers=2, **options)
    batch, state = batch_of(V, (5, 3)), state_of(model, 3)
    torch.manual_seed(seed)
    step = NATIVE.training_step(model.network(), "float32")
    first = step(*batch, state, 0.0)[:2]
    gradients = [gradient.clone() for gradient in gradients_of(model)]
    return first, torch.cat([g.flatten() for g in gradients]), step(*batch, state, 0.0)[:2]


@pytest.mark.parametrize("options", WITH_DROPOUT, ids=str)
def test_torchs_seed_decides_every_bit_of_a_step(options):
    first, again, other = (step_bits(options, seed) for seed in (3, 3, 4))
    assert first[0] == again[0]
    assert torch.equal(first[1], again[1])
    assert first[2] == again[2]
    assert first[0] != first[2]  # the second step draws another mask
    assert first[0] != other[0]
    assert not torch.equal(first[1], other[1])


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_masks_are_the_same_on_every_level(monkeypatch, precision):
    found = []
    for name in LEVELS:
        monkeypatch.setenv("RNNLAB_ISA", name)
        model = build(30, cell="lstm", num_layers=2, **DROPOUTS)
        torch.manual_seed(3)
        natively(model, batch_of(30, (5, 6)), state_of(model, 6), precision=precision)
        found.append(gradients_of(model))
    tolerance = 1e-5 if precision == "float32" else 0.02
    for other in found[1:]:
        for gradient, right in zip(other, found[0], strict=True):
            assert error(gradient, right.double()) <= tolerance


@each_cell
@pytest.mark.parametrize("options", WITH_DROPOUT, ids=str)
def test_gradients_with_dropout_are_those_of_the_loss(level, cell, options):
    """Central differences along each parameter's gradient, with the same masks."""
    model = build(9, cell=cell, num_layers=2, **options)
    batch, state = batch_of(9, (4, 3)), state_of(model, 3)

    def loss():
        torch.manual_seed(3)
        return natively(model, batch, state)[0]

    loss()
    for parameter, gradient in zip(
        model.parameters(), [g.clone() for g in gradients_of(model)], strict=True
    ):
        size = gradient.norm().item()
        step = 0.001 * gradient / size  # short: relu has corners
        ends = []
        for sign in (1, -2):  # to +step, then from there to -step
            with torch.no_grad():
                parameter.add_(step, alpha=sign)
            ends.append(loss())
        with torch.no_grad():
            parameter.add_(step)
        assert (ends[0] - ends[1]) / 0.002 == pytest.approx(size, rel=0.02, abs=3e-4)


def test_dropout_is_off_in_evaluation_and_writing():
    ids = batch_of(9, (60,))[0]
    plain, dropping = build(9, num_layers=2), build(9, num_layers=2, **DROPOUTS)
    assert total_nats(dropping, Compute(NATIVE), ids, "carried") == total_nats(
        plain, Compute(NATIVE), ids, "carried"
    )
    wanted = GenerationSettings(length=20, temperature=0)
    texts = [list(generate_ids(m, Compute(NATIVE), [ids[:3]], wanted)) for m in (plain, dropping)]
    assert texts[0] == texts[1]
