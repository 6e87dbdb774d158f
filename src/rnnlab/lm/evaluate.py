"""How well a model predicts a text, recorded together with how it was measured.

A text of N tokens has N-1 targets: every token but the first is predicted once. The context rule
says what the model has read before each target:

carried    the state starts at zero and is carried through the whole text;
windows:W  the text is cut into windows of W targets, and each starts from a zero state.

Nats per token and perplexity are those of the targets. Bits per character are the length of a code
for all of the text, divided by its characters: -ln p of the targets, ln V for the first token, and
the spelling of unknown tokens (`rnnlab.data.spelling`). So they can be compared between tokenizers.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from rnnlab.config.groups import check_context
from rnnlab.data.tokenizer import Ids
from rnnlab.errors import UsageError
from rnnlab.lm.compute import Compute
from rnnlab.lm.fallback import make_reader
from rnnlab.lm.model import LanguageModel
from rnnlab.lm.ngram_mixture import NGramMixture
from rnnlab.lm.ngram_table import NGramTable

Floats = npt.NDArray[np.float64]

ShareCallback = Callable[[float], None]
"""Called with the share of work done so far; an exception from it ends the work."""

CHUNK_TOKENS = 16_384
"""Targets in one forward pass. It bounds memory and does not change the result."""


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


def bits_per_character(nats: float, characters: int) -> float:
    """Return the bits in all nats of a text, divided by its number of characters."""
    return nats / math.log(2) / characters


def perplexity(nats_per_token: float) -> float:
    """Return exp(nats), infinite if that overflows."""
    return math.inf if nats_per_token >= 700 else math.exp(nats_per_token)


def unwatched(share: float) -> None:
    """Ignore the progress."""


def target_nats(
    model: LanguageModel,
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
        for inputs, targets, found in _parts(ids, nats, context, documents):
            first = inputs[:CHUNK_TOKENS]
            if reader is None or first.shape != shape:
                shape = first.shape
                reader = make_reader(
                    model, compute, batch_size=shape[1], num_steps=shape[0], mixture=mixture
                )
            else:
                reader.reset()
            for start in range(0, len(inputs), CHUNK_TOKENS):
                chunk = slice(start, start + CHUNK_TOKENS)
                found[chunk] = reader.score(inputs[chunk], targets[chunk])
                done += targets[chunk].size
                progress(done / len(nats))
    return nats


def ngram_nats(table: NGramTable, ids: Ids, context: str, documents: Sequence[int] = ()) -> Floats:
    """Return -ln p (N-1,) of each target of `ids` (N,) by an n-gram model; see `target_nats`."""
    nats = np.empty(len(ids) - 1)
    for inputs, targets, found in _parts(ids, nats, context, documents):
        found[:] = table.target_nats(np.concatenate([inputs, targets[-1:]]))
    return nats


def total_nats(
    model: LanguageModel,
    compute: Compute,
    ids: Ids,
    context: str,
    progress: ShareCallback = unwatched,
    documents: Sequence[int] = (),
) -> float:
    """Return the sum of `target_nats`."""
    return float(target_nats(model, compute, ids, context, progress, documents).sum())


def _parts(
    ids: Ids, nats: Floats, context: str, documents: Sequence[int]
) -> Iterator[tuple[npt.NDArray[Any], ...]]:
    """Cut inputs, targets and nats into views (T, B), each read from a zero state."""
    ends = [*(begin for begin in documents if begin < len(nats)), len(nats)]
    for part in map(slice, [0, *ends], ends):
        yield from _batches(ids[:-1][part], ids[1:][part], nats[part], context=context)


def _batches(*arrays: npt.NDArray[Any], context: str) -> Iterator[tuple[npt.NDArray[Any], ...]]:
    """Cut arrays (N-1,) alike into views (T, B), each read from a zero state."""
    length = len(arrays[0])
    size = length if context == "carried" else int(context.removeprefix("windows:"))
    whole = length // size * size
    step = max(1, CHUNK_TOKENS // size)
    for row in range(0, whole // size, step):
        yield tuple(array[:whole].reshape(-1, size)[row : row + step].T for array in arrays)
    if whole < length:
        yield tuple(array[whole:, None] for array in arrays)
