"""A fused training step on the compiled kernels against the textbook in float64."""

from copy import deepcopy

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from native_oracle import (
    NATIVE,
    TORCHS_BFLOAT16,
    assert_same_gradients,
    assert_same_state,
    batch_of,
    build,
    each_cell,
    each_model,
    error,
    exactly,
    gradients_of,
    natively,
    needs_kernels,
    state_of,
)

from rnnlab.config import GenerationSettings, TrainingSettings
from rnnlab.data.batches import SequentialBatches
from rnnlab.engines.native_kernels import instruction_set, kernels
from rnnlab.errors import DivergenceError
from rnnlab.lm.compute import Compute
from rnnlab.lm.evaluate import total_nats
from rnnlab.lm.generate import generate_ids
from rnnlab.lm.train import Trainer

pytestmark = [needs_kernels, pytest.mark.usefixtures("one_thread")]


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
        logits, _ = torchs(torch.from_numpy(batch[0]), state, TORCHS_BFLOAT16)
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
        list(generate_ids(model, Compute(NATIVE), [np.array([1, 7])], GenerationSettings(length=2)))


@pytest.mark.parametrize(
    ("ids", "targets", "rows", "message"),
    [
        ((4,), (4,), 4, "ids must be (T, B) and not empty, not (4,)"),
        ((4, 3), (3, 4), 3, "targets must be (4, 3), not (3, 4)"),
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
    with pytest.raises(ValueError, match=r"^output_bias must be \(7,\), not \(6,\)$"):
        NATIVE.training_step(network._replace(output_bias=network.output_bias[:6]), "float32")
    narrow = network.layers[0]._replace(weight_hh=network.layers[0].weight_hh[:, :7].contiguous())
    with pytest.raises(ValueError, match=r"^weight_hh must be \(32, 8\), not \(32, 7\)$"):
        NATIVE.training_step(network._replace(layers=(narrow,)), "float32")
    turned = network.output_weight.T.contiguous().T
    with pytest.raises(
        ValueError, match=r"^parameters must be contiguous, not \(7, 8\) with gaps$"
    ):
        NATIVE.training_step(network._replace(output_weight=turned), "float32")
    with pytest.raises(TypeError, match=r"^engine 'native' computes float32 parameters on the"):
        NATIVE.training_step(build(7).double().network(), "float32")


def test_new_memory_of_parameters_and_gradients_is_noticed():
    model = build(7, num_layers=2)
    step = NATIVE.training_step(model.network(), "float32")
    batch, state = batch_of(7, (4, 3)), state_of(model, 3)
    first = step(*batch, state, 0.0)[:2]
    model.zero_grad(set_to_none=True)
    for parameter in model.parameters():
        parameter.data = parameter.data.clone()
    assert step(*batch, state, 0.0)[:2] == first
    model.output.weight.data = 2 * model.output.weight.data
    loss, norm, _, exact = exactly(model, batch, state)
    assert step(*batch, state, 0.0)[:2] == pytest.approx((loss, norm), rel=2e-6)
    assert_same_gradients(model, exact)


def test_gradients_of_another_shape_are_refused():
    model = build(7)
    step = NATIVE.training_step(model.network(), "float32")
    model.output.bias.grad = torch.zeros(1).expand(7)
    with pytest.raises(ValueError, match=r"^parameters must be contiguous"):
        step(*batch_of(7, (4, 3)), model.zero_state(3), 0.0)


def test_kernels_take_tensors_as_well_as_arrays():
    model, (ids, targets) = build(7), batch_of(7, (4, 3))
    parameters = [parameter.detach() for parameter in model.network().parameters()]
    scores = [np.empty((4, 3), np.float32) for _ in range(2)]
    for nats, arrays in zip(
        scores, (parameters, [parameter.numpy() for parameter in parameters]), strict=True
    ):
        network = kernels().Network("lstm", arrays)
        reader = kernels().Reader(instruction_set(), "float32", network, 3, 4, -1, 1)
        reader.score(ids, targets, nats)
    scores.append(NATIVE.reader(model.network(), 3, 4, "float32").score(ids, targets))
    assert scores[0].tolist() == scores[1].tolist() == scores[2].tolist()


@pytest.mark.parametrize("dtype", [np.float64, np.int32])
def test_kernels_refuse_arrays_of_another_type(dtype):
    arrays = [parameter.detach().numpy() for parameter in build(7).network().parameters()]
    with pytest.raises(TypeError, match=r"ndarray\[dtype=float32, order='C', device='cpu'\]"):
        kernels().Network("lstm", [array.astype(dtype) for array in arrays])


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
    trainer = Trainer(
        model, Compute(NATIVE), batches, TrainingSettings(optimizer="sgd", num_epochs=1)
    )
    trainer.carried = state
    with pytest.raises(DivergenceError, match=r"^training diverged at step 1: loss nan nats"):
        trainer.train_step(*batch_of(7, (5, 4)))
    for parameter, old in zip(model.parameters(), before.parameters(), strict=True):
        torch.testing.assert_close(parameter, old, rtol=0, atol=0, equal_nan=True)


def test_infinite_weights_do_not_crash_the_reader(level):
    model = build(7)
    with torch.no_grad():
        model.output.weight[2] = torch.inf
    assert not np.isfinite(total_nats(model, Compute(NATIVE), np.arange(20) % 7, "carried"))
    model.output.weight.data.fill_(torch.nan)
    with pytest.raises(DivergenceError, match=r"^the model's output is NaN"):
        list(generate_ids(model, Compute(NATIVE), [np.array([1])], GenerationSettings(length=3)))
