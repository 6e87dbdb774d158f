"""Whole models on the compiled kernels against the textbook in float64 through autograd."""

from copy import deepcopy

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from rnnlab.config import GenerationSettings, ModelSettings, TrainingSettings
from rnnlab.data.batches import SequentialBatches
from rnnlab.engines import ENGINES
from rnnlab.engines.native import instruction_sets
from rnnlab.errors import DivergenceError
from rnnlab.lm import evaluate
from rnnlab.lm.evaluate import total_nats
from rnnlab.lm.generate import generate_ids
from rnnlab.lm.model import LanguageModel, detached
from rnnlab.lm.train import Step, Trainer

NATIVE, TEXTBOOK, BUILTIN = ENGINES["native"], ENGINES["textbook"], ENGINES["builtin"]
FAULT = NATIVE.fault("lstm", torch.device("cpu"))
LEVELS = [] if FAULT else instruction_sets()
pytestmark = pytest.mark.skipif(FAULT is not None, reason=f"kernels were not compiled: {FAULT}")

CELLS = ["rnn", "rnn-relu", "gru", "lstm"]
TOLERANCE = 2e-6
MODELS = [  # vocabulary size, (T, B), model settings
    (1, (3, 2), {"input": "one-hot"}),
    (2, (5, 3), {"input": "one-hot", "num_layers": 2}),
    (28, (5, 3), {"input": "one-hot", "hidden_size": 33}),
    (300, (4, 7), {"input": "one-hot", "num_layers": 3}),
    (1, (1, 1), {"embedding_size": 3}),
    (2, (5, 3), {}),
    (28, (4, 7), {"num_layers": 3, "hidden_size": 17}),
    (28, (5, 9), {"num_layers": 2, "hidden_size": 40, "embedding_size": 31}),
    (28, (5, 3), {"embedding_size": 17}),
    (300, (3, 30), {"num_layers": 2, "embedding_size": 20}),
    (300, (30, 11), {"hidden_size": 70, "embedding_size": 20}),
    (28, (5, 9), {"tie_weights": True, "embedding_size": 13, "hidden_size": 13}),
    (28, (3, 5), {"tie_weights": True, "embedding_size": 20, "hidden_size": 20, "num_layers": 2}),
    (300, (7, 1), {"tie_weights": True, "embedding_size": 48, "hidden_size": 48}),
]

each_cell = pytest.mark.parametrize("cell", CELLS)
each_model = pytest.mark.parametrize(("V", "batch", "options"), MODELS, ids=str)


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(params=LEVELS)
def level(request, monkeypatch):
    monkeypatch.setenv("RNNLAB_ISA", request.param)
    return request.param


def build(V=7, *, seed=0, **options):
    torch.manual_seed(seed)
    base = {"hidden_size": 8, "embedding_size": 5}
    return LanguageModel(ModelSettings(**base | options), V)


def batch_of(V, shape, seed=1):
    rng = np.random.default_rng(seed)
    return rng.integers(0, V, shape), rng.integers(0, V, shape)


def state_of(model, B, seed=2):
    rng = torch.Generator().manual_seed(seed)
    H = model.recurrent.hidden_size
    return tuple(
        tuple(torch.randn(B, H, generator=rng) for _ in model.recurrent.cell.state_names)
        for _ in range(model.recurrent.num_layers)
    )


def gradients_of(model):
    return [parameter.grad for parameter in model.parameters()]


def natively(model, batch, state, clip=0.0, precision="float32"):
    step = NATIVE.training_step(model.network(), precision)
    return step(*batch, state, clip)


def exactly(model, batch, state, clip=0.0):
    """Loss, norm, state, and a copy of the model with its gradients, in float64."""
    model = deepcopy(model).double()
    inputs, targets = map(torch.from_numpy, batch)
    state = tuple(tuple(part.double() for part in layer) for layer in state)
    logits, last = model(inputs, state, TEXTBOOK)
    loss = F.cross_entropy(logits.flatten(0, 1), targets.flatten())
    loss.backward()
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), clip or torch.inf)
    return loss.item(), norm.item(), detached(last), model


def error(found, wanted):
    return (found.double() - wanted).norm().item() / (wanted.norm().item() or 1.0)


def assert_same_state(state, wanted, tolerance=TOLERANCE):
    for layer, right in zip(state, wanted, strict=True):
        for part, exact in zip(layer, right, strict=True):
            assert error(part, exact) <= tolerance


def assert_same_gradients(model, exact, tolerance=TOLERANCE):
    """Relative to each gradient, or where it vanishes beside the others, to all of them."""
    wanted = gradients_of(exact)
    floor = 1e-3 * max(gradient.norm().item() for gradient in wanted)
    for gradient, right in zip(gradients_of(model), wanted, strict=True):
        difference = (gradient.double() - right).norm().item()
        assert difference <= tolerance * max(right.norm().item(), floor)


@each_cell
@each_model
def test_step_equals_the_textbook(level, cell, V, batch, options):
    model = build(V, cell=cell, **options)
    ids, state = batch_of(V, batch), state_of(model, batch[1])
    loss, norm, last, exact = exactly(model, ids, state)
    torch.set_num_threads(2)
    found = natively(model, ids, state)
    assert found[0] == pytest.approx(loss, rel=1e-6, abs=1e-9)
    assert found[1] == pytest.approx(norm, rel=2e-6, abs=1e-9)
    assert_same_gradients(model, exact)
    assert_same_state(found[2], last)


@each_model
def test_number_of_threads_changes_no_bit_of_a_step(level, V, batch, options):
    ids, found = batch_of(V, batch), []
    for threads in (1, 2, 3, 5):
        model = build(V, cell="lstm", dropout=0.1, weight_dropout=0.1, **options)
        torch.set_num_threads(threads)
        loss, norm, last = natively(model, ids, state_of(model, batch[1]), clip=0.01)
        found.append((loss, norm, [*gradients_of(model), *(p for layer in last for p in layer)]))
    for loss, norm, tensors in found[1:]:
        assert (loss, norm) == found[0][:2]
        assert all(torch.equal(a, b) for a, b in zip(tensors, found[0][2], strict=True))


@pytest.mark.parametrize("clip", [1e-3, 0.1, 1e3])
@pytest.mark.parametrize("options", [{"input": "one-hot"}, {"num_layers": 2}], ids=str)
def test_gradients_are_clipped_as_torch_does(level, clip, options):
    model = build(28, cell="gru", **options)
    ids, state = batch_of(28, (5, 6)), state_of(model, 6)
    _, norm, _, exact = exactly(model, ids, state, clip)
    found = natively(model, ids, state, clip)
    assert found[1] == pytest.approx(norm, rel=2e-6)
    assert (norm > clip) == (clip < 1e3)
    assert_same_gradients(model, exact)


@each_cell
def test_state_is_carried_and_the_callers_left_alone(level, cell):
    model = build(28, cell=cell, num_layers=2)
    state = exact_state = state_of(model, 6)
    given = deepcopy(state)
    step = NATIVE.training_step(model.network(), "float32")
    for seed in (1, 2):
        batch = batch_of(28, (4, 6), seed)
        loss, _, exact_state, exact = exactly(model, batch, exact_state)
        nats, _, state = step(*batch, state, 0.0)
        assert nats == pytest.approx(loss, rel=1e-6)
        assert_same_gradients(model, exact)
        assert_same_state(state, exact_state)
    unchanged = state_of(model, 6)
    for layer, before, fresh in zip(given, state_of(model, 6), unchanged, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(layer, before, strict=True))
        assert all(torch.equal(a, b) for a, b in zip(layer, fresh, strict=True))


def test_batches_of_different_size_may_follow_each_other(level):
    model = build(28, cell="lstm", num_layers=2)
    step = NATIVE.training_step(model.network(), "float32")
    for T, B in [(2, 3), (9, 40), (1, 1), (30, 2)]:
        batch, state = batch_of(28, (T, B)), state_of(model, B)
        loss, _, _, exact = exactly(model, batch, state)
        assert step(*batch, state, 0.0)[0] == pytest.approx(loss, rel=1e-6)
        assert_same_gradients(model, exact)


@each_cell
def test_bfloat16_step_is_as_exact_as_torchs(level, cell):
    options = {"hidden_size": 96, "embedding_size": 32, "num_layers": 2, "cell": cell}
    batch, model = batch_of(60, (25, 15)), build(60, **options)
    state = state_of(model, 15)
    _, _, _, exact = exactly(model, batch, state)
    natively(model, batch, state, precision="bfloat16")
    torchs = deepcopy(model)
    with torch.autocast("cpu", torch.bfloat16):
        logits, _ = torchs(torch.from_numpy(batch[0]), state, BUILTIN)
    torchs.zero_grad()
    F.cross_entropy(logits.float().flatten(0, 1), torch.from_numpy(batch[1]).flatten()).backward()

    def mean_square(found):
        pairs = zip(gradients_of(found), gradients_of(exact), strict=True)
        return np.mean([error(a, b) ** 2 for a, b in pairs]) ** 0.5

    assert 1e-4 < mean_square(model) <= 1.2 * mean_square(torchs)


@pytest.mark.parametrize("place", ["ids", "targets"])
@pytest.mark.parametrize("token", [-1, 7, 2**32])
@pytest.mark.parametrize("options", [{}, {"input": "one-hot"}], ids=str)
def test_an_id_beyond_the_vocabulary_is_refused(place, token, options):
    model, (ids, targets) = build(7, **options), batch_of(7, (4, 3))
    (ids if place == "ids" else targets)[3, 2] = token
    message = f"token id {token} is not in 0 .. 6"
    with pytest.raises(IndexError) as caught:
        natively(model, (ids, targets), model.zero_state(3))
    assert str(caught.value) == message
    with pytest.raises(IndexError) as caught:
        NATIVE.reader(model.network(), 3, 4, "float32").score(ids, targets)
    assert str(caught.value) == message


def test_an_unknown_id_is_refused_in_a_prefix():
    model = build(7)
    with pytest.raises(IndexError, match=r"^token id 7 is not in 0 \.\. 6$"):
        list(generate_ids(model, NATIVE, [np.array([1, 7])], GenerationSettings(length=2)))


@pytest.mark.parametrize(
    ("ids", "targets", "rows", "message"),
    [
        ((0, 3), (0, 3), 3, "ids must be (T, B), not (0, 3)"),
        ((4, 0), (4, 0), 0, "ids must be (T, B), not (4, 0)"),
        ((4,), (4,), 4, "ids must be (T, B), not (4,)"),
        ((4, 3), (3, 4), 3, "ids must be (4, 3), not (3, 4)"),
        ((4, 3), (4, 3), 2, "each part of the state must be (3, 8), not (2, 8)"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(ids, targets, rows, message):
    model = build(7)
    ids, targets = np.zeros(ids, np.int64), np.zeros(targets, np.int64)
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        natively(model, (ids, targets), model.zero_state(rows))
    assert str(caught.value) == message


def test_parameters_that_do_not_fit_are_refused():
    network = build(7).network()
    with pytest.raises(ValueError, match=r"^a parameter must be \(7,\), not \(6,\)$"):
        NATIVE.training_step(network._replace(output_bias=network.output_bias[:6]), "float32")
    turned = network.output_weight.T.contiguous().T
    with pytest.raises(ValueError, match=r"^a parameter \(7, 8\) is not contiguous$"):
        NATIVE.training_step(network._replace(output_weight=turned), "float32")
    with pytest.raises(TypeError, match=r"^engine 'native' computes float32 parameters on the"):
        NATIVE.training_step(build(7).double().network(), "float32")


@each_cell
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_large_sums_stay_finite(level, cell, precision):
    model = build(28, cell=cell, num_layers=2)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "weight_hh" not in name or cell != "rnn-relu":  # or relu grows beyond all measure
                parameter.mul_(100 if cell == "rnn-relu" else 1e4)
    loss, norm, state = natively(
        model, batch_of(28, (4, 5)), model.zero_state(5), precision=precision
    )
    assert np.isfinite([loss, norm]).all()
    assert all(gradient.isfinite().all() for gradient in gradients_of(model))
    assert all(part.isfinite().all() for layer in state for part in layer)


@each_cell
@pytest.mark.parametrize("where", ["output.weight", "output.bias", "recurrent.bias_hh_l0", "state"])
def test_nan_is_a_divergence(level, cell, where):
    model = build(7, cell=cell, num_layers=2)
    state = state_of(model, 4)
    with torch.no_grad():
        if where == "state":
            state[0][0][1, 2] = torch.nan
        else:
            dict(model.named_parameters())[where][3] = torch.nan
    loss, norm, _ = natively(model, batch_of(7, (5, 4)), state, clip=1.0)
    assert np.isnan([loss, norm]).all()
    before = deepcopy(model)
    batches = SequentialBatches(np.arange(200) % 7, 4, 5)
    trainer = Trainer(model, NATIVE, batches, TrainingSettings(optimizer="sgd", num_epochs=1))
    with pytest.raises(DivergenceError, match=r"^training diverged at step 1: loss nan nats"):
        trainer.train_step(*batch_of(7, (5, 4)), state)
    for parameter, old in zip(model.parameters(), before.parameters(), strict=True):
        torch.testing.assert_close(parameter, old, rtol=0, atol=0, equal_nan=True)


def test_infinite_weights_do_not_crash_the_reader(level):
    model = build(7)
    with torch.no_grad():
        model.output.weight[2] = torch.inf
    assert not np.isfinite(total_nats(model, NATIVE, np.arange(20) % 7, "carried"))
    model.output.weight.data.fill_(torch.nan)
    with pytest.raises(DivergenceError, match=r"^the model's output is NaN"):
        list(generate_ids(model, NATIVE, [np.array([1])], GenerationSettings(length=3)))


# Dropout. The masks are read off the gradients of models in which a gradient shows them.


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
    assert total_nats(dropping, NATIVE, ids, "carried") == total_nats(plain, NATIVE, ids, "carried")
    wanted = GenerationSettings(length=20, temperature=0)
    texts = [list(generate_ids(m, NATIVE, [ids[:3]], wanted)) for m in (plain, dropping)]
    assert texts[0] == texts[1]


# The reader.

READERS = [
    (7, {}),
    (60, {"num_layers": 2, "hidden_size": 33, "embedding_size": 17}),
    (300, {"cell": "gru", "hidden_size": 20}),
    (7, {"cell": "gru", "input": "one-hot", "num_layers": 2}),
    (28, {"cell": "rnn", "tie_weights": True, "hidden_size": 13, "embedding_size": 13}),
    (2, {"cell": "rnn-relu", "input": "one-hot"}),
    (1, {"cell": "rnn-relu"}),
]
each_reader = pytest.mark.parametrize(("V", "options"), READERS, ids=str)


def sharp(V, options, seed=0):
    model = build(V, seed=seed, **options)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(2)
        model.output.weight.mul_(3)
    return model


def exact_nats(model, ids, window):
    model = deepcopy(model).double().eval()
    total = 0.0
    with torch.no_grad():
        for start in range(0, len(ids) - 1, window):
            piece = torch.from_numpy(ids[start : start + window + 1])[:, None]
            logits, _ = model(piece[:-1], model.zero_state(1), TEXTBOOK)
            total += F.cross_entropy(logits.flatten(0, 1), piece[1:, 0], reduction="sum").item()
    return total


@each_reader
@pytest.mark.parametrize("context", ["carried", "windows:20", "windows:7", "windows:1"])
def test_nats_of_a_text_equal_the_textbooks(level, V, options, context):
    model, ids = sharp(V, options), batch_of(V, (151,))[0]
    torch.set_num_threads(2)
    nats = total_nats(model, NATIVE, ids, context)
    window = 150 if context == "carried" else int(context[8:])
    assert nats == pytest.approx(exact_nats(model, ids, window), rel=1e-6, abs=1e-6)


@each_reader
@pytest.mark.parametrize("chunk", [1, 2, 13, 64])
def test_pieces_of_any_size_give_the_same_nats(level, monkeypatch, V, options, chunk):
    model, ids = sharp(V, options), batch_of(V, (151,))[0]
    whole = total_nats(model, NATIVE, ids, "carried")
    monkeypatch.setattr(evaluate, "CHUNK_TOKENS", chunk)
    assert total_nats(model, NATIVE, ids, "carried") == pytest.approx(whole, rel=1e-6, abs=1e-6)


@each_cell
def test_bfloat16_reader_is_near_the_textbook(level, cell):
    model, ids = build(60, cell=cell, hidden_size=64, num_layers=2), batch_of(60, (301,))[0]
    exact = exact_nats(model, ids, 300)
    for context in ("carried", "windows:7"):
        exact = exact_nats(model, ids, 300 if context == "carried" else 7)
        found = total_nats(model, NATIVE, ids, context, "bfloat16")
        assert found != exact
        assert found == pytest.approx(exact, rel=2e-3)


@pytest.mark.parametrize("input_", ["one-hot", "embedding"])
@pytest.mark.parametrize("steps", [1, 40])
def test_a_reader_keeps_the_weights_it_was_made_with(input_, steps):
    model = build(30, input=input_, num_layers=2)  # 2 steps: no table; 80 tokens: a table
    inputs, targets = batch_of(30, (steps, 2))
    reader = NATIVE.reader(model.network(), 2, steps, "float32")
    before = reader.score(inputs, targets)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(3)
    reader.reset()
    assert reader.score(inputs, targets) == before
    fresh = NATIVE.reader(model.network(), 2, steps, "float32")
    assert fresh.score(inputs, targets) != before


@pytest.mark.parametrize("shape", [(5, 3), (4, 2)])
def test_a_reader_refuses_pieces_that_it_has_no_room_for(shape):
    model = build(7)
    reader = NATIVE.reader(model.network(), 3, 4, "float32")
    message = rf"^ids must be at most 4 steps of 3 sequences, not \({shape[0]}, {shape[1]}\)$"
    with pytest.raises(ValueError, match=message):
        reader.score(*batch_of(7, shape))
    choice = {"temperature": 0, "top_k": 0, "top_p": 1.0, "forbidden": -1}
    ids = np.zeros((shape[0] + 1, shape[1]), np.int64)
    with pytest.raises(ValueError, match=message):
        reader.write(ids, ids == 0, ids * 0.5, **choice)
    with pytest.raises(ValueError, match=r"^ids must be contiguous int64"):
        reader.write(np.zeros((3, 3), np.int32), ids == 0, ids * 0.5, **choice)
    with pytest.raises(ValueError, match=r"^known and uniforms must be \(3, 3\) as ids are$"):
        reader.write(np.zeros((3, 3), np.int64), ids == 0, ids * 0.5, **choice)


PREFIXES = [np.array(ids) for ids in ([3, 1, 4, 1, 5], [2], [0, 6, 0], [6, 5])]
CHOICES = [
    {"temperature": 0},
    {"temperature": 1.0, "seed": 1},
    {"temperature": 0.4, "seed": 2},
    {"temperature": 2.5, "seed": 3},
    {"temperature": 1.5, "top_k": 3},
    {"temperature": 1.5, "top_k": 1},
    {"temperature": 1.5, "top_p": 0.7},
    {"temperature": 1.2, "top_p": 1e-9},
    {"temperature": 1.7, "top_k": 5, "top_p": 0.8, "seed": 4},
]


def texts(model, engine, forbidden=None, prefixes=PREFIXES, **options):
    wanted = GenerationSettings(**{"length": 40} | options)
    return list(generate_ids(model, engine, prefixes, wanted, forbidden))


@pytest.mark.parametrize("choice", CHOICES, ids=str)
@pytest.mark.parametrize(
    "options",
    [
        {"num_layers": 2},
        {"cell": "gru", "input": "one-hot"},
        {"cell": "rnn", "hidden_size": 40},
        {"cell": "rnn-relu", "init": "orthogonal"},
    ],
    ids=str,
)
def test_tokens_written_are_the_textbooks(level, options, choice):
    model = sharp(11, options)
    exact = deepcopy(model).double()
    torch.set_num_threads(2)
    found = texts(model, NATIVE, **choice)
    assert found == texts(exact, TEXTBOOK, **choice)
    likely = next(token for token in found[6] if token is not None)
    assert texts(model, NATIVE, likely, **choice) == texts(exact, TEXTBOOK, likely, **choice)
    assert all(likely not in row for row in texts(model, NATIVE, likely, **choice))


def test_one_long_text_of_a_large_vocabulary_is_the_textbooks(level):
    """Longer than the longest piece, so that several calls carry it on."""
    model = sharp(300, {"num_layers": 2, "hidden_size": 33})
    choice = {"length": 700, "temperature": 1.0, "top_k": 40, "prefixes": [np.arange(20)]}
    found = texts(model, NATIVE, **choice)
    assert found == texts(deepcopy(model).double(), TEXTBOOK, **choice)
    assert len(found) == 700


def test_prefix_longer_than_a_piece(level):
    model, prefix = sharp(28, {"cell": "gru"}), batch_of(28, (600,))[0]
    choice = {"length": 10, "temperature": 1.0, "prefixes": [prefix, prefix[:599], prefix[:300]]}
    assert texts(model, NATIVE, **choice) == texts(deepcopy(model).double(), TEXTBOOK, **choice)


def test_tokens_come_before_the_whole_text_is_written(monkeypatch):
    model, sizes = build(7), []
    make = type(NATIVE).reader

    def watched(*args):
        reader = make(NATIVE, *args)
        write = reader.write
        reader.write = lambda ids, *rest, **choice: (
            sizes.append(len(ids) - 1) or write(ids, *rest, **choice)
        )
        return reader

    monkeypatch.setattr(NATIVE, "reader", watched)
    stream = generate_ids(model, NATIVE, PREFIXES[1:2], GenerationSettings(length=600))
    taken = [next(stream)]
    assert sizes == [1]
    taken += [next(stream)]
    assert len(sizes) == 2
    assert len(taken + list(stream)) == 600
    assert sum(sizes) == 600
    assert max(sizes) <= 256


# The training loop.


def trained(engine, *, seed=0, steps=20, model=None, **options):
    model = deepcopy(model) if model else build(28, seed=seed, cell="lstm", num_layers=2)
    T, B = 5, 6
    ids = np.random.default_rng(3).integers(0, 28, T * B * (steps + 1) + 1)
    base = {"optimizer": "sgd", "num_epochs": 0, "max_tokens": steps * T * B, "clip_norm": 0.05}
    settings = TrainingSettings(**base | {"num_evaluations": 0} | options)
    trainer = Trainer(model, engine, SequentialBatches(ids, B, T), settings)
    losses = [event.loss_nats for event in trainer.run() if isinstance(event, Step)]
    assert len(losses) == steps
    return losses, torch.cat([p.detach().flatten() for p in model.parameters()])


@pytest.mark.parametrize(
    "options",
    [
        {"learning_rate": 0.5},
        {"learning_rate": 0.5, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01},
        {"optimizer": "adamw", "learning_rate": 1e-3},
        {"optimizer": "rmsprop", "learning_rate": 1e-3},
        {"optimizer": "adagrad", "learning_rate": 1e-2},
    ],
    ids=lambda options: options.get("optimizer", "sgd"),
)
@each_cell
def test_twenty_steps_end_at_the_textbooks_weights(cell, options):
    model = build(28, cell=cell, num_layers=2)
    losses, weights = trained(NATIVE, model=model, **options)
    wanted = trained(TEXTBOOK, model=model, **options)
    assert losses == pytest.approx(wanted[0], rel=1e-5)
    assert (weights - wanted[1]).abs().max() <= 1e-5


def test_the_same_seed_gives_the_same_weights_to_the_bit(level):
    def fit(seed):
        model = build(28, cell="gru", seed=seed, num_layers=2, dropout=0.3, weight_dropout=0.2)
        return trained(NATIVE, model=model, optimizer="adamw", learning_rate=0.01)[1]

    first, again, other = (fit(seed) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_tied_weights_stay_tied(level):
    model = build(28, tie_weights=True, hidden_size=13, embedding_size=13)
    natively(model, batch_of(28, (4, 5)), model.zero_state(5))
    assert model.output.weight is model.embedding.weight
    assert model.output.weight.grad is model.embedding.weight.grad
