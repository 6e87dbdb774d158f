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
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from rnnlab.config.groups import check_context
from rnnlab.data.tokenizer import Ids
from rnnlab.errors import UsageError
from rnnlab.lm.compute import Compute
from rnnlab.lm.fallback import make_reader
from rnnlab.lm.model import LanguageModel

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


def total_nats(
    model: LanguageModel,
    compute: Compute,
    ids: Ids,
    context: str,
    progress: ShareCallback = unwatched,
) -> float:
    """Return the sum of -ln p over the N-1 targets of `ids` (N,), N at least 2.

    Raises UsageError for an unknown context rule, or a text without a target.
    """
    try:
        check_context(context)
    except ValueError as error:
        raise UsageError(f"context: {error}") from None
    if len(ids) < 2:
        raise UsageError(f"a text of {len(ids)} tokens has nothing to predict; it needs 2")
    total, done = 0.0, 0
    reader, shape = None, (0, 0)
    with compute.using_threads():
        for inputs, targets in _carried(ids) if context == "carried" else _windows(ids, context):
            first = inputs[:CHUNK_TOKENS]
            if reader is None or first.shape != shape:
                shape = first.shape
                reader = make_reader(model, compute, batch_size=shape[1], num_steps=shape[0])
            else:
                reader.reset()
            for start in range(0, len(inputs), CHUNK_TOKENS):
                chunk = slice(start, start + CHUNK_TOKENS)
                total += reader.score(inputs[chunk], targets[chunk])
                done += targets[chunk].size
                progress(done / (len(ids) - 1))
    return total


def _carried(ids: Ids) -> Iterator[tuple[Ids, Ids]]:
    """Yield inputs and targets (N-1, 1)."""
    yield ids[:-1, None], ids[1:, None]


def _windows(ids: Ids, context: str) -> Iterator[tuple[Ids, Ids]]:
    """Yield inputs and targets (T, B) of B windows at a time, each from a zero state."""
    size = int(context.removeprefix("windows:"))
    whole = (len(ids) - 1) // size * size
    inputs, targets = ids[:whole].reshape(-1, size), ids[1 : whole + 1].reshape(-1, size)
    step = max(1, CHUNK_TOKENS // size)
    for row in range(0, len(inputs), step):
        yield inputs[row : row + step].T, targets[row : row + step].T
    if whole < len(ids) - 1:
        yield from _carried(ids[whole:])
