r"""How far back a network reaches: its gradient, and the context that its predictions need.

Gradient reach: how much the prediction of a token depends, to first order, on the token k before,

    mean over t of || d ln p(x_t) / d e_(t-k) ||        k = 1 .. K

where e is the vector by which a token enters the network. All paths count, through h and through c
(`rnnlab.lm.gradient_flow` also has the part that flows through h alone). p(x_t) does not depend on
e_t, so that k begins at 1. The control is the untrained twin: how fast its gradient vanishes is
what the cell does by itself (Hochreiter and Schmidhuber 1997, Neural Computation 9(8), section 1).

Context reach, causally: the loss if only the last k tokens are seen, from a state of zeros, minus
the loss with all of the text before, on the same targets (Khandelwal et al. 2018, arXiv:1805.04623,
section 4). The targets are in blocks, evenly spread; a block is one observation, since neighbouring
targets are not independent, and the interval is Student's for the mean of blocks.

Both are those of the network alone: an n-gram model that joins it would hide how far it reaches.

Legend: N tokens, K lags, C contexts, B blocks of S targets.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from scipy.special import stdtrit

from rnnlab.cells import short_name
from rnnlab.data.tokenizer import Ids
from rnnlab.engines.threads import using_threads
from rnnlab.errors import CorpusError, UsageError
from rnnlab.lm.evaluate import Floats, ShareCallback, target_nats, unwatched
from rnnlab.lm.gradient_flow import input_gradient_norms
from rnnlab.lm.sampling import not_finite
from rnnlab.probes.reading import Reading
from rnnlab.probes.result import ProbeResult
from rnnlab.probes.twin import DEFAULT_SEED, untrained_twin

LAGS = 100
CONTEXTS = (1, 2, 5, 10, 20, 50, 100, 200)
GRADIENT_TARGETS = 64
"""Tokens before which the gradient is followed back."""

BLOCKS = 20
BLOCK, SHORTEST_BLOCK = 100, 5
"""Targets in a block; fewer if the text is short, and contexts that leave too few are left out."""

NEGLIGIBLE = 0.01
"""Bits per character that context further back may be worth and not count."""
FADED = 0.01
"""Share of the gradient at lag 1 below which it has faded."""
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Reach(ProbeResult):
    """How far back a network reaches."""

    name: ClassVar[str] = "reach"
    title: ClassVar[str] = "Reach"
    axes: ClassVar[dict[str, tuple[str, ...]]] = {
        "lags": ("lag",), "gradient": ("lag",), "untrained_gradient": ("lag",),
        "contexts": ("context",), "excess": ("context",), "low": ("context",), "high": ("context",),
    }  # fmt: skip

    cell: str
    unit: str
    """What lags and contexts count: characters or tokens."""
    seed: int
    """Of the untrained network."""
    num_steps: int | None
    """Tokens over which gradients flowed back in training; None: it is not known."""
    has_ngram: bool
    """Whether an n-gram model joins the network, which is measured alone."""
    lags: Ids  # (K,) k
    gradient: Floats  # (K,) mean norm of d ln p(x_t) / d e_(t-k)
    untrained_gradient: Floats  # (K,) the same before training
    contexts: Ids  # (C,) how many tokens are seen
    excess: Floats  # (C,) bits per character more than with all of the context
    low: Floats  # (C,) of the 95% interval
    high: Floats  # (C,)
    bits_per_character: float
    """With all of the context."""
    targets: int

    @property
    def gradient_reach(self) -> int | None:
        """The first lag from which on the gradient is below FADED of that at lag 1; None: none."""
        return _settled(self.lags, self.gradient < FADED * self.gradient[0])

    @property
    def untrained_gradient_reach(self) -> int | None:
        """The same for the untrained network."""
        return _settled(self.lags, self.untrained_gradient < FADED * self.untrained_gradient[0])

    @property
    def context_reach(self) -> int | None:
        """The smallest context from which on the interval has values below NEGLIGIBLE."""
        return _settled(self.contexts, self.low < NEGLIGIBLE)

    def sentences(self) -> list[str]:
        """See `ProbeResult.sentences`."""
        return [self._of_gradient(), self._of_context(), *self._of_ngram()]

    def _of_gradient(self) -> str:
        last, own, other = self.lags[-1], self.gradient_reach, self.untrained_gradient_reach
        fades, before = (
            f"has not faded at {last:,}" if k is None else f"fades to {FADED:.0%} at {k:,}"
            for k in (own, other)
        )
        steps = (
            "" if self.num_steps is None
            else f" In training it flowed back {self.num_steps:,} {self.unit}."
        )  # fmt: skip
        if (own or math.inf) <= (other or math.inf):
            return (
                f"Gradient: nothing found beyond the control. It {fades} {self.unit} back, before "
                f"training it {before}.{steps}"
            )
        return (
            f"The gradient {fades} {self.unit} back; in the same network before training it "
            f"{before}.{steps}"
        )

    def _of_context(self) -> str:
        reach, rest = self.context_reach, f"of {self.targets:,} targets"
        if reach is None:
            return (
                f"Context further back than {self.contexts[-1]:,} {self.unit}, the most that was "
                f"left, still helps: without it {rest} take {self._cost(-1)} more."
            )
        place = int(np.flatnonzero(self.contexts == reach)[0])
        if place == 0:
            return (
                f"Context: nothing found beyond the last {reach:,} {self.unit}; without the others "
                f"the loss {rest} changes by {self._cost(place)}."
            )
        return (
            f"The network uses at most the last {reach:,} {self.unit}: without all others the loss "
            f"{rest} changes by {self._cost(place)}; with only {self.contexts[place - 1]:,} it "
            f"rises by {self._cost(place - 1)}."
        )

    def _cost(self, place: int) -> str:
        low, high = self.low[place], self.high[place]
        return f"{self.excess[place]:.3f} bits per character (95%: {low:.3f} to {high:.3f})"

    def _of_ngram(self) -> list[str]:
        more = "The network is measured alone, without the n-gram model that joins it."
        return [more] if self.has_ngram else []


def _settled(places: Ids, holds: npt.NDArray[np.bool_]) -> int | None:
    """Return the first place from which on it holds."""
    wrong = np.flatnonzero(~holds)
    first = int(wrong[-1]) + 1 if len(wrong) else 0
    return int(places[first]) if first < len(places) else None


def reach(
    reading: Reading,
    *,
    lags: int = LAGS,
    contexts: Sequence[int] = CONTEXTS,
    seed: int = DEFAULT_SEED,
    progress: ShareCallback = unwatched,
) -> Reach:
    """Measure how far back a network reaches in a text.

    contexts: those for which the text is too short are left out. seed: of the run, for the
    untrained twin.

    Raises CorpusError for a text that is too short, UsageError for lags or contexts below 1 and for
    a model of samples, which reads no running text; DivergenceError if the model's output is NaN.
    """
    _check(reading, lags, contexts)
    model, network = reading.model, reading.model.model
    twin = untrained_twin(model, seed).model
    with using_threads(
        1
    ):  # for such small steps, threads wait for each other longer than they work
        norms = [
            input_gradient_norms(each, reading.ids, lags, GRADIENT_TARGETS).mean(0)
            for each in (network, twin)
        ]
    if not np.isfinite(norms[0]).all():
        raise not_finite()
    progress(0.2)
    usable = sorted({k for k in contexts if len(reading) - k >= BLOCKS * SHORTEST_BLOCK})
    targets = spread_targets(len(reading), usable[-1])
    full, excess = context_nats(reading, usable, targets, lambda done: progress(0.2 + 0.8 * done))
    widths = np.diff(reading.ends, prepend=0)[targets]  # (B, S)
    intervals = [per_character(each / math.log(2), widths) for each in excess]
    mean, low, high = (np.array(part) for part in zip(*intervals, strict=True))
    return Reach(
        cell=short_name(network.settings.cell),
        unit="characters" if model.tokenizer.kind == "char" else "tokens",
        seed=seed, num_steps=model.about.get("data", {}).get("num_steps"),
        has_ngram=model.mixture is not None,
        lags=np.arange(1, lags + 1), gradient=norms[0], untrained_gradient=norms[1],
        contexts=np.array(usable), excess=mean, low=low, high=high,
        bits_per_character=float(full.sum() / math.log(2) / widths.sum()), targets=targets.size,
    )  # fmt: skip


def compare_reach(
    readings: Mapping[str, Reading],
    *,
    lags: int = LAGS,
    contexts: Sequence[int] = CONTEXTS,
    seeds: Mapping[str, int] | None = None,
    progress: ShareCallback = unwatched,
) -> dict[str, Reach]:
    """Measure several models on one text, such as an RNN, a GRU and an LSTM; see `reach`.

    readings: of the same text, by name; seeds: of their runs.

    Raises UsageError if there are none or their texts differ, and as `reach` does.
    """
    if not readings:
        raise UsageError("compare_reach needs a model")
    for (first, one), (second, other) in pairwise(readings.items()):
        if one.text != other.text:
            raise UsageError(f"{first} and {second} read different texts; give them the same")
    found = dict[str, Reach]()
    for name, reading in readings.items():

        def watch(share: float, before: int = len(found)) -> None:
            progress((before + share) / len(readings))

        own_seed = (seeds or {}).get(name, DEFAULT_SEED)
        found[name] = reach(reading, lags=lags, contexts=contexts, seed=own_seed, progress=watch)
    return found


def _check(reading: Reading, lags: int, contexts: Sequence[int]) -> None:
    if reading.model.network.start is not None:
        raise UsageError(
            "reach needs a model of running text; the samples of this model each begin anew"
        )
    if lags < 1:
        raise UsageError(f"lags must be 1 or above, not {lags}")
    if not contexts or min(contexts) < 1:
        raise UsageError(f"contexts must be 1 or above, not {', '.join(map(str, contexts))}")
    if len(reading) < (needed := min(contexts) + BLOCKS * SHORTEST_BLOCK):
        raise CorpusError(
            f"a text of {len(reading):,} tokens is too short to measure a context of "
            f"{min(contexts):,}; it needs {needed:,}"
        )


def spread_targets(tokens: int, context: int) -> Ids:
    """Return places of targets (B, S) in a text of N tokens, each with so many tokens before it."""
    size = min(BLOCK, (tokens - context) // BLOCKS)
    starts = np.linspace(context, tokens - size, BLOCKS).astype(np.int64)
    return starts[:, None] + np.arange(size)


def context_nats(
    reading: Reading,
    contexts: Sequence[int],
    targets: Ids,
    progress: ShareCallback = unwatched,
) -> tuple[Floats, list[Floats]]:
    """Return -ln p (B, S) of targets with all of the text before, and for each context the excess.

    targets (B, S): places in the text, each at least the largest context. A context of k is a
    window of the k tokens before a target and of the target, of whose predictions the last but one
    counts: it takes (k+1) / k of the work, and the memory of any other evaluation by windows.
    """
    network, compute, ids = reading.model.model, reading.model.compute, reading.ids
    full = target_nats(network, compute, ids[: targets.max() + 1], "carried")[targets - 1]
    excess, work, done = list[Floats](), sum(contexts) + len(contexts), 0
    for k in contexts:
        windows = ids[targets.ravel()[:, None] + np.arange(-k, 1)]  # (B·S, k+1)

        def watch(share: float, k: int = k, done: int = done) -> None:
            progress((done + share * (k + 1)) / work)

        followed = np.append(windows, windows[-1, -1])  # the last token needs one after it
        nats = target_nats(network, compute, followed, f"windows:{k + 1}", watch)
        excess.append(nats.reshape(windows.shape)[:, k - 1].reshape(targets.shape) - full)
        done += k + 1
    return full, excess


def per_character(bits: Floats, widths: Ids) -> tuple[float, float, float]:
    """Return bits (B, S) per character with a 95% interval; widths: characters of each target.

    A block counts by its characters: the interval is that of a ratio of means.
    """
    sums, sizes = bits.sum(1), widths.sum(1)
    mean = float(sums.sum() / max(1, sizes.sum()))
    apart = sums - mean * sizes
    blocks = len(sums)
    error = math.sqrt((apart**2).sum() / (blocks - 1) / blocks) / max(sizes.mean(), 1 / blocks)
    half = stdtrit(blocks - 1, (1 + CONFIDENCE) / 2) * error
    return mean, mean - half, mean + half
