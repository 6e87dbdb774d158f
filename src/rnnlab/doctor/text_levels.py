"""What simple predictors reach on the training text of a run, and what is copied from it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from rnnlab.data.copies import Copies
from rnnlab.lm.ngram import NGram

MAX_TOKENS = 500_000
"""Only the end of a longer text is used: it is enough to estimate token frequencies."""

TRAIN_SHARE = 0.9
"""The n-gram models learn from this share of the text and are scored on the rest."""


@dataclass(frozen=True)
class TextLevels:
    """Nats per token that are reached without a network."""

    tokens: int
    """Length of the training split."""
    unigram_nats: float
    """Entropy of the token frequencies: the loss of a network that ignores its input."""
    gain_by_one_token: float
    """Share by which a bigram model predicts new text better than a unigram model."""
    copies: Mapping[str, Copies] = field(default_factory=dict)
    """What of each held-out split stands in the training text."""


def text_levels(
    ids: npt.NDArray[Any], vocabulary_size: int, copies: Mapping[str, Copies]
) -> TextLevels:
    """Measure the training split: ids (N,), N at least 2."""
    part = ids[-MAX_TOKENS:].astype(np.int64)
    counts = np.bincount(part)
    shares = counts[counts > 0] / len(part)
    unigram_nats = float(-(shares * np.log(shares)).sum())
    cut = max(1, int(len(part) * TRAIN_SHARE))
    gain = 0.0
    if len(part) - cut > 1:
        unigram, bigram = NGram(part[:cut], vocabulary_size, 2).nats(part[cut:])
        gain = 1 - bigram / unigram if unigram_nats else 0.0
    return TextLevels(len(ids), unigram_nats, gain, copies)
