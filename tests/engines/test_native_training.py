"""The training loop on the compiled kernels against the textbook."""

from copy import deepcopy

import numpy as np
import pytest
import torch
from native_oracle import (
    NATIVE,
    TEXTBOOK,
    batch_of,
    build,
    each_cell,
    natively,
    needs_kernels,
)

from rnnlab.config import TrainingSettings
from rnnlab.data.batches import SequentialBatches
from rnnlab.lm.compute import Compute
from rnnlab.lm.train import Step, Trainer

pytestmark = [needs_kernels, pytest.mark.usefixtures("one_thread")]


def trained(engine, *, seed=0, steps=20, model=None, **options):
    model = deepcopy(model) if model else build(28, seed=seed, cell="lstm", num_layers=2)
    T, B = 5, 6
    ids = np.random.default_rng(3).integers(0, 28, T * B * (steps + 1) + 1)
    base = {"optimizer": "sgd", "num_epochs": 0, "max_tokens": steps * T * B, "clip_norm": 0.05}
    settings = TrainingSettings(**base | {"num_evaluations": 0} | options)
    trainer = Trainer(model, Compute(engine), SequentialBatches(ids, B, T), settings)
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
