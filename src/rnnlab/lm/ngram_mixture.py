"""A network and an n-gram model as one model: a geometric mixture of their probabilities.

    ln p(v) = a ln p_network(v) + b ln p_ngram(v) - ln Z

where Z makes the sum over all symbols v 1. The gate gives a and b, both linear in how far the two
models disagree about what comes next:

    (a, b) = G (1, D)        D = Σ p_network(v) ln(p_network(v) / p_ngram(v))

G is fitted to text from which neither model has learned, since both are too sure of what they have
learned. It minimises

    Σ -ln p(target) + Σ λ/2 (G - G0)²

where G0 is the network alone, a = 1 and b = 0. The sum is convex in G, because ln p is log-linear
in it. More features (the length of the longest known context, its counts, both models' confidence)
and shorter n-grams as further factors were tried. They gain up to 0.005 nats per character with a
network that has seen little, and nothing with a good one.

Sources: Klakow, Log-linear interpolation of language models, ICSLP 1998; for weights that depend on
the context, Mahoney, Adaptive weighing of context models for lossless data compression,
CS-2005-16, 2005.

Legend: N positions, V vocabulary size.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from rnnlab.data.tokenizer import Ids
from rnnlab.engines.engine import Mixture
from rnnlab.lm.ngram import Floats
from rnnlab.lm.ngram_table import NGramTable

if TYPE_CHECKING:
    from torch import Tensor

PRIOR = np.array([1.0, 100.0])
"""λ, for the two features: a slope along D needs evidence."""

NETWORK_ALONE = np.array([[1.0, 0.0], [0.0, 0.0]])
"""The gate G0: a row for each feature, a column for each factor."""

MAX_ITERATIONS = 50
TOLERANCE = 1e-6
"""Nats per target that a further iteration would gain, at which fitting ends."""


class NGramMixture:
    """An n-gram model, and the gate (2, 2) by which it joins a network."""

    def __init__(self, table: NGramTable, gate: Floats) -> None:
        self.table, self.gate = table, gate

    @cached_property
    def arrays(self) -> Mixture:
        """The form in which engines take it."""
        return Mixture(self.table.orders, self.gate)

    def joined(self, logits: Tensor, ids: Ids) -> Tensor:
        """Return ln p (T, B, V) of the mixture; logits (T, B, V) of the network.

        ids (S + T, B): those that the logits follow, the last of which is at their end.
        """
        import torch

        flat = log_softmax(logits)
        parts, at = list[Floats](), 0
        for q in self.table.predict(ids, len(ids) - len(logits)):
            log_p = flat[at : at + len(q)]
            parts.append(mixed(self.gate, log_p, np.log(q)))
            at += len(log_p)
        found = torch.from_numpy(np.concatenate(parts)).reshape(logits.shape)
        return found.to(logits.device, torch.float32)


def log_softmax(logits: Tensor) -> Floats:
    """Return ln p (N, V) of logits (..., V)."""
    flat = logits.detach().flatten(0, -2).double().log_softmax(1)
    return flat.cpu().numpy()


def features(log_p: Floats, log_q: Floats) -> Floats:
    """Return 1 and D (N, 2) for ln p (N, V) of the network and ln q (N, V) of the n-gram model."""
    divergence = (np.exp(log_p) * (log_p - log_q)).sum(1)
    return np.stack([np.ones(len(log_p)), divergence], 1)


def mixed(gate: Floats, log_p: Floats, log_q: Floats) -> Floats:
    """Return ln p (N, V) of the mixture; log_p and log_q: see `features`."""
    a, b = (features(log_p, log_q) @ gate).T
    return _normalised(a[:, None] * log_p + b[:, None] * log_q)


def fit_gate(log_p: Floats, log_q: Floats, targets: Ids) -> Floats:
    """Return the gate (2, 2) for targets (N,); log_p and log_q: see `features`.

    Newton's method, with half steps where a whole one does not help.
    """
    gate, x, parts = NETWORK_ALONE, features(log_p, log_q), (log_p, log_q)
    found = _objective(gate, x, parts, targets)
    for _ in range(MAX_ITERATIONS):
        nats, gradient, curvature = found
        step = np.linalg.solve(curvature, gradient)
        if gradient @ step < TOLERANCE * len(targets):
            break
        for _ in range(MAX_ITERATIONS):
            tried = gate - step.reshape(2, -1).T
            found = _objective(tried, x, parts, targets)
            if found[0] < nats:
                break
            step = step / 2
        else:
            break
        gate = tried
    return gate


def _objective(
    gate: Floats, x: Floats, parts: tuple[Floats, Floats], targets: Ids
) -> tuple[float, Floats, Floats]:
    """Return what is minimised, its gradient (4,) and its Hessian (4, 4), both factor by factor.

    The slope of -ln p(target) along a factor is E[part] - part(target), where the expectation is
    over the mixture; its curvature is the covariance of both parts.
    """
    rows = np.arange(len(targets))
    factors = x @ gate  # (N, 2)
    log_mixed = _normalised(factors[:, :1] * parts[0] + factors[:, 1:] * parts[1])
    q = np.exp(log_mixed)
    means = [(q * part).sum(1) for part in parts]
    gradient = [x.T @ (mean - part[rows, targets]) for part, mean in zip(parts, means, strict=True)]
    blocks = [
        [
            (x * ((q * parts[i] * parts[j]).sum(1) - means[i] * means[j])[:, None]).T @ x
            for j in range(2)
        ]
        for i in range(2)
    ]
    away, prior = (gate - NETWORK_ALONE).T.ravel(), np.tile(PRIOR, 2)
    nats = -log_mixed[rows, targets].sum() + (prior * away**2).sum() / 2
    curvature = np.block(blocks) + np.diag(prior)
    return float(nats), np.concatenate(gradient) + prior * away, curvature


def _normalised(scores: Floats) -> Floats:
    scores = scores - scores.max(1, keepdims=True)
    scores -= np.log(np.exp(scores).sum(1, keepdims=True))
    return scores
