"""The compiled kernels, one layer at a time, against the textbook in float64."""

from functools import cache

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from native_oracle import LEVELS, NATIVE, TEXTBOOK, TOLERANCE, TORCHS_BFLOAT16, needs_kernels

from rnnlab.cells import CELLS, Weights
from rnnlab.engines.native_kernels import instruction_set
from rnnlab.errors import UsageError

pytestmark = [needs_kernels, pytest.mark.usefixtures("one_thread")]

SHAPES = [  # T, B, I, H: sizes that no vector width divides; two threads share sequences or units
    (1, 1, 1, 1),
    (1, 3, 5, 13),
    (4, 1, 3, 17),
    (3, 2, 31, 40),
    (5, 5, 13, 31),
    (2, 7, 64, 5),
    (3, 25, 5, 20),
    (6, 12, 17, 64),
    (2, 70, 1, 3),
    (3, 33, 40, 100),
    (4, 40, 3, 48),
    (5, 3, 5, 200),
    (2, 64, 100, 64),
    (2, 30, 5, 400),
    (35, 9, 31, 17),
]
FEW_SHAPES = [(1, 3, 5, 13), (5, 5, 13, 31), (3, 25, 5, 20), (4, 40, 3, 48), (5, 3, 5, 200)]

each_cell = pytest.mark.parametrize("name", CELLS)
each_input = pytest.mark.parametrize("ids", [False, True], ids=["floats", "ids"])


def sample(name, shape, *, ids=False, seed=0, scale=1.0):
    """Weights, inputs and state in float32."""
    T, B, I, H = shape  # noqa: E741
    rng = torch.Generator().manual_seed(seed)
    rows = CELLS[name].num_gates * H
    bound = scale * H**-0.5
    shapes = (rows, I), (rows, H), (rows,), (rows,)
    weights = Weights(*(bound * (2 * torch.rand(s, generator=rng) - 1) for s in shapes))
    inputs = torch.randn(T, B, I, generator=rng)
    if ids:
        inputs = torch.randint(I, (T, B), generator=rng)
    state = tuple(torch.randn(B, H, generator=rng) for _ in CELLS[name].state_names)
    return weights, inputs, state


def leaves(tensors, dtype=torch.float32):
    return tuple(
        tensor.detach().to(dtype).requires_grad_() if tensor.is_floating_point() else tensor
        for tensor in tensors
    )


def directions(outputs, last):
    """Fixed weights for a loss that is linear in every result."""
    rng = torch.Generator().manual_seed(9)
    return [torch.randn(r.shape, generator=rng) for r in (outputs, *last)]


def weigh(outputs, last, used):
    """A loss of the results in `used`, 0 the outputs, 1 and 2 the parts of the last state."""
    results, along = (outputs, *last), directions(outputs, last)
    return sum((results[k].double() * along[k].double()).sum() for k in used if k < len(results))


def everything(engine, name, weights, inputs, state, used=(0, 1, 2)):
    """Outputs, last state and the gradients of weights, inputs and state."""
    outputs, last = engine.run(CELLS[name], weights, inputs, state)
    wanted = [leaf for leaf in (*weights, inputs, *state) if leaf.requires_grad]
    gradients = torch.autograd.grad(weigh(outputs, last, used), wanted, allow_unused=True)
    gradients = [
        torch.zeros_like(leaf) if gradient is None else gradient
        for gradient, leaf in zip(gradients, wanted, strict=True)
    ]
    return [outputs.detach(), *(part.detach() for part in last)], gradients


@cache
def expected(name, shape, ids=False, used=(0, 1, 2), scale=1.0):
    weights, inputs, state = sample(name, shape, ids=ids, scale=scale)
    (inputs,) = leaves([inputs], torch.float64)
    weights, state = Weights(*leaves(weights, torch.float64)), leaves(state, torch.float64)
    return everything(TEXTBOOK, name, weights, inputs, state, used)


def computed(name, shape, ids=False, used=(0, 1, 2), scale=1.0, engine=NATIVE):
    weights, inputs, state = sample(name, shape, ids=ids, scale=scale)
    (inputs,) = leaves([inputs])
    return everything(engine, name, Weights(*leaves(weights)), inputs, leaves(state), used)


def error(found, wanted, least=0.0):
    """Relative to the norm, or to `least` where the norm is less: a sum may cancel to nothing."""
    size = max(wanted.norm().item(), least)
    return (found.double() - wanted).norm().item() / (size or 1.0)


def assert_near(actual, wanted, tolerance=TOLERANCE, least=0.0):
    for found, right in zip([*actual[0], *actual[1]], [*wanted[0], *wanted[1]], strict=True):
        assert found.shape == right.shape
        assert error(found, right, least) <= tolerance


def assert_equal(actual, wanted):
    for found, right in zip([*actual[0], *actual[1]], [*wanted[0], *wanted[1]], strict=True):
        assert torch.equal(found, right)


def test_the_portable_level_is_always_there():
    assert LEVELS[-1] == "portable"
    assert len(set(LEVELS)) == len(LEVELS)


def test_the_fastest_level_is_used_unless_another_is_named(monkeypatch):
    monkeypatch.delenv("RNNLAB_ISA", raising=False)
    assert instruction_set() == LEVELS[0]
    for name in LEVELS:
        monkeypatch.setenv("RNNLAB_ISA", name)
        assert instruction_set() == name


def test_a_level_that_is_none_is_refused_with_the_choices(monkeypatch):
    monkeypatch.setenv("RNNLAB_ISA", "portble")
    with pytest.raises(UsageError) as caught:
        computed("rnn", (1, 1, 1, 1))
    assert str(caught.value) == (
        "unknown RNNLAB_ISA level 'portble'; did you mean 'portable'? "
        f"(choices: {', '.join(LEVELS)})"
    )


@each_cell
@each_input
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_results_and_gradients_equal_the_textbook(level, name, ids, shape):
    wanted = expected(name, shape, ids)
    torch.set_num_threads(2)
    assert_near(computed(name, shape, ids), wanted)


@each_cell
@pytest.mark.parametrize("used", [(0,), (1,), (2,), (1, 2)], ids=["outputs", "h", "c", "h and c"])
def test_gradients_of_a_part_of_the_results(level, name, used):
    if used == (2,) and len(CELLS[name].state_names) == 1:
        used = (0, 1)
    shape = (4, 5, 13, 31)
    assert_near(computed(name, shape, used=used), expected(name, shape, used=used))


@pytest.mark.parametrize("autocast", [False, True], ids=["float32", "bfloat16"])
@pytest.mark.parametrize("shape", FEW_SHAPES, ids=str)
@pytest.mark.parametrize("name", ["rnn-relu", "gru", "lstm"])
def test_number_of_threads_changes_no_bit(level, name, shape, autocast):
    found = []
    for threads in (1, 2, 3, 5):
        torch.set_num_threads(threads)
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            found.append([computed(name, shape, ids) for ids in (False, True)])
    for others in found[1:]:
        for first, other in zip(found[0], others, strict=True):
            assert_equal(other, first)


@each_cell
def test_two_calls_before_a_backward_keep_their_own_buffers(level, name):
    weights, first, state = sample(name, (4, 3, 5, 20))
    _, second, other_state = sample(name, (2, 6, 5, 20), seed=1)
    calls = [(first, state), (second, other_state)]

    def losses(weights):
        runs = [NATIVE.run(CELLS[name], weights, x, s) for x, s in calls]
        return [weigh(outputs, last, (0, 1, 2)) for outputs, last in runs]

    weights = Weights(*leaves(weights))
    together = torch.autograd.grad(sum(losses(weights)), weights)
    backwards = [torch.autograd.grad(loss, weights) for loss in reversed(losses(weights))]
    for index, gradient in enumerate(together):
        assert torch.equal(gradient, backwards[0][index] + backwards[1][index])


@each_cell
def test_a_second_backward_through_one_graph_gives_the_same(level, name):
    weights, inputs, state = sample(name, (3, 5, 7, 20))
    weights = Weights(*leaves(weights))
    outputs, last = NATIVE.run(CELLS[name], weights, inputs, state)
    loss = weigh(outputs, last, (0, 1, 2))
    first = torch.autograd.grad(loss, weights, retain_graph=True)
    second = torch.autograd.grad(loss, weights)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


@each_cell
@each_input
def test_carried_state_backpropagates_through_both_calls(level, name, ids):
    weights, inputs, state = sample(name, (6, 5, 13, 31), ids=ids)

    def gradients(engine, dtype):
        copies = Weights(*leaves(weights, dtype))
        start = leaves(state, dtype)
        now, total = start, 0.0
        for part in inputs.split(3):
            part = part if ids else part.to(dtype)
            outputs, now = engine.run(CELLS[name], copies, part, now)
            total = total + outputs.sin().sum()
        return torch.autograd.grad(total + now[-1].sum(), [*copies, *start])

    pairs = zip(gradients(NATIVE, torch.float32), gradients(TEXTBOOK, torch.float64), strict=True)
    assert all(error(found, wanted) <= TOLERANCE for found, wanted in pairs)


@each_cell
@pytest.mark.parametrize("wants", ["inputs", "state", "one weight"])
def test_only_what_requires_a_gradient_gets_one(name, wants):
    weights, inputs, state = sample(name, (3, 5, 7, 20))
    if wants == "inputs":
        (inputs,) = leaves([inputs])
        place = 4
    elif wants == "state":
        state = leaves(state)
        place = 5
    else:
        weights = weights._replace(weight_hh=weights.weight_hh.requires_grad_())
        place = 1
    _, gradients = everything(NATIVE, name, weights, inputs, state)
    right = expected(name, (3, 5, 7, 20))[1]
    assert error(gradients[0], right[place]) <= TOLERANCE


@each_cell
@each_input
@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_results_without_gradients_equal_those_with(level, name, ids, mode):
    shape = (4, 9, 13, 31)
    weights, inputs, state = sample(name, shape, ids=ids)
    with mode():
        outputs, last = NATIVE.run(CELLS[name], weights, inputs, state)
    assert not outputs.requires_grad
    for found, right in zip((outputs, *last), expected(name, shape, ids)[0], strict=True):
        assert error(found, right) <= TOLERANCE


@each_cell
@each_input
def test_strides_do_not_matter(name, ids):
    shape = (4, 5, 13, 31)
    weights, inputs, state = sample(name, shape, ids=ids)

    def strided(tensor):
        """The same values in every second place, the last axis slowest."""
        order = tuple(reversed(range(tensor.dim())))
        wide = torch.empty([*tensor.permute(order).shape, 2], dtype=tensor.dtype)
        wide[..., 0] = tensor.permute(order)
        return wide[..., 0].permute(order)

    weights, state = (tuple(map(strided, tensors)) for tensors in (weights, state))
    assert not any(tensor.is_contiguous() for tensor in (*weights, *state))
    (inputs,) = leaves([strided(inputs)])
    found = everything(NATIVE, name, Weights(*leaves(weights)), inputs, leaves(state))
    assert_near(found, expected(name, shape, ids))


@pytest.mark.parametrize("dtype", [torch.int32, torch.int16, torch.uint8])
def test_ids_of_any_integer_type(dtype):
    weights, ids, state = sample("gru", (4, 5, 13, 31), ids=True)
    found = NATIVE.run(CELLS["gru"], weights, ids.to(dtype), state)[0]
    assert torch.equal(found, NATIVE.run(CELLS["gru"], weights, ids, state)[0])


@each_cell
def test_gradients_of_expanded_and_strided_results(name):
    """Autograd hands over gradients with strides of 0, as of a sum."""
    shape = (4, 5, 13, 31)
    weights, inputs, state = sample(name, shape)

    def gradients(engine, dtype):
        copies = Weights(*leaves(weights, dtype))
        parts = inputs.to(dtype), tuple(part.to(dtype) for part in state)
        outputs, last = engine.run(CELLS[name], copies, *parts)
        loss = outputs.sum() + last[0].T[::2].sum() + outputs.transpose(0, 2)[3].sum()
        return torch.autograd.grad(loss, copies)

    pairs = zip(gradients(NATIVE, torch.float32), gradients(TEXTBOOK, torch.float64), strict=True)
    assert all(error(found, wanted) <= TOLERANCE for found, wanted in pairs)


@each_cell
def test_large_sums_saturate_and_stay_finite(level, name):
    """Sums of the gates of about 1e4; the relu network has no state weights, so it cannot grow."""
    weights, inputs, state = sample(name, (3, 5, 13, 31))
    weights = Weights(*(3e4 * w for w in weights))
    if name == "rnn-relu":
        weights = weights._replace(weight_hh=0 * weights.weight_hh)
    found = everything(NATIVE, name, Weights(*leaves(weights)), *leaves([inputs]), leaves(state))
    assert all(result.isfinite().all() for results in found for result in results)
    wanted = TEXTBOOK.run(
        CELLS[name], Weights(*leaves(weights, torch.float64)), inputs.double(),
        leaves(state, torch.float64),
    )  # fmt: skip
    assert error(found[0][0], wanted[0]) <= 1e-5


@each_cell
@pytest.mark.parametrize("where", ["weight_ih", "weight_hh", "bias_ih", "bias_hh", "state"])
def test_nan_comes_out_as_nan(level, name, where):
    weights, inputs, state = sample(name, (3, 5, 13, 31))
    if where == "state":
        state[0][2, 3] = torch.nan
    else:
        getattr(weights, where)[3] = torch.nan
    found = everything(NATIVE, name, Weights(*leaves(weights)), *leaves([inputs]), leaves(state))
    assert found[0][0].isnan().any()
    assert found[1][1].isnan().any()


@pytest.mark.parametrize("token", [13, -1, 2**40])
def test_an_id_beyond_the_input_size_is_refused(token):
    weights, ids, state = sample("lstm", (4, 5, 13, 31), ids=True)
    ids[3, 4] = token
    with pytest.raises(IndexError) as caught:
        NATIVE.run(CELLS["lstm"], weights, ids, state)
    assert str(caught.value) == f"token id {token} is not in 0 .. 12"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w, x, s: (w, x[0], s), "inputs must be (T, B, 13) and not empty, not (5, 13)"),
        (
            lambda w, x, s: (w, x[..., :12], s),
            "inputs must be (T, B, 13) and not empty, not (4, 5, 12)",
        ),
        (lambda w, x, s: (w, x, (s[0],)), "the state must have 2 parts, not 1"),
        (
            lambda w, x, s: (w, x, (s[0], s[1][:4])),
            "each part of the state must be (5, 31), not (4, 31)",
        ),
        (
            lambda w, x, s: (w._replace(bias_hh=w.bias_hh[:-1]), x, s),
            "bias_hh must be (124,), not (123,)",
        ),
        (
            lambda w, x, s: (w._replace(weight_hh=w.weight_hh[:-1]), x, s),
            "weight_hh must be (124, 31), not (123, 31)",
        ),
    ],
)
def test_shapes_that_do_not_fit_are_refused(change, message):
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        NATIVE.run(CELLS["lstm"], *change(*sample("lstm", (4, 5, 13, 31))))
    assert str(caught.value) == message


def test_other_float_types_are_refused():
    weights, inputs, state = sample("gru", (4, 5, 13, 31))
    weights = Weights(*(w.double() for w in weights))
    with pytest.raises(TypeError) as caught:
        NATIVE.run(CELLS["gru"], weights, inputs, state)
    assert str(caught.value) == (
        "engine 'native' computes float32 tensors on the CPU, not torch.float64 on cpu"
    )


def mean_square_error(engine, name, shape):
    """Root mean square of the gradients' relative errors under autocast to bfloat16."""
    with torch.autocast("cpu", torch.bfloat16):
        found = computed(name, shape, engine=engine)[1]
    right = expected(name, shape)[1]
    errors = [error(f, r) for f, r in zip(found, right, strict=True)]
    return (sum(e * e for e in errors) / len(errors)) ** 0.5


@each_cell
@pytest.mark.parametrize("shape", [(20, 8, 64, 64), (35, 32, 28, 128), (25, 16, 100, 200)], ids=str)
def test_bfloat16_is_as_exact_as_torchs(level, name, shape):
    torchs = mean_square_error(TORCHS_BFLOAT16, name, shape)
    assert 1e-4 < mean_square_error(NATIVE, name, shape) <= 1.2 * torchs


@each_cell
@each_input
def test_bfloat16_of_all_shapes(level, name, ids):
    for shape in SHAPES:
        with torch.autocast("cpu", torch.bfloat16):
            found = computed(name, shape, ids)
        assert found[0][0].dtype == torch.float32
        assert_near(found, expected(name, shape, ids), 0.1)  # relu's gradient jumps


def test_levels_of_bfloat16_agree(monkeypatch):
    """Rounded float32 and pairs of bfloat16 compute the same but for the order of sums."""
    found = []
    for name in LEVELS:
        monkeypatch.setenv("RNNLAB_ISA", name)
        with torch.autocast("cpu", torch.bfloat16):
            found.append(computed("lstm", (3, 5, 13, 31)))
    for other in found[1:]:
        wanted = [[tensor.double() for tensor in tensors] for tensors in found[0]]
        assert_near(other, wanted, 3e-3)


@settings(max_examples=40, derandomize=True)
@given(
    name=st.sampled_from(list(CELLS)),
    shape=st.tuples(*(st.integers(1, most) for most in (4, 20, 20, 70))),
    ids=st.booleans(),
    threads=st.integers(1, 3),
    level=st.sampled_from(LEVELS or [""]),
)
def test_any_small_layer_equals_the_textbook(name, shape, ids, threads, level):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RNNLAB_ISA", level)
        wanted = expected(name, shape, ids)
        torch.set_num_threads(threads)
        assert_near(computed(name, shape, ids), wanted, least=1.0)
        torch.set_num_threads(1)
