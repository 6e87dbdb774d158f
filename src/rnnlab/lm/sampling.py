"""The next token from a model's output: the likeliest, or a draw."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rnnlab.errors import DivergenceError

IMPOSSIBLE = float("-inf")
"""The logit, or the log probability, of a token that is never chosen."""


def choose_tokens(
    logits: NDArray[np.floating],
    uniforms: Sequence[float],
    *,
    temperature: float = 1.0,
    top_k: int = 0,
    top_p: float = 1.0,
    min_p: float = 0.0,
    repetition_penalty: float = 1.0,
    forbidden: int = -1,
    allowed: NDArray[np.bool_] | None = None,
    written: NDArray[np.bool_] | None = None,
    bias: NDArray[np.float32] | None = None,
) -> list[int]:
    """Pick a token for each row of logits (B, V).

    uniforms: a random number in [0, 1) for each row. bias (V,) is added to the logits first. What
    is done then, in this order:

    1. Only the tokens in `allowed` (B, V) can be picked, and never `forbidden` (-1: none); the
       probabilities of the others are renormalised.
    2. ln p of the tokens in `written` (B, V) is multiplied by repetition_penalty R: p becomes p^R
       and is renormalised. This is the rule of Keskar et al. 2019 (CTRL, arXiv:1909.05858, section
       4.1) for logits below zero, with ln p, which is never above, as the logit. So it is the same
       for all logits that mean the same probabilities.
    3. temperature divides the logits; 0 picks the likeliest token.
    4. top_k keeps the K largest logits (ties kept); 0 keeps all.
    5. top_p keeps the smallest set of likeliest tokens whose probability reaches P (nucleus
       sampling, Holtzman et al. 2020, arXiv:1904.09751, section 3.1).
    6. min_p keeps the tokens whose probability is at least P times that of the likeliest (Nguyen et
       al. 2024, arXiv:2407.01082, section 3).

    Raises DivergenceError if a logit is NaN or infinite.
    """
    if not np.isfinite(logits).all():
        raise not_finite()
    if bias is not None:
        logits = logits + bias
    if allowed is not None:
        logits = np.where(allowed, logits, IMPOSSIBLE)
    if forbidden >= 0:
        logits = logits.copy()
        logits[:, forbidden] = IMPOSSIBLE
    if written is not None and repetition_penalty != 1:
        ln_p = log_softmax(logits)
        logits = np.where(written, ln_p * repetition_penalty, ln_p)
    if temperature == 0:
        return [int(token) for token in logits.argmax(1)]
    # Subtracting the largest first keeps tiny temperatures finite.
    scores = logits.astype(np.float64)
    with np.errstate(over="ignore"):
        scores = (scores - scores.max(1, keepdims=True)) / temperature
    V = scores.shape[1]
    if 0 < top_k < V:
        smallest = np.partition(scores, V - top_k, axis=1)[:, V - top_k, None]
        scores[scores < smallest] = IMPOSSIBLE
    weights = np.exp(scores)
    order = np.argsort(-weights, axis=1, kind="stable")
    rows = np.arange(len(weights))[:, None]
    p = weights[rows, order] / weights.sum(1, keepdims=True)
    before = p.cumsum(1) - p
    p[(before >= top_p) | (p < min_p * p[:, :1])] = 0.0
    picks = [
        int(np.searchsorted(row, uniform * row[-1], side="right"))
        for row, uniform in zip(p.cumsum(1), uniforms, strict=True)
    ]
    return [int(order[row, pick]) for row, pick in enumerate(picks)]


def log_softmax(logits: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return ln p (..., V) of logits (..., V), -inf where a logit is."""
    scores = logits.astype(np.float64)
    scores -= scores.max(-1, keepdims=True)
    found: NDArray[np.float64] = scores - np.log(np.exp(scores).sum(-1, keepdims=True))
    return found


def draw_uniforms(seed: int, row: int, count: int, first: int = 0) -> NDArray[np.float64]:
    """Return `count` random numbers in [0, 1) for one text; each row has a generator of its own.

    first: so many numbers of the generator are left out.
    """
    generator = np.random.PCG64((seed, row))
    return np.random.Generator(generator.advance(first)).random(count)


def not_finite() -> DivergenceError:
    """Return the error for a model whose output is NaN or infinite."""
    return DivergenceError("the model's output is NaN or infinite; its weights are unusable")
