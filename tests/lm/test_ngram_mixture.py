"""The mixture of a network and an n-gram model, and how its gate is fitted."""

import math

import numpy as np
import pytest
import torch
from scipy.optimize import check_grad, minimize

from rnnlab.lm import ngram_mixture
from rnnlab.lm.ngram_mixture import (
    NETWORK_ALONE,
    PRIOR,
    NGramMixture,
    features,
    fit_gate,
    log_softmax,
    mixed,
)
from rnnlab.lm.ngram_table import NGramTable

V, ORDER = 5, 3
Case = tuple[np.ndarray, np.ndarray, np.ndarray]


@pytest.fixture(scope="module")
def table() -> NGramTable:
    return NGramTable.count(np.random.default_rng(0).zipf(1.7, 400) % V, V, ORDER)


@pytest.fixture(scope="module")
def case(table: NGramTable) -> Case:
    """What a made-up network and the n-grams give at 300 positions, and what follows."""
    rng = np.random.default_rng(3)
    ids = rng.zipf(1.7, 301) % V
    (q,) = table.predict(ids[:-1, None])
    log_p = log_softmax(torch.from_numpy(rng.normal(0, 2, (300, V))))
    return log_p, np.log(q), ids[1:]


def nats_by_hand(gate: np.ndarray, log_p: np.ndarray, log_q: np.ndarray, targets) -> float:
    """The sum that fitting minimises, one symbol at a time."""
    total = float((PRIOR[:, None] / 2 * (gate - NETWORK_ALONE) ** 2).sum())
    for row, target in enumerate(targets):
        p, q = np.exp(log_p[row]), np.exp(log_q[row])
        apart = sum(p[v] * math.log(p[v] / q[v]) for v in range(V))
        a, b = (gate[0, i] + gate[1, i] * apart for i in (0, 1))
        scores = [p[v] ** a * q[v] ** b for v in range(V)]
        total -= math.log(scores[target] / sum(scores))
    return total


def test_the_fitted_gate_is_the_minimum(case: Case) -> None:
    gate = fit_gate(*case)
    found = minimize(
        lambda w: nats_by_hand(w.reshape(2, 2), *case), NETWORK_ALONE.ravel(), tol=1e-10
    )
    assert nats_by_hand(gate, *case) == pytest.approx(found.fun, abs=1e-3)
    assert nats_by_hand(gate, *case) < nats_by_hand(NETWORK_ALONE, *case) - 100


def test_slopes_and_curvature_are_those_of_the_sum(case: Case) -> None:
    log_p, log_q, targets = case
    x, parts = features(log_p, log_q), (log_p, log_q)
    point = np.array([[0.8, 0.3], [0.1, -0.2]])

    def objective(weights):
        return ngram_mixture._objective(weights.reshape(2, 2).T, x, parts, targets)

    flat = point.T.ravel()
    assert objective(flat)[0] == pytest.approx(nats_by_hand(point, *case))
    assert check_grad(lambda w: objective(w)[0], lambda w: objective(w)[1], flat) < 0.01
    for i in range(len(flat)):
        step = np.zeros_like(flat)
        step[i] = 1e-5
        slope = (objective(flat + step)[1] - objective(flat - step)[1]) / 2e-5
        assert slope == pytest.approx(objective(flat)[2][i], rel=1e-4, abs=1e-4)


def test_a_gate_that_trusts_one_model_gives_its_probabilities(case: Case) -> None:
    log_p, log_q, _ = case
    assert mixed(NETWORK_ALONE, log_p, log_q) == pytest.approx(log_p)
    assert mixed(NETWORK_ALONE[:, ::-1], log_p, log_q) == pytest.approx(log_q)


def test_joined_probabilities_sum_to_one_and_follow_the_text(table: NGramTable) -> None:
    gate = np.array([[0.8, 0.3], [0.1, -0.2]])
    logits = torch.randn(4, 2, V, generator=torch.manual_seed(1))
    ids = np.random.default_rng(2).integers(0, V, (7, 2))
    found = NGramMixture(table, gate).joined(logits, ids)
    assert found.exp().sum(-1).numpy() == pytest.approx(np.ones((4, 2)), abs=1e-6)
    for b in range(2):
        (q,) = table.predict(ids[:, b : b + 1], 3)
        expected = mixed(gate, log_softmax(logits[:, b : b + 1]), np.log(q))
        assert found[:, b].numpy() == pytest.approx(expected, abs=1e-6)
