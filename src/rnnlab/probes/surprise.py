"""How surprising each token is, and what the model expected instead.

    s_t = -log2 p(x_t | x_<t)        H_t = -Σ_v p(v | x_<t) log2 p(v | x_<t)

s_t minus that of the n-gram model shows where the network knows more than the last few tokens.

Legend: N tokens, K alternatives, V vocabulary size.
"""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import torch

from rnnlab.console import counted
from rnnlab.data.tokenizer import Ids
from rnnlab.errors import UsageError
from rnnlab.lm.evaluate import Floats, ShareCallback, unwatched
from rnnlab.lm.model import evaluating
from rnnlab.lm.ngram_mixture import log_softmax, mixed
from rnnlab.lm.sampling import not_finite
from rnnlab.probes.reading import Reading
from rnnlab.probes.result import ProbeResult

ALTERNATIVES = 5
SHOWN_PARTS = 5
"""Of those that are not in the vocabulary."""
MAX_CELLS = 2_000_000
"""Probabilities in memory at a time."""
BITS = 1 / math.log(2)


@dataclass(frozen=True)
class Surprise(ProbeResult):
    """The surprise of each target: all tokens but the first, which is given."""

    name: ClassVar[str] = "surprise"
    title: ClassVar[str] = "Surprise"
    axes: ClassVar[dict[str, tuple[str, ...]]] = {
        "bits": ("target",), "network_bits": ("target",), "ngram_bits": ("target",),
        "spelling_bits": ("target",), "entropy": ("target",), "rank": ("target",),
        "alternatives": ("target", "alternative"), "probabilities": ("target", "alternative"),
    }  # fmt: skip

    tokens: tuple[str, ...]
    """The text of all N tokens."""
    vocabulary: dict[int, str]
    """The text of each alternative by its id."""
    bits: Floats  # (N-1,) s_t of the model: with an n-gram model, of both together
    network_bits: Floats  # (N-1,) of the network alone
    ngram_bits: Floats | None  # (N-1,) of the n-gram model alone; None: none joins the network
    spelling_bits: Floats  # (N-1,) what it costs more to write out what is not in the vocabulary
    entropy: Floats  # (N-1,) H_t in bits
    rank: Ids  # (N-1,) of the target among all V; 1: nothing is likelier
    alternatives: Ids  # (N-1, K) the likeliest tokens, from the likeliest on
    probabilities: npt.NDArray[np.float32]  # (N-1, K)
    characters: int
    unknown: dict[str, int]
    """Parts that are not in the vocabulary, with how often they occur."""

    def sentences(self) -> list[str]:
        """See `ProbeResult.sentences`; the control of the network is the n-gram model."""
        total = self.bits.sum() / max(1, self.characters)
        first = (self.rank == 1).mean()
        found = [
            f"The text takes {total:.3f} bits per character; "
            f"{first:.0%} of the tokens are those that the model expects most."
        ]
        if self.unknown:
            parts = ", ".join(map(repr, list(self.unknown)[:SHOWN_PARTS]))
            found.append(
                f"{counted(sum(self.unknown.values()), 'token')} not in the vocabulary, read as "
                f"<unk>: {parts}{' ...' if len(self.unknown) > SHOWN_PARTS else ''}."
            )
        if self.ngram_bits is None:
            return found
        gain = self.ngram_bits - self.network_bits
        ahead, behind = (gain > 1).mean(), (gain < -1).mean()
        return [
            *found,
            f"The network is more than 1 bit ahead of the n-gram model at {ahead:.0%} of the "
            f"tokens, and more than 1 bit behind it at {behind:.0%}.",
        ]


def surprise(
    reading: Reading,
    alternatives: int = ALTERNATIVES,
    progress: ShareCallback = unwatched,
) -> Surprise:
    """Measure the surprise of a text, read from a state of zeros.

    Raises UsageError if `alternatives` is below 1, DivergenceError for output that is NaN or
    infinite.
    """
    if alternatives < 1:
        raise UsageError(f"alternatives must be 1 or above, not {alternatives}")
    network, mixture = reading.model.model, reading.model.mixture
    V, compute = network.vocabulary_size, reading.model.compute
    K, chunk = min(alternatives, V), max(1, MAX_CELLS // V)
    ids, state = reading.ids.astype(np.int64), network.zero_state(1)
    parts = []
    for begin in range(0, len(ids) - 1, chunk):
        now, targets = ids[begin : begin + chunk][: len(ids) - 1 - begin], ids[begin + 1 :][:chunk]
        with compute.using_threads(), torch.inference_mode(), evaluating(network):
            inputs = torch.from_numpy(now)[:, None].to(compute.device)
            with compute.autocast():
                logits, state = network(inputs, state, compute.engine)
            log_p = alone = log_softmax(logits.float())
        if not np.isfinite(alone[:, 0]).all():  # one that is not makes its whole row so
            raise not_finite()
        ngram = None
        if mixture is not None:
            # The n-grams of the first of these tokens reach back before them.
            before = ids[max(0, begin - mixture.table.reach) : begin + len(now)]
            found = mixture.table.predict(before[:, None], len(before) - len(now))
            ngram = np.log(np.concatenate(list(found)))
            log_p = mixed(mixture.gate, alone, ngram)
        parts.append(_measured(log_p, alone, ngram, targets, K))
        progress((begin + len(now)) / (len(ids) - 1))
    bits, network_bits, ngram_bits, entropy, rank, best, p = map(
        np.concatenate, zip(*parts, strict=True)
    )
    decode = reading.model.tokenizer.decode
    return Surprise(
        tokens=tuple(reading.tokens),
        vocabulary={v: decode([v]) for v in np.unique(best).tolist()},
        bits=bits, network_bits=network_bits,
        ngram_bits=None if mixture is None else ngram_bits,
        spelling_bits=_spelling(reading), entropy=entropy, rank=rank, alternatives=best,
        probabilities=p,
        characters=len(reading.text) - int(reading.ends[0]), unknown=reading.unknown,
    )  # fmt: skip


def _spelling(reading: Reading) -> Floats:
    """Return the bits (N-1,) that tell which of all unknown parts an <unk> stands for."""
    tokenizer, bits = reading.model.tokenizer, np.zeros(len(reading))
    for i in np.flatnonzero(reading.ids == tokenizer.unknown_id).tolist():
        begin = int(reading.ends[i - 1]) if i else 0
        bits[i] = BITS * tokenizer.spelling_nats(reading.text[begin : reading.ends[i]])
    return bits[1:]


def _measured(
    log_p: Floats, alone: Floats, ngram: Floats | None, targets: Ids, K: int
) -> tuple[npt.NDArray[np.generic], ...]:
    """Return everything about targets (n,) under ln p (n, V)."""
    rows = np.arange(len(targets))
    own = log_p[rows, targets]
    p = np.exp(log_p)
    best = np.argpartition(-log_p, K - 1, axis=1)[:, :K]
    order = np.argsort(-np.take_along_axis(log_p, best, 1), axis=1, kind="stable")
    best = np.take_along_axis(best, order, 1)
    of_ngram = np.zeros(len(targets)) if ngram is None else ngram[rows, targets]
    return (
        -BITS * own, -BITS * alone[rows, targets], -BITS * of_ngram,
        -BITS * np.where(p > 0, p * log_p, 0.0).sum(1), 1 + (log_p > own[:, None]).sum(1),
        best, np.take_along_axis(p, best, 1).astype(np.float32),
    )  # fmt: skip
