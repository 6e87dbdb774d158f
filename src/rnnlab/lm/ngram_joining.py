"""Let an n-gram model of the training text join a trained network.

Some parts of the training text are kept from both: the network is not trained on them, and their
n-grams are not counted. There the gate learns how far each of them can be trusted on new text.
Half of these tokens are the beginning of the text: as in held-out text, nothing stands right before
them. The other half is spread over the text, since a beginning may be unlike the rest of it. The
end is close to the held-out text, and worth more for learning.

Legend: M tokens of training text, S of them kept for the gate, V vocabulary size.
"""

import time
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import torch

from rnnlab.data.batches import without
from rnnlab.data.tokenizer import Ids
from rnnlab.lm.compute import Compute
from rnnlab.lm.model import LanguageModel, evaluating
from rnnlab.lm.ngram import Floats
from rnnlab.lm.ngram_mixture import NGramMixture, fit_gate, log_softmax
from rnnlab.lm.ngram_table import MAX_CELLS, NGramTable

GATE_SHARE = 0.05
MAX_GATE_TOKENS = 5_000
"""S is this share of the training text, at most so many tokens: enough for four weights."""

SPREAD_PARTS = 4
"""So many parts are spread over a text that is long enough for MAX_GATE_TOKENS."""

MAX_COUNTED = 4_000_000
"""Only the end of a longer text is counted, so that it takes seconds."""

GATE_COLUMNS = 16
"""What is kept is read as about so many sequences next to each other, which is faster."""

SECONDS_PER_CELL = 3e-7
"""Time to fit a gate, for each of N · V probabilities, on a core of 2023."""

WARM_UP = 128
"""Tokens that each sequence reads before its first target, so that its state is that of a running
text."""


def gate_slices(tokens: int, start: int | None = None) -> tuple[slice, ...]:
    """Return the parts of a training text of M tokens that are kept for the gate, in order.

    At least two tokens. Only the beginning of samples, which are in no order, if start is given;
    of a short text, whose parts would be too short; and of a text longer than MAX_COUNTED, which
    may not fit in memory, so that what is left must be one part.
    """
    size = max(2, min(int(tokens * GATE_SHARE), MAX_GATE_TOKENS))
    if start is not None or size < MAX_GATE_TOKENS or tokens > MAX_COUNTED:
        return (slice(0, size),)
    part = size // 2 // SPREAD_PARTS
    spread = (tokens * k // (SPREAD_PARTS + 1) for k in range(1, SPREAD_PARTS + 1))
    return (slice(0, size // 2), *(slice(at, at + part) for at in spread))


@dataclass(frozen=True)
class CountedNGrams:
    """The n-grams of a training text without the parts that are kept for the gate."""

    table: NGramTable
    kept: tuple[Ids, ...]
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
        parts = gate_slices(len(ids), start)
        counted = without(ids, parts)[-MAX_COUNTED:].astype(np.int64)
        table = NGramTable.count(counted, vocabulary_size, order, start)
        kept = tuple(ids[part].astype(np.int64) for part in parts)
        return cls(table, kept, time.perf_counter() - began)

    @property
    def seconds_to_join(self) -> float:
        """Estimate how long fitting the gates of two checkpoints takes."""
        cells = min(sum(map(len, self.kept)) * self.table.vocabulary_size, MAX_CELLS)
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

        About MAX_CELLS // V targets at most. Each part gives its columns, evenly spread in it.
        """
        sizes = [len(part) for part in self.kept]
        most = max(1, MAX_CELLS // self.table.vocabulary_size)
        warm_up = min(min(sizes) - 1, WARM_UP, max(1, min(sizes) // 2))
        columns = [
            max(1, min(GATE_COLUMNS * size // sum(sizes), size // (2 * WARM_UP))) for size in sizes
        ]
        room = min((size - warm_up) // count for size, count in zip(sizes, columns, strict=True))
        length = max(1, min(room, most // sum(columns)))
        inputs, targets = list[Ids](), list[Ids]()
        for part, count in zip(self.kept, columns, strict=True):
            starts = np.linspace(warm_up, len(part) - length, count, dtype=np.int64)
            places = starts + np.arange(-warm_up, length)[:, None]
            inputs.append(part[places[:-1]])
            targets.append(part[places[warm_up:]])
        return np.concatenate(inputs, 1), np.concatenate(targets, 1)


def _read(model: LanguageModel, compute: Compute, ids: Ids, begin: int) -> Floats:
    """Return ln p (N, V) of what follows each of ids[begin:] (T, C), by the network."""
    with (
        compute.using_threads(), torch.inference_mode(), evaluating(model), compute.autocast()
    ):  # fmt: skip
        tokens = torch.from_numpy(ids).to(compute.device)
        state = model.zero_state(ids.shape[1])
        features, _ = model.features(tokens, state, compute.engine)
        return log_softmax(model.output(features[begin:]).float())
