"""Update rules against the published ones, written out in numpy."""

import numpy as np
import pytest
import torch

from rnnlab.config import LEARNING_RATES, TrainingSettings
from rnnlab.lm.optimizers import OPTIMIZERS, make_optimizer, peak_learning_rate


def sgd(p, grads, rate, momentum=0.0, nesterov=False, weight_decay=0.0):
    velocity = None
    for g in grads:
        g = g + weight_decay * p
        velocity = g if velocity is None else momentum * velocity + g
        p = p - rate * (g + momentum * velocity if nesterov else velocity)
        yield p


def adam(p, grads, rate, beta1=0.9, beta2=0.999, weight_decay=0.0, decoupled=False):
    m, v = np.zeros_like(p), np.zeros_like(p)
    for t, g in enumerate(grads, start=1):
        if decoupled:
            p = p - rate * weight_decay * p
        else:
            g = g + weight_decay * p
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g * g
        p = p - rate * (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + 1e-8)
        yield p


def adamw(p, grads, rate, **options):
    return adam(p, grads, rate, **options, decoupled=True)


def rmsprop(p, grads, rate, momentum=0.0, weight_decay=0.0):
    v, velocity = np.zeros_like(p), np.zeros_like(p)
    for g in grads:
        g = g + weight_decay * p
        v = 0.99 * v + 0.01 * g * g
        velocity = momentum * velocity + g / (np.sqrt(v) + 1e-8)
        p = p - rate * velocity
        yield p


def adagrad(p, grads, rate, weight_decay=0.0):
    total = np.zeros_like(p)
    for g in grads:
        g = g + weight_decay * p
        total = total + g * g
        p = p - rate * g / (np.sqrt(total) + 1e-10)
        yield p


RULES = {"sgd": sgd, "adam": adam, "adamw": adamw, "rmsprop": rmsprop, "adagrad": adagrad}
CASES = [
    ("sgd", {}),
    ("sgd", {"momentum": 0.9}),
    ("sgd", {"momentum": 0.9, "nesterov": True}),
    ("sgd", {"momentum": 0.5, "weight_decay": 0.1}),
    ("adam", {}),
    ("adam", {"weight_decay": 0.1}),
    ("adam", {"beta1": 0.0, "beta2": 0.5}),
    ("adamw", {}),
    ("adamw", {"weight_decay": 0.1}),
    ("adamw", {"beta1": 0.7, "beta2": 0.95, "weight_decay": 0.1}),
    ("rmsprop", {}),
    ("rmsprop", {"momentum": 0.9}),
    ("rmsprop", {"weight_decay": 0.1}),
    ("adagrad", {}),
    ("adagrad", {"weight_decay": 0.1}),
]


@pytest.mark.parametrize(("name", "options"), CASES, ids=str)
@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-12), ("float32", 1e-5)])
def test_six_steps_follow_the_published_rule(name, options, dtype, tolerance):
    rng = np.random.default_rng(0)
    start, gradients = rng.normal(size=(3, 4)), rng.normal(size=(6, 3, 4))
    settings = TrainingSettings(optimizer=name, learning_rate=0.05, **options)
    parameter = torch.tensor(start, dtype=getattr(torch, dtype), requires_grad=True)
    optimizer = make_optimizer(settings, [parameter])
    expected = RULES[name](start, gradients, 0.05, **options)
    for gradient, wanted in zip(gradients, expected, strict=True):
        parameter.grad = torch.tensor(gradient, dtype=parameter.dtype)
        optimizer.step()
        np.testing.assert_allclose(parameter.detach().numpy(), wanted, rtol=0, atol=tolerance)


def test_every_optimizer_is_covered_and_has_a_learning_rate():
    assert OPTIMIZERS.keys() == RULES.keys() == LEARNING_RATES.keys()
    assert {name for name, _ in CASES} == OPTIMIZERS.keys()


@pytest.mark.parametrize(
    ("name", "rate"),
    [("sgd", 1.0), ("adam", 0.003), ("adamw", 0.003), ("rmsprop", 0.001), ("adagrad", 0.02)],
)
def test_learning_rate_0_means_the_optimizers_own(name, rate):
    settings = TrainingSettings(optimizer=name)
    assert peak_learning_rate(settings) == rate
    weights = [torch.zeros(2, requires_grad=True)]
    assert make_optimizer(settings, iter(weights)).param_groups[0]["lr"] == rate


def test_learning_rate_asked_for_is_taken():
    settings = TrainingSettings(optimizer="adam", learning_rate=0.5)
    assert peak_learning_rate(settings) == 0.5
    optimizer = make_optimizer(settings, [torch.zeros(2, requires_grad=True)])
    assert optimizer.param_groups[0]["lr"] == 0.5
