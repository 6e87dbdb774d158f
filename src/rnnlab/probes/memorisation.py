"""How much of what a model writes stands word for word in its training text.

For every place of a written text, the longest passage that begins there and stands in the training
text (`rnnlab.data.copies.copy_lengths`). Any text shares phrases with any other, so the controls
are what an n-gram model of the training text writes at the same temperature, and held-out text,
which people wrote who had not the training text in mind. All three have the same number of pieces
of the same length; a piece is one observation, and the intervals are Welch's for two means.

Legend: S sources of text, B pieces, L lengths, V vocabulary size, T tokens.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from scipy.special import stdtrit

from rnnlab.data.copies import COPY, copy_lengths
from rnnlab.data.tokenizer import Ids
from rnnlab.errors import CorpusError, UsageError
from rnnlab.lm.evaluate import Floats, ShareCallback, unwatched
from rnnlab.lm.ngram_joining import MAX_COUNTED
from rnnlab.lm.ngram_table import NGramTable
from rnnlab.lm.text_model import TextModel
from rnnlab.probes.result import ProbeResult

PIECES, LENGTH = 16, 1000
ORDER = 6
"""Of the n-gram model, if none joins the network."""
TEMPERATURE = 1.0
CONFIDENCE = 0.95
SHORTEST = 2
"""Characters that a piece needs."""
SHOWN = 80
"""Characters of the longest passage that a sentence shows."""
WRITERS = {"model": "the model", "ngram": "the n-gram model", "held_out": "held-out text"}


@dataclass(frozen=True)
class Memorisation(ProbeResult):
    """Passages of written text that stand in the training text."""

    name: ClassVar[str] = "memorisation"
    title: ClassVar[str] = "Memorisation"
    axes: ClassVar[dict[str, tuple[str, ...]]] = {
        "counts": ("source", "length"), "mean": ("source",), "high": ("source",),
        "longest": ("source",), "copied_share": ("source",), "lead": ("source",),
        "lead_low": ("source",), "lead_high": ("source",),
    }  # fmt: skip

    sources: tuple[str, ...]
    """The model, and its controls: ngram, and held_out if there is such a text."""
    temperature: float
    pieces: int
    characters: int
    """Of each source."""
    train_characters: int
    ngram_order: int
    counts: Ids  # (S, L) places whose longest passage has 0, 1, .. characters
    mean: Floats  # (S,) characters of the longest passage, over all places
    high: Floats  # (S,) its 95th percentile
    longest: Ids  # (S,)
    longest_text: tuple[str, ...]
    """The longest passage of each source."""
    copied_share: Floats  # (S,) of the characters: in passages of COPY characters or more
    lead: Floats  # (S,) by how much the model's mean exceeds this one's
    lead_low: Floats  # (S,) of the 95% interval; NaN for the model itself
    lead_high: Floats  # (S,)

    @property
    def is_beyond_controls(self) -> bool:
        """Whether the model's passages are longer than those of every control, by the intervals."""
        return bool((self.lead_low[1:] > 0).all())

    def sentences(self) -> list[str]:
        """See `ProbeResult.sentences`."""
        told = [
            f"{WRITERS[name]}: {self.mean[s]:.1f} on average, {self.longest[s]:,} at most"
            for s, name in enumerate(self.sources)
        ]
        shown = self.longest_text[0]
        shown = repr(shown if len(shown) <= SHOWN else f"{shown[:SHOWN]}...")
        against = " and ".join(
            f"{self.lead[s]:+.1f} against {WRITERS[name]} "
            f"(95%: {self.lead_low[s]:+.1f} to {self.lead_high[s]:+.1f})"
            for s, name in enumerate(self.sources)
            if s
        )
        verdict = (
            "The model copies more than its controls"
            if self.is_beyond_controls
            else "Nothing found beyond the control: the model does not copy more than all of them"
        )
        return [
            f"Characters in a row that stand in the training text: {'; '.join(told)}.",
            f"{verdict}: {against} on average.",
            f"{self.copied_share[0]:.1%} of what the model writes is in copies of {COPY} "
            f"characters or more; the longest is {shown}.",
        ]


def memorisation(
    model: TextModel,
    train: str,
    held_out: str = "",
    *,
    pieces: int = PIECES,
    length: int = LENGTH,
    temperature: float = TEMPERATURE,
    seed: int = 0,
    progress: ShareCallback = unwatched,
) -> Memorisation:
    """Let a model write, and look everything up in its training text.

    train, held_out: under the model's text rule (`rnnlab.runs.evaluation.training_data` has them;
    of a long text what it keeps in memory). length: of each piece [tokens].

    Raises CorpusError for a held-out or training text that is too short, UsageError for fewer than
    two pieces and a model of samples; UnavailableError if pydivsufsort is not installed.
    """
    _check(model, train, pieces)
    written = model.generate([""] * pieces, length=length, temperature=temperature, seed=seed)
    progress(0.3)
    table = _ngrams(model, train)
    by_ngram = write_by_ngrams(model, table, pieces, length, temperature, seed)
    progress(0.6)
    size = min(map(len, [*written, *by_ngram]))
    if held_out:
        size = min(size, len(held_out) // pieces)
        if size < SHORTEST:
            raise CorpusError(
                f"a held-out text of {len(held_out):,} characters is too short for {pieces} pieces"
            )
    texts = {
        "model": [text[:size] for text in written],
        "ngram": [text[:size] for text in by_ngram],
    }
    if held_out:
        begins = np.linspace(0, len(held_out) - size, pieces).astype(int)
        texts["held_out"] = [held_out[begin : begin + size] for begin in begins]
    found = copy_lengths([piece for own in texts.values() for piece in own], train)
    progress(1.0)
    lengths = np.array(found).reshape(len(texts), pieces, size)
    order = len(table.orders)
    return _summary(texts, lengths, temperature, len(train), order)


def _check(model: TextModel, train: str, pieces: int) -> None:
    if model.network.start is not None:
        raise UsageError(
            "memorisation needs a model of running text; the samples of this model each begin anew"
        )
    if pieces < 2:
        raise UsageError(f"pieces must be 2 or above, not {pieces}")
    if len(train) < SHORTEST:
        raise CorpusError(f"a training text of {len(train)} characters has nothing to be copied")


def _ngrams(model: TextModel, train: str) -> NGramTable:
    """Return the n-gram model that joins the network, or else one of the training text's end."""
    if model.mixture is not None:
        return model.mixture.table
    ids = model.tokenizer.encode(train)[-MAX_COUNTED:]
    return NGramTable.count(ids, model.tokenizer.size, ORDER)


def write_by_ngrams(
    model: TextModel, table: NGramTable, pieces: int, length: int, temperature: float, seed: int
) -> list[str]:
    """Let an n-gram model write texts of T tokens, each after the start of a text without prefix.

    Drawn from p^(1 / temperature), normalised, without <unk>; at 0 the likeliest token.
    """
    rng = np.random.default_rng(seed)
    start = model.tokenizer.start_ids()
    ids = np.empty((len(start) + length, pieces), np.int64)
    ids[: len(start)] = start[:, None]
    for t in range(len(start), len(ids)):
        before = ids[max(0, t - table.reach - 1) : t]
        (p,) = table.predict(before, len(before) - 1)  # (B, V)
        if model.tokenizer.unknown_id is not None:
            p[:, model.tokenizer.unknown_id] = 0
        ids[t] = _drawn(p, temperature, rng)
    return [model.tokenizer.decode(column) for column in ids[len(start) :].T]


def _drawn(p: Floats, temperature: float, rng: np.random.Generator) -> Ids:
    if not temperature:
        return np.asarray(p.argmax(1))
    with np.errstate(divide="ignore"):
        scores = np.log(p) / temperature
    # The largest of scores with Gumbel noise is a draw (Maddison, Tarlow and Minka 2014).
    return np.asarray((scores + rng.gumbel(size=p.shape)).argmax(1))


def _summary(
    texts: dict[str, list[str]],
    lengths: npt.NDArray[np.int64],
    temperature: float,
    train: int,
    order: int,
) -> Memorisation:
    """Summarise the longest passage (S, B, places) of each place of each source."""
    flat = lengths.reshape(len(lengths), -1)
    longest = flat.max(1)
    shown = []
    for own, places, most in zip(texts.values(), lengths, longest.tolist(), strict=True):
        piece, place = np.unravel_index(places.argmax(), places.shape)
        shown.append(own[piece][place : place + most])
    of_pieces = lengths.mean(2)  # (S, B)
    leads = np.array([_lead(of_pieces[0], each) for each in of_pieces])  # (S, 3)
    leads[0] = 0.0, np.nan, np.nan
    counts = np.array([np.bincount(own, minlength=longest.max() + 1) for own in flat])
    return Memorisation(
        sources=tuple(texts), temperature=temperature, pieces=lengths.shape[1],
        characters=flat.shape[1], train_characters=train, ngram_order=order, counts=counts,
        mean=flat.mean(1), high=np.percentile(flat, 95, axis=1), longest=longest,
        longest_text=tuple(shown),
        copied_share=np.array([np.mean([_copied(piece) for piece in own]) for own in lengths]),
        lead=leads[:, 0], lead_low=leads[:, 1], lead_high=leads[:, 2],
    )  # fmt: skip


def _copied(lengths: Ids) -> float:
    """Return the share of a piece's characters that are in copies of COPY characters or more."""
    places = np.arange(len(lengths))
    reached = np.maximum.accumulate(np.where(lengths >= COPY, places + lengths, 0))
    return float((reached > places).mean())


def _lead(one: Floats, other: Floats) -> tuple[float, float, float]:
    """Return the difference of the means of B pieces each, with its interval (Welch 1947)."""
    apart = float(one.mean() - other.mean())
    a, b = (each.var(ddof=1) / len(each) for each in (one, other))
    if not a + b:  # all pieces alike
        return apart, apart, apart
    degrees = (a + b) ** 2 / ((a**2 + b**2) / (len(one) - 1))
    half = float(stdtrit(degrees, (1 + CONFIDENCE) / 2) * np.sqrt(a + b))
    return apart, apart - half, apart + half
