"""How well a model remembers the canaries of its training text (`rnnlab.data.canaries`).

    exposure = log2 |R| - log2 rank

where R are all codes of the format, and the rank of a canary counts those whose line the model
finds at least as likely, itself included (Carlini et al. 2019, arXiv:1802.08232, definition 4). If
R is too large to try, a random sample of it gives -log2 of the share that is at least as likely
(section 4.3); if that are too few, their lengths -log2 p are taken as a skew normal distribution.

The control is in the measure: a code that was never in the training text has an exposure above x
with probability 2^-x.

Legend: N canaries, C codes, T tokens.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.stats import skewnorm

from rnnlab.data.canaries import Canaries
from rnnlab.data.tokenizer import Ids
from rnnlab.errors import UsageError
from rnnlab.lm.evaluate import Floats, ShareCallback, target_nats, unwatched
from rnnlab.lm.sampling import not_finite
from rnnlab.lm.text_model import TextModel
from rnnlab.probes.result import ProbeResult

SAMPLES = 10_000
"""Codes that are tried; if there are not more of them, all are."""
ENOUGH = 10
"""Samples at least as likely as a canary, from which their share is taken as it is."""
ERROR = 0.05
"""Probability of finding any canary in a model that has seen none."""
NOTHING = "Nothing found beyond the control"


@dataclass(frozen=True)
class Exposure(ProbeResult):
    """The exposure of each canary."""

    name: ClassVar[str] = "exposure"
    title: ClassVar[str] = "Canaries"
    axes: ClassVar[dict[str, tuple[str, ...]]] = {
        "repetitions": ("canary",), "bits": ("canary",), "exposure": ("canary",),
        "found": ("canary",),
    }  # fmt: skip

    lines: tuple[str, ...]
    """The text of each canary."""
    repetitions: Ids  # (N,) in the training text
    bits: Floats  # (N,) -log2 p of its line
    exposure: Floats  # (N,)
    found: np.ndarray[tuple[int], np.dtype[np.bool_]]  # (N,) beyond chance (Bonferroni)
    possible: int
    """Codes of the format, |R|."""
    tried: int
    with_ngram: bool
    """Whether an n-gram model joins the network; both are measured together."""

    @property
    def most(self) -> float:
        """The exposure of a canary that is likelier than all other codes."""
        return math.log2(self.possible)

    @property
    def least(self) -> float:
        """The exposure that one of so many canaries exceeds by chance once in 1/ERROR models."""
        return math.log2(len(self.lines) / ERROR)

    def sentences(self) -> list[str]:
        """See `ProbeResult.sentences`."""
        by_times = [
            f"{self.exposure[self.repetitions == times].mean():.1f} at {times}"
            for times in np.unique(self.repetitions).tolist()
        ]
        verdict = (
            f"{self.found.sum():,} of {len(self.lines):,} canaries are remembered"
            if self.found.any()
            else f"{NOTHING}: none of {len(self.lines):,} canaries is remembered"
        )
        return [
            f"{verdict}; by chance one has an exposure above {self.least:.1f} bits once in "
            f"{1 / ERROR:.0f} models.",
            f"Exposure by the number of repetitions, of {self.most:.1f} bits at most: "
            f"{', '.join(by_times)}.",
        ]


def exposure(
    model: TextModel,
    *,
    samples: int = SAMPLES,
    seed: int = 0,
    progress: ShareCallback = unwatched,
) -> Exposure:
    """Measure how well a model remembers the canaries that its config.json names.

    Raises UsageError if it was trained without any, or samples are fewer than 100; DivergenceError
    if the model's output is NaN.
    """
    if "canaries" not in model.about:
        raise UsageError("this model was trained without canaries; rnnlab train has --canaries N")
    if samples < 100:
        raise UsageError(f"samples must be 100 or above, not {samples}")
    canaries = Canaries.from_dict(model.about["canaries"])
    own = nats_of_codes(model, canaries, canaries.codes)
    if np.isnan(own).any():
        raise not_finite()
    possible, size = canaries.possible, len(canaries.codes[0])
    if possible <= samples:
        tried = ["".join(code) for code in itertools.product(canaries.symbols, repeat=size)]
    else:
        drawn = np.random.default_rng(seed).choice(list(canaries.symbols), (samples, size))
        tried = ["".join(code) for code in drawn]
    nats = nats_of_codes(model, canaries, tried, progress)
    found = estimate(own, nats, possible)
    return Exposure(
        lines=tuple(f"{canaries.before}{code}" for code in canaries.codes),
        repetitions=np.array(canaries.repetitions), bits=own / math.log(2), exposure=found,
        found=np.exp2(-found) * len(found) < ERROR, possible=possible, tried=len(tried),
        with_ngram=model.mixture is not None,
    )  # fmt: skip


def nats_of_codes(
    model: TextModel,
    canaries: Canaries,
    codes: Sequence[str],
    progress: ShareCallback = unwatched,
) -> Floats:
    """Return -ln p (C,) of the line with each code, after a border and from a state of zeros."""
    encoded = [
        model.tokenizer.encode(f"{canaries.border}{canaries.before}{code}") for code in codes
    ]
    sizes, nats = np.array([len(ids) for ids in encoded]), np.empty(len(codes))
    done = 0
    for size in np.unique(sizes).tolist():
        rows = np.flatnonzero(sizes == size)
        ids = np.concatenate([encoded[row] for row in rows])
        # In windows of whole lines the last prediction of each is that of the next line's start.
        found = target_nats(
            model.model, model.compute, np.append(ids, ids[-1]), f"windows:{size}",
            mixture=model.mixture,
        )  # fmt: skip
        nats[rows] = found.reshape(len(rows), size)[:, :-1].sum(1)
        done += len(rows)
        progress(done / len(codes))
    return nats


def estimate(own: Floats, tried: Floats, possible: int) -> Floats:
    """Return the exposure (N,) of canaries that cost `own` nats, where codes cost `tried` (C,).

    tried: of all codes, if they are `possible` many, or else of a sample.
    """
    # Two evaluations of the same line differ by rounding.
    close = own[:, None] * (1 + 1e-6)
    better = (tried < close).sum(1)
    if len(tried) >= possible:
        return np.asarray(np.log2(possible / np.maximum(1, better)))
    with np.errstate(divide="ignore"):
        found = -np.log2(better / len(tried))
    if (few := better < ENOUGH).any():
        shape = skewnorm.fit(tried)
        found[few] = -skewnorm.logcdf(own[few], *shape) / math.log(2)
    return np.asarray(np.clip(found, 0, math.log2(possible)))
