"""How well a model predicts a text, recorded together with how it was measured.

A text of N tokens has N-1 targets: every token but the first is predicted once. The context rule
says what the model has read before each target:

carried    the state starts at zero and is carried through the whole text;
windows:W  the text is cut into windows of W targets, and each starts from a zero state.

A model of samples starts each sample from a zero state, so `carried` is the only rule for it.

Nats per token and perplexity are those of the targets. Bits per character are the length of a code
for all of the text, divided by its characters: -ln p of the targets, ln V for the first token, and
the spelling of unknown tokens (`rnnlab.data.spelling`). So they can be compared between tokenizers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from rnnlab.config.validation import check_context
from rnnlab.data.base_tokenizer import Charges
from rnnlab.data.tokenizer import Ids
from rnnlab.errors import UsageError
from rnnlab.lm.compute import Compute
from rnnlab.lm.ngram_mixture import NGramMixture
from rnnlab.lm.ngram_table import NGramTable
from rnnlab.lm.reading import make_reader
from rnnlab.lm.stored_network import StoredNetwork

if TYPE_CHECKING:
    from rnnlab.lm.model import LanguageModel

Floats = npt.NDArray[np.float64]

ShareCallback = Callable[[float], None]
"""Called with the share of work done so far; an exception from it ends the work."""

CHUNK_TOKENS = 16_384
"""Targets in one forward pass. It bounds memory and does not change the result."""

COLUMNS, COLUMN_TOKENS = 64, 256
"""Samples are read in at most so many columns of about this length or more."""


@dataclass(frozen=True)
class Evaluation:
    """One measurement and its protocol."""

    corpus: str
    corpus_sha256: str
    split: str
    split_characters: int
    """Size of the whole split; of a streamed text only the first `characters` are evaluated."""
    context: str
    tokens: int
    """Targets predicted."""
    characters: int
    """Of all tokens."""
    unknown_tokens: int
    """Tokens that are <unk>, the first included."""
    unknown_characters: int
    """Characters that they stand for."""
    first_nats: float
    """Length of the code for the first token."""
    spelling_nats: float
    """Length of the code for what the unknown tokens stand for."""
    nats_per_token: float
    bits_per_character: float
    perplexity: float
    """exp(nats_per_token)."""
    checkpoint: str
    """Which weights of the run: best or last."""
    baselines: dict[str, dict[str, Any]]
    """Simple methods on the same split; see `rnnlab.lm.baselines`."""
    learns_on: bool = False
    """Whether the model learned on while it read; see `rnnlab.lm.dynamic_evaluation`."""
    parts: dict[str, dict[str, float]] = field(default_factory=dict)
    """If an n-gram model joins the network: what `network` and `ngram` reach alone, in nats per
    token and bits per character."""
    leads: dict[str, dict[str, float]] = field(default_factory=dict)
    """By how many bits per character the model is ahead of a baseline, with a 95% interval `low` to
    `high`; see `rnnlab.lm.code_length`."""

    def to_dict(self) -> dict[str, Any]:
        """Return all fields, ready for JSON."""
        return asdict(self)


@dataclass
class Score:
    """How likely a model finds a text, and the length of the code for all of it."""

    nats: float
    """-ln p of the targets."""
    tokens: int
    """Targets: all tokens but the first."""
    characters: int
    charges: Charges
    """What else the code consists of."""
    target_nats: Floats = field(repr=False, compare=False)
    """-ln p of each target (N-1,)."""

    @property
    def bits_per_character(self) -> float:
        """The length of the code in bits, divided by the characters of the text."""
        return bits_per_character(self.nats + self.charges.nats, self.characters)


def bits_per_character(nats: float, characters: int) -> float:
    """Return the bits in all nats of a text, divided by its number of characters."""
    return nats / math.log(2) / characters


def perplexity(nats_per_token: float) -> float:
    """Return exp(nats), infinite if that overflows."""
    return math.inf if nats_per_token >= 700 else math.exp(nats_per_token)


def unwatched(share: float) -> None:
    """Ignore the progress."""


def target_nats(
    model: LanguageModel | StoredNetwork,
    compute: Compute,
    ids: Ids,
    context: str,
    progress: ShareCallback = unwatched,
    documents: Sequence[int] = (),
    mixture: NGramMixture | None = None,
) -> Floats:
    """Return -ln p (N-1,) of each target of `ids` (N,), N at least 2.

    documents: positions in `ids` at which the state starts at zero, in addition to the first. The
    token there is predicted from what is before it.
    mixture: an n-gram model that joins the network.

    Raises UsageError for an unknown context rule, or a text without a target.
    """
    try:
        check_context(context)
    except ValueError as error:
        raise UsageError(f"context: {error}") from None
    if len(ids) < 2:
        raise UsageError(f"a text of {len(ids)} tokens has nothing to predict; it needs 2")
    nats, done = np.empty(len(ids) - 1), 0
    reader, shape = None, (0, 0)
    with compute.using_threads():
        for places in _places(ids, context, documents, model.start):
            is_target, steps = places >= 0, max(1, CHUNK_TOKENS // places.shape[1])
            if reader is None or places[:steps].shape != shape:
                shape = places[:steps].shape
                reader = make_reader(
                    model, compute, batch_size=shape[1], num_steps=shape[0], mixture=mixture
                )
            else:
                reader.reset()
            for first in range(0, len(places), steps):
                chunk = slice(first, first + steps)
                found = reader.score(ids[places[chunk]], ids[places[chunk] + 1])
                nats[places[chunk][is_target[chunk]]] = found[is_target[chunk]]
                done += int(is_target[chunk].sum())
                progress(done / len(nats))
    return nats


def ngram_nats(table: NGramTable, ids: Ids, context: str, documents: Sequence[int] = ()) -> Floats:
    """Return -ln p (N-1,) of each target of `ids` (N,) by an n-gram model; see `target_nats`."""
    nats = np.empty(len(ids) - 1)
    for places in _places(ids, context, documents, table.start):
        found = table.target_nats(np.concatenate([ids[places], ids[places[-1:] + 1]]))
        nats[places[places >= 0]] = found[places >= 0]
    return nats


def total_nats(
    model: LanguageModel | StoredNetwork,
    compute: Compute,
    ids: Ids,
    context: str,
    progress: ShareCallback = unwatched,
    documents: Sequence[int] = (),
) -> float:
    """Return the sum of `target_nats`."""
    return float(target_nats(model, compute, ids, context, progress, documents).sum())


def _places(ids: Ids, context: str, documents: Sequence[int], start: int | None) -> Iterator[Ids]:
    """Yield positions (T, B) of inputs, each column read from a zero state; -1: none, at its end.

    start: the id with which samples begin. They are independent, so a text of them is read in
    columns, whatever the context rule.
    """
    count = len(ids) - 1
    if start is not None:
        yield _columns(np.append(np.flatnonzero(ids[:-1] == start), count))
        return
    ends = [*(begin for begin in documents if begin < count), count]
    for begin, end in zip([0, *ends], ends, strict=False):
        size = end - begin if context == "carried" else int(context.removeprefix("windows:"))
        whole = begin + (end - begin) // size * size
        windows = np.arange(begin, whole).reshape(-1, size)
        step = max(1, CHUNK_TOKENS // size)
        for row in range(0, len(windows), step):
            yield windows[row : row + step].T
        if whole < end:
            yield np.arange(whole, end)[:, None]


def _columns(borders: Ids) -> Ids:
    """Return positions (T, B) from 0 to the last of `borders`; columns begin at some of them."""
    count = int(borders[-1])
    wanted = np.linspace(0, count, max(1, min(COLUMNS, count // COLUMN_TOKENS)) + 1)
    chosen = np.unique(borders[np.searchsorted(borders, wanted)])
    begins, ends = np.append(0, chosen[:-1][chosen[:-1] > 0]), chosen[chosen > 0]
    places = begins + np.arange((ends - begins).max())[:, None]
    return np.where(places < ends, places, -1)
