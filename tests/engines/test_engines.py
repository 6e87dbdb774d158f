"""Every engine against torch's modules: outputs, last state and every gradient."""

import math
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from rnnlab.cells import CELLS, Weights
from rnnlab.config import ModelSettings
from rnnlab.engines import ENGINES, Engine, choose_engine, native_kernels
from rnnlab.engines.builtin import _dense
from rnnlab.errors import UnavailableError, UsageError
from rnnlab.lm.compute import Compute
from rnnlab.lm.fallback import make_training_step
from rnnlab.lm.model import LanguageModel, RecurrentLayers
from rnnlab.lm.reading import make_reader

MODULES = {
    "rnn": nn.RNN,
    "rnn-relu": lambda *sizes: nn.RNN(*sizes, nonlinearity="relu"),
    "gru": nn.GRU,
    "lstm": nn.LSTM,
}
SHAPES = [  # T, B, I, H, L
    (1, 1, 1, 1, 1),
    (1, 3, 4, 2, 2),
    (6, 1, 3, 5, 1),
    (7, 5, 9, 13, 3),
    (4, 2, 17, 3, 2),
]
TOLERANCES = {torch.float64: 1e-10, torch.float32: 1e-5}
CPU = "cpu"


@pytest.fixture
def without_kernels(monkeypatch):
    """A machine where the kernels were not compiled."""
    monkeypatch.setattr(native_kernels, "_module", lambda: ModuleNotFoundError("no rnnlab._native"))


each_cell = pytest.mark.parametrize("name", CELLS)
each_engine = pytest.mark.parametrize("engine", ENGINES.values(), ids=list(ENGINES))
COMPUTES = [  # engine, float type
    (engine, dtype)
    for engine in ENGINES.values()
    for dtype in TOLERANCES
    if (engine.name, dtype) != ("native", torch.float64)
]
each_engine_and_type = pytest.mark.parametrize(
    ("engine", "dtype"), COMPUTES, ids=lambda value: getattr(value, "name", str(value))
)


def pair(name, I, H, L, dtype=torch.float64):  # noqa: E741
    """torch's module and our layers, with the same weights, taken strictly."""
    torch.manual_seed(I + 10 * H)
    module = MODULES[name](I, H, L).to(dtype)
    layers = RecurrentLayers(CELLS[name], I, H, L).to(dtype)
    layers.load_state_dict(module.state_dict(), strict=True)
    return module, layers


def run_layers(engine, layers, inputs, state):
    """Our layers over time; the state is a list of parts (L, B, H), as torch's modules have it."""
    per_layer = zip(*(part.unbind(0) for part in state), strict=True)
    last = []
    for weights, initial in zip(layers.weights(), per_layer, strict=True):
        inputs, final = engine.run(layers.cell, weights, inputs, initial)
        last.append(final)
    return inputs, [torch.stack(parts) for parts in zip(*last, strict=True)]


def run_module(module, inputs, state):
    outputs, last = module(inputs, tuple(state) if len(state) > 1 else state[0])
    return outputs, list(last) if isinstance(last, tuple) else [last]


def everything(run, calls, state, parameters, leaves):
    """Results of consecutive calls with the state carried, and the gradients of a loss of all."""
    results = []
    for inputs in calls:
        outputs, state = run(inputs, state)
        results += [outputs, *state]
    scale = sum(result.numel() for result in results) ** 0.5
    loss = sum((result * (k + 1)).sin().sum() for k, result in enumerate(results)) / scale
    wanted = [*parameters, *leaves]
    return results, torch.autograd.grad(loss, wanted)


def assert_same(actual, expected, tolerance):
    for found, wanted in zip(actual, expected, strict=True):
        torch.testing.assert_close(found, wanted, rtol=tolerance, atol=tolerance)


@each_cell
@each_engine_and_type
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_engine_equals_torch_over_two_calls_with_carried_state(name, engine, shape, dtype):
    tolerance = TOLERANCES[dtype]
    T, B, I, H, L = shape  # noqa: E741
    module, layers = pair(name, I, H, L, dtype)
    leaf = {"dtype": dtype, "requires_grad": True}
    calls = [torch.randn(T, B, I, **leaf), torch.randn(T, B, I, **leaf)]
    state = [torch.randn(L, B, H, **leaf) for _ in CELLS[name].state_names]
    leaves = [*calls, *state]
    ours = everything(
        lambda x, s: run_layers(engine, layers, x, s), calls, state, layers.parameters(), leaves
    )
    torchs = everything(
        lambda x, s: run_module(module, x, s), calls, state, module.parameters(), leaves
    )
    assert_same(ours[0], torchs[0], tolerance)
    assert_same(ours[1], torchs[1], tolerance)


@each_cell
@each_engine_and_type
@pytest.mark.parametrize("vocabulary", [4, 40], ids=["V<=GH", "V>GH"])
def test_ids_equal_torch_on_one_hot_rows(name, engine, vocabulary, dtype):
    tolerance = TOLERANCES[dtype]
    T, B, H, L = 5, 3, 6, 2
    module, layers = pair(name, vocabulary, H, L, dtype)
    calls = [torch.randint(vocabulary, (T, B)) for _ in range(2)]
    one_hot = torch.eye(vocabulary, dtype=dtype)
    state = [torch.randn(L, B, H, dtype=dtype, requires_grad=True) for _ in layers.cell.state_names]
    ours = everything(
        lambda x, s: run_layers(engine, layers, x, s), calls, state, layers.parameters(), state
    )
    torchs = everything(
        lambda x, s: run_module(module, one_hot[x], s), calls, state, module.parameters(), state
    )
    assert_same(ours[0], torchs[0], tolerance)
    assert_same(ours[1], torchs[1], tolerance)


@pytest.mark.parametrize(("rows", "vocabulary"), [(8, 7), (8, 8), (8, 9), (3, 100)])
def test_dense_rows_are_never_wider_than_the_gates_or_the_vocabulary(rows, vocabulary):
    table = torch.randn(rows, vocabulary)
    ids = torch.arange(vocabulary)[:, None]  # (T, 1)
    inputs, weights = _dense(ids, Weights(table, *[torch.empty(0)] * 3))
    assert inputs.shape == (vocabulary, 1, min(rows, vocabulary))
    assert torch.equal(inputs[:, 0] @ weights.weight_ih.T, table.T)


@each_cell
def test_state_dict_goes_both_ways_strictly(name):
    _, layers = pair(name, 3, 4, 2)
    nn.init.normal_(layers.weight_hh_l1)
    module = MODULES[name](3, 4, 2).double()
    module.load_state_dict(layers.state_dict(), strict=True)
    assert list(module.state_dict()) == list(layers.state_dict())
    assert all(torch.equal(p, getattr(layers, n)) for n, p in module.named_parameters())


@each_engine
def test_float_type_is_kept_and_no_gradient_is_recorded_without_grad(engine):
    _, layers = pair("lstm", 3, 4, 1, torch.float32)
    state = [torch.zeros(1, 2, 4), torch.zeros(1, 2, 4)]
    with torch.inference_mode():
        outputs, last = run_layers(engine, layers, torch.randn(5, 2, 3), state)
    assert outputs.dtype == torch.float32
    assert not outputs.requires_grad
    assert torch.equal(outputs[-1], last[0][0])


@each_cell
@pytest.mark.parametrize("shape", [(1, 4), (2, 3), (2, 5), (1, 2, 4)])
def test_builtin_refuses_a_state_that_its_kernels_would_read_beyond(name, shape):
    _, layers = pair(name, 3, 4, 1)
    state = tuple(torch.zeros(shape).double() for _ in layers.cell.state_names)
    with pytest.raises(ValueError, match=r"^each part of the state must be \(2, 4\), not \("):
        ENGINES["builtin"].run(
            layers.cell, next(layers.weights()), torch.randn(5, 2, 3).double(), state
        )


@pytest.mark.parametrize("level", native_kernels.instruction_sets())
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_auto_takes_native_where_its_level_is_fast(monkeypatch, level, precision):
    monkeypatch.setenv("RNNLAB_ISA", level)
    engine, reason = choose_engine("auto", "lstm", CPU, precision)
    if precision in native_kernels.FASTER_THAN_TORCH.get(level, ()):
        assert engine is ENGINES["native"]
        assert reason == f"auto: the fastest on {level} in {precision}"
    else:
        assert engine is ENGINES["builtin"]
        assert reason == f"auto: faster than native on {level} in {precision}"


def test_auto_takes_builtin_where_there_are_no_kernels(without_kernels):
    engine, reason = choose_engine("auto", "lstm", CPU)
    assert engine is ENGINES["builtin"]
    assert reason == "auto: native cannot run here, see `rnnlab engines`"


def test_native_is_for_the_cpu():
    with pytest.raises(UnavailableError) as caught:
        choose_engine("native", "lstm", "cuda")
    assert str(caught.value) == (
        "engine 'native' cannot run here: its kernels are for the CPU, not for cuda"
    )
    chosen = choose_engine("auto", "lstm", "cuda")
    assert chosen == (ENGINES["builtin"], "auto: native is for the CPU")


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (
            None,
            "because there is no C++ compiler; install one (Debian: apt install g++, Fedora: dnf "
            "install gcc-c++), then reinstall rnnlab",
        ),
        ("/bin/c++", "there is a C++ compiler now (/bin/c++), so reinstall rnnlab"),
    ],
)
def test_missing_kernels_say_why_and_how_to_get_them(monkeypatch, without_kernels, found, words):
    monkeypatch.setattr(native_kernels.shutil, "which", lambda name: found)
    with pytest.raises(UnavailableError) as caught:
        choose_engine("native", "lstm", CPU)
    assert str(caught.value).startswith("engine 'native' cannot run here: its kernels were not")
    assert words in str(caught.value)


def test_kernels_that_do_not_load_say_so(monkeypatch):
    monkeypatch.setattr(
        native_kernels, "_module", lambda: ImportError("libgomp.so.1: no such file")
    )
    with pytest.raises(UnavailableError, match=r"but do not load: libgomp\.so\.1: no such"):
        choose_engine("native", "lstm", CPU)


def test_unknown_level_is_refused_with_the_choices(monkeypatch):
    monkeypatch.setenv("RNNLAB_ISA", "avx2000")
    with pytest.raises(UsageError, match=r"^unknown RNNLAB_ISA level 'avx2000'.* \(choices: "):
        choose_engine("auto", "lstm", CPU)


@each_cell
@each_engine
def test_engine_asked_for_by_name_is_the_one_returned(name, engine):
    assert choose_engine(engine.name, name, CPU) == (engine, "asked for")


def test_unknown_engine_is_refused_with_the_choices():
    with pytest.raises(UsageError) as caught:
        choose_engine("bultin", "lstm", CPU)
    assert str(caught.value) == (
        "unknown engine 'bultin'; did you mean 'builtin'? "
        "(choices: textbook, builtin, native, auto)"
    )


def test_engine_that_cannot_run_here_is_refused_and_never_replaced(monkeypatch):
    class Lame(Engine):
        name = "lame"
        about = "runs nothing"

        def run(self, cell, weights, inputs, state):
            raise AssertionError("must not run")

        def fault(self, cell, device):
            return f"no kernel for {cell} on {device}"

    monkeypatch.setitem(ENGINES, "lame", Lame())
    with pytest.raises(UnavailableError) as caught:
        choose_engine("lame", "gru", CPU)
    assert str(caught.value) == "engine 'lame' cannot run here: no kernel for gru on cpu"


def training_step(model, engine, ids):
    step = make_training_step(model, Compute(engine))
    return step(ids, ids, model.zero_state(ids.shape[1]), 1.0)


def score(model, engine, ids):
    return make_reader(model, Compute(engine), max(1, ids.shape[1]), 4).score(ids, ids)


def write(model, engine, ids):
    ids = np.concatenate([ids, np.zeros((1, ids.shape[1]), np.int64)])  # T steps and a last row
    known, choice = np.ones(ids.shape, np.bool_), {"temperature": 0, "top_k": 0, "top_p": 1.0}
    reader = make_reader(model, Compute(engine), max(1, ids.shape[1]), 4)
    return reader.write(ids, known, np.zeros(ids.shape), forbidden=-1, **choice)


def run(model, engine, ids):
    weights = next(model.recurrent.weights())
    inputs = torch.zeros(*ids.shape, model.settings.embedding_size)
    return engine.run(model.recurrent.cell, weights, inputs, model.zero_state(ids.shape[1])[0])


@each_engine
@each_cell
@pytest.mark.parametrize("call", [run, training_step, score, write])
@pytest.mark.parametrize(("T", "B"), [(0, 2), (3, 0), (0, 0)])
def test_no_time_step_or_no_sequence_is_refused_in_the_same_words(engine, name, call, T, B):
    model = LanguageModel(ModelSettings(cell=name, hidden_size=4, embedding_size=3), 5)
    with pytest.raises(ValueError, match=r"^an engine needs") as caught:
        call(model, engine, np.zeros((T, B), np.int64))
    expected = f"an engine needs at least one time step and one sequence, not T = {T}, B = {B}"
    assert str(caught.value) == expected


@each_engine
@each_cell
@pytest.mark.parametrize("H", [1, 5, 16, 19, 35])
@pytest.mark.parametrize("where", ["input", "state"])
def test_an_infinite_number_spoils_no_more_than_in_torch(engine, name, H, where):
    module, layers = pair(name, 3, H, 1, torch.float32)
    T, B = 6, 2
    inputs, state = torch.randn(T, B, 3), [torch.randn(1, B, H) for _ in layers.cell.state_names]
    if where == "input":
        inputs[1, 0, 2] = math.inf
    else:
        state[0][0, 0, 0] = math.inf

    def results(run, parameters, finite=None):
        """Outputs and input gradients of the outputs that are finite in torch."""
        x = inputs.clone().requires_grad_()
        outputs, _ = run(parameters, x, state)
        finite = outputs.isfinite() if finite is None else finite
        outputs[finite].sum().backward()
        return outputs.detach(), x.grad, finite

    *expected, finite = results(run_module, module)
    *found, _ = results(partial(run_layers, engine), layers, finite)
    for ours, torchs in zip(found, expected, strict=True):
        finite = torchs.isfinite()
        torch.testing.assert_close(ours[finite], torchs[finite], rtol=1e-4, atol=1e-5)
