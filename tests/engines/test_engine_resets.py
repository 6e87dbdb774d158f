"""A state that is reset within a batch: each sample is computed as if it were alone."""

from copy import deepcopy
from itertools import pairwise

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from native_oracle import LEVELS, state_of

from rnnlab.cells import CELLS
from rnnlab.config import GenerationSettings, ModelSettings
from rnnlab.engines import ENGINES
from rnnlab.lm.compute import Compute
from rnnlab.lm.fallback import make_training_step
from rnnlab.lm.generate import generate_ids
from rnnlab.lm.model import LanguageModel, RecurrentLayers
from rnnlab.lm.reading import make_reader

TEXTBOOK = ENGINES["textbook"]
START = 2

each_cell = pytest.mark.parametrize("cell", CELLS)
each_engine = pytest.mark.parametrize(
    "engine",
    [*(ENGINES[name] for name in ("textbook", "builtin")), *LEVELS],
    ids=lambda engine: getattr(engine, "name", engine),
)
"""And each instruction set of the kernels."""


@pytest.fixture
def chosen(engine, monkeypatch):
    """The engine, in an instruction set if one is named."""
    if isinstance(engine, str):
        monkeypatch.setenv("RNNLAB_ISA", engine)
        return ENGINES["native"]
    return engine


def pieces(resets):
    """Yield the row, the begin and the end of each sample, and whether its state is zero there."""
    for row, column in enumerate(resets.T.tolist()):
        begins = [t for t, begins in enumerate(column) if begins]
        for begin, end in pairwise(sorted({0, *begins, len(column)})):
            yield row, begin, end, column[begin]


def alone(run, inputs, state, resets):
    """Run each sample by itself; `run` takes inputs (T, 1, ...) and a state."""
    rows = {row: [] for row in range(resets.shape[1])}
    last = {}
    for row, begin, end, is_fresh in pieces(resets):
        own = last.get(row, tuple(part[row : row + 1] for part in state))
        own = tuple(torch.zeros_like(part) if is_fresh else part for part in own)
        outputs, last[row] = run(inputs[begin:end, row : row + 1], own)
        rows[row].append(outputs)
    outputs = torch.cat([torch.cat(parts) for parts in rows.values()], 1)
    ends = zip(*last.values(), strict=True)
    return outputs, tuple(torch.cat(part) for part in ends)


def gradients(results, leaves):
    """The gradients of a loss in which every number counts."""
    outputs, last = results
    loss = sum((x * (k + 1)).sin().sum() for k, x in enumerate([outputs, *last]))
    # A state that is reset at once has no gradient.
    return torch.autograd.grad(
        loss / outputs.numel() ** 0.5, leaves, allow_unused=True, materialize_grads=True
    )


def assert_close(found, wanted, tolerance):
    for one, two in zip(found, wanted, strict=True):
        torch.testing.assert_close(one.double(), two.double(), rtol=tolerance, atol=tolerance)


@each_cell
@each_engine
@pytest.mark.parametrize("shape", [(1, 2, 3, 5), (9, 5, 3, 17), (6, 26, 4, 33)], ids=str)
@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_a_layer_equals_each_sample_alone(cell, chosen, shape, share):
    (T, B, I, H), random = shape, torch.Generator().manual_seed(1)  # noqa: E741
    torch.manual_seed(0)
    layers = RecurrentLayers(CELLS[cell], I, H, 1).double()
    for p in layers.parameters():
        torch.nn.init.uniform_(p, -(H**-0.5), H**-0.5)
    inputs = torch.randn(T, B, I, dtype=torch.float64, generator=random)
    parts = len(CELLS[cell].state_names)
    state = [torch.randn(B, H, dtype=torch.float64, generator=random) for _ in range(parts)]
    resets = torch.rand(T, B, generator=random) < share

    def compute(run, dtype):
        own = deepcopy(layers).to(dtype)
        x, *s = (p.to(dtype).requires_grad_() for p in (inputs, *state))
        (weights,) = own.weights()
        outputs, last = run(weights, x, tuple(s))
        return [outputs, *last, *gradients((outputs, last), [*own.parameters(), x, *s])]

    def together(weights, x, s):
        return chosen.run(CELLS[cell], weights, x, s, resets)

    def apart(weights, x, s):
        return alone(
            lambda own, before: TEXTBOOK.run(CELLS[cell], weights, own, before), x, s, resets
        )

    if chosen.name == "native":
        found, tolerance = compute(together, torch.float32), 1e-5
    else:
        found, tolerance = compute(together, torch.float64), 1e-10
    assert_close(found, compute(apart, torch.float64), tolerance)


def model_of(cell, **options):
    torch.manual_seed(3)
    base = {"cell": cell, "hidden_size": 19, "embedding_size": 5, "num_layers": 2}
    return LanguageModel(ModelSettings(**base | options), 7, start=START)


def texts(T, B, seed=5):
    """Ids and targets; a third of the ids begin a sample."""
    rng = np.random.default_rng(seed)
    ids, targets = rng.integers(0, 7, (T, B)), rng.integers(0, 7, (T, B))
    return np.where(rng.random((T, B)) < 1 / 3, START, ids), targets


def sample_nats(model, ids, targets, state):
    """-ln p (T, B) of the targets in float64, each sample by itself; and the last state."""
    exact = deepcopy(model).double().eval()
    exact.start = None
    flat = tuple(part.double() for layer in state for part in layer)
    parts = len(state[0])

    def run(x, own):
        layers = tuple(zip(*[iter(own)] * parts, strict=True))
        logits, last = exact(x, layers, TEXTBOOK)
        return logits, tuple(part for layer in last for part in layer)

    logits, last = alone(run, torch.from_numpy(ids), flat, torch.from_numpy(ids == START))
    wanted = torch.from_numpy(targets)
    nats = F.cross_entropy(logits.flatten(0, 1), wanted.flatten(), reduction="none")
    return nats.reshape(ids.shape), last, exact


@each_cell
@each_engine
@pytest.mark.parametrize("options", [{}, {"input": "one-hot", "num_layers": 1}], ids=str)
@pytest.mark.parametrize("shape", [(1, 3), (8, 5), (5, 30)], ids=str)
def test_a_training_step_equals_each_sample_alone(cell, chosen, options, shape):
    model = model_of(cell, **options)
    (ids, targets), state = texts(*shape), state_of(model, shape[1])
    step = make_training_step(model, Compute(chosen, threads=1))
    loss, _, last = step(ids, targets, state, 0.0)
    nats, expected, exact = sample_nats(model, ids, targets, state)
    nats.mean().backward()
    assert loss == pytest.approx(nats.mean().item(), rel=1e-5)
    assert_close([p for layer in last for p in layer], expected, 1e-5)
    for (name, found), wanted in zip(model.named_parameters(), exact.parameters(), strict=True):
        torch.testing.assert_close(
            found.grad.double(),
            wanted.grad,
            rtol=2e-4,
            atol=2e-6,
            msg=lambda m, n=name: f"{n}: {m}",
        )


@each_cell
@each_engine
def test_reading_equals_each_sample_alone(cell, chosen):
    model = model_of(cell)
    ids, targets = texts(12, 3)
    reader = make_reader(model, Compute(chosen, threads=1), 3, 7)
    found = np.concatenate([reader.score(ids[:7], targets[:7]), reader.score(ids[7:], targets[7:])])
    wanted, _, _ = sample_nats(model, ids, targets, model.zero_state(3))
    np.testing.assert_allclose(found, wanted.detach(), atol=1e-5)


@each_engine
def test_what_is_written_after_a_start_does_not_depend_on_what_was_before(chosen):
    model = model_of("lstm")
    compute = Compute(chosen, threads=1)
    greedy = GenerationSettings(length=6, temperature=0.0)
    written = [
        [row[0] for row in generate_ids(model, compute, [np.array([*before, START])], greedy)]
        for before in ([], [1], [5, 4, 0])
    ]
    written = [[token for token in row if token is not None] for row in written]
    assert len(written[0]) == 6
    assert written[0] == written[1] == written[2]
