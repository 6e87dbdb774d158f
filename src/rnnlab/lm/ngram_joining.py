"""Let an n-gram model of the training text join a trained network.

The beginning of the training text is kept from both: the network is not trained on it, and its
n-grams are not counted. There the gate learns how far each of them can be trusted on new text. It
is the beginning because the end is closest to the held-out text, and worth more for learning.

Legend: M tokens of training text, S of them at its beginning, V vocabulary size.
"""

import time
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import torch

from rnnlab.data.tokenizer import Ids
from rnnlab.lm.compute import Compute
from rnnlab.lm.model import LanguageModel, evaluating
from rnnlab.lm.ngram import Floats
from rnnlab.lm.ngram_mixture import NGramMixture, fit_gate, log_softmax
from rnnlab.lm.ngram_table import MAX_CELLS, NGramTable

GATE_SHARE = 0.05
MAX_GATE_TOKENS = 5_000
"""S is this share of the training text, at most so many tokens: enough for four weights."""

MAX_COUNTED = 4_000_000
"""Only the end of a longer text is counted, so that it takes seconds."""

GATE_COLUMNS = 16
"""The beginning is read as so many sequences next to each other, which is faster."""

SECONDS_PER_CELL = 3e-7
"""Time to fit a gate, for each of N · V probabilities, on a core of 2023."""

WARM_UP = 128
"""Tokens that each sequence reads before its first target, so that its state is that of a running
text."""


def gate_tokens(tokens: int) -> int:
    """Return S for a training text of M tokens, at least 2."""
    return max(2, min(int(tokens * GATE_SHARE), MAX_GATE_TOKENS))


@dataclass(frozen=True)
class CountedNGrams:
    """The n-grams of a training text without its beginning."""

    table: NGramTable
    beginning: Ids  # (S,)
    seconds: float
    """How long counting took."""

    @classmethod
    def count(
        cls,
        ids: npt.NDArray[np.integer],
        vocabulary_size: int,
        order: int,
        start: int | None = None,
    ) -> Self:
        """Count the n-grams of a training text (M,); start: see `NGram`."""
        began = time.perf_counter()
        size = gate_tokens(len(ids))
        counted = ids[size:][-MAX_COUNTED:].astype(np.int64)
        table = NGramTable.count(counted, vocabulary_size, order, start)
        return cls(table, ids[:size].astype(np.int64), time.perf_counter() - began)

    @property
    def seconds_to_join(self) -> float:
        """Estimate how long fitting the gates of two checkpoints takes."""
        cells = min(len(self.beginning) * self.table.vocabulary_size, MAX_CELLS)
        return 2 * SECONDS_PER_CELL * cells

    def join(self, model: LanguageModel, compute: Compute) -> NGramMixture:
        """Fit the gate to a network and return the mixture."""
        ids, targets = self._columns()
        begin = len(ids) - len(targets)
        log_p = _read(model, compute, ids, begin)
        log_q = np.log(np.concatenate(list(self.table.predict(ids, begin))))
        return NGramMixture(self.table, fit_gate(log_p, log_q, targets.ravel()))

    def _columns(self) -> tuple[Ids, Ids]:
        """Return inputs (W + T, C), the first W of which only warm up, and targets (T, C).

        At most MAX_CELLS // V targets, evenly spread in C columns.
        """
        text, most = self.beginning, max(1, MAX_CELLS // self.table.vocabulary_size)
        warm_up = min(len(text) - 1, WARM_UP, max(1, len(text) // 2))
        columns = max(1, min(GATE_COLUMNS, len(text) // (2 * WARM_UP)))
        length = max(1, min((len(text) - warm_up) // columns, most // columns))
        starts = np.linspace(warm_up, len(text) - length, columns, dtype=np.int64)
        places = starts + np.arange(-warm_up, length)[:, None]
        return text[places[:-1]], text[places[warm_up:]]


def _read(model: LanguageModel, compute: Compute, ids: Ids, begin: int) -> Floats:
    """Return ln p (N, V) of what follows each of ids[begin:] (T, C), by the network."""
    with (
        compute.using_threads(), torch.inference_mode(), evaluating(model), compute.autocast()
    ):  # fmt: skip
        tokens = torch.from_numpy(ids).to(compute.device)
        state = model.zero_state(ids.shape[1])
        features, _ = model.features(tokens, state, compute.engine)
        return log_softmax(model.output(features[begin:]).float())
