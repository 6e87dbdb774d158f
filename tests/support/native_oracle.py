"""A model on the compiled kernels, and by the textbook in float64 with autograd as the oracle."""

from copy import deepcopy

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from rnnlab.config import ModelSettings
from rnnlab.engines import ENGINES
from rnnlab.engines.native_kernels import instruction_sets, why_missing
from rnnlab.lm.model import LanguageModel, detached

NATIVE, TEXTBOOK, BUILTIN = ENGINES["native"], ENGINES["textbook"], ENGINES["builtin"]
FAULT = why_missing()
LEVELS = [] if FAULT else instruction_sets()
needs_kernels = pytest.mark.skipif(FAULT is not None, reason=f"kernels were not compiled: {FAULT}")
# torch's own kernels compute bfloat16 only on processors with AVX-512; its matrix products, which
# the textbook is made of, do so everywhere.
TORCHS_BFLOAT16 = BUILTIN if torch.ops.mkldnn._is_mkldnn_bf16_supported() else TEXTBOOK

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
    """Relative to each gradient, or to all of them if it is very small."""
    wanted = gradients_of(exact)
    floor = 1e-3 * max(gradient.norm().item() for gradient in wanted)
    for gradient, right in zip(gradients_of(model), wanted, strict=True):
        difference = (gradient.double() - right).norm().item()
        assert difference <= tolerance * max(right.norm().item(), floor)
