"""The next token from a model's output: the likeliest, or a draw."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rnnlab.errors import DivergenceError

IMPOSSIBLE = float("-inf")
"""The logit, or the log probability, of a token that is never chosen."""


def choose_tokens(
    logits: Tensor,
    uniforms: Sequence[float],
    *,
    temperature: float = 1.0,
    top_k: int = 0,
    top_p: float = 1.0,
    forbidden: int = -1,
) -> list[int]:
    """Pick a token for each row of logits (B, V), on the CPU.

    uniforms: a random number in [0, 1) for each row. temperature divides the logits; 0 picks the
    likeliest token. top_k keeps the K largest logits (ties kept); 0 keeps all. top_p keeps the
    smallest set of likeliest tokens whose probability reaches P (nucleus sampling, Holtzman et al.
    2020, arXiv:1904.09751, section 3.1). forbidden: a token that is never picked; -1: none.

    Raises DivergenceError if a logit is NaN or infinite.
    """
    if not logits.isfinite().all():
        raise not_finite()
    if forbidden >= 0:
        logits = logits.index_fill(1, torch.tensor([forbidden]), IMPOSSIBLE)
    if temperature == 0:
        return [int(token) for token in logits.argmax(dim=1)]
    # Subtracting the largest first keeps tiny temperatures finite.
    logits = (logits - logits.max(dim=1, keepdim=True).values).double() / temperature
    if 0 < top_k < logits.shape[1]:
        smallest = logits.topk(top_k, dim=1).values[:, -1:]
        logits = logits.masked_fill(logits < smallest, IMPOSSIBLE)
    p, order = logits.softmax(dim=1).sort(dim=1, descending=True, stable=True)
    before = p.cumsum(dim=1) - p
    p = p.masked_fill(before >= top_p, 0.0)
    cumulated = p.cumsum(dim=1).numpy()
    picks = [
        int(np.searchsorted(row, uniform * row[-1], side="right"))
        for row, uniform in zip(cumulated, uniforms, strict=True)
    ]
    return [int(order[row, pick]) for row, pick in enumerate(picks)]


def draw_uniforms(seed: int, row: int, count: int) -> NDArray[np.float64]:
    """Return `count` random numbers in [0, 1) for one text; each row has a generator of its own."""
    return np.random.default_rng((seed, row)).random(count)


def not_finite() -> DivergenceError:
    """Return the error for a model whose output is NaN or infinite."""
    return DivergenceError("the model's output is NaN or infinite; its weights are unusable")
