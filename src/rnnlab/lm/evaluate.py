"""How well a model predicts a text, with the protocol stamped on.

A text of N tokens has N-1 targets: its first token is given, every other is predicted once. The
context rule says what the model has read before each of them:

carried    the state starts at zero and is carried through the whole text;
windows:W  the text is cut into windows of W targets, and each starts from a zero state.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from rnnlab.config import check_context
from rnnlab.data.tokenizer import Ids
from rnnlab.errors import UsageError
from rnnlab.lm.compute import Compute
from rnnlab.lm.model import LanguageModel, evaluating

Piece = tuple[Tensor, Tensor, bool]
"""Inputs (T, B), targets (T, B), and whether they start from a zero state."""

ShareCallback = Callable[[float], None]
"""Told now and then what share is done; what it raises ends the work."""

CHUNK_TOKENS = 16_384
"""Targets in one forward pass; bounds memory, leaves the result as it is."""


@dataclass(frozen=True)
class Evaluation:
    """One measurement, never a bare float."""

    corpus: str
    corpus_sha256: str
    split: str
    split_characters: int
    """All of the split; of a streamed text only the first `characters` are evaluated."""
    context: str
    tokens: int
    """Targets predicted."""
    characters: int
    """Characters that the targets stand for."""
    unknown_tokens: int
    """Targets that are <unk>; their spelling is not predicted, so many of them flatter a model."""
    nats_per_token: float
    bits_per_character: float
    perplexity: float
    """exp(nats_per_token)."""
    checkpoint: str
    """Which weights: best on the validation split, or last."""
    baselines: dict[str, dict[str, Any]]
    """The same split by simple methods; see `rnnlab.lm.baselines`."""

    def to_dict(self) -> dict[str, Any]:
        """All fields, ready for JSON."""
        return asdict(self)


def perplexity(nats_per_token: float) -> float:
    """exp(nats), infinite where that overflows."""
    return math.inf if nats_per_token >= 700 else math.exp(nats_per_token)


def unwatched(share: float) -> None:
    """Tell nobody."""


def total_nats(
    model: LanguageModel,
    compute: Compute,
    ids: Ids,
    context: str,
    progress: ShareCallback = unwatched,
) -> float:
    """Return the sum of -ln p over the N-1 targets of `ids` (N,), N at least 2.

    Raises UsageError for a context rule that is none, or a text without a target.
    """
    try:
        check_context(context)
    except ValueError as error:
        raise UsageError(f"context: {error}") from None
    if len(ids) < 2:
        raise UsageError(f"a text of {len(ids)} tokens has nothing to predict; it needs 2")
    tokens = torch.from_numpy(ids)
    rows = _carried(tokens) if context == "carried" else _windows(tokens, int(context[8:]))
    pieces = list(rows)
    total = _read(model, compute, _telling(pieces, progress))
    if total is None:
        total = _step_through(model, compute, _telling(pieces, progress))
    return total


def _telling(pieces: Sequence[Piece], progress: ShareCallback) -> Iterator[Piece]:
    done, whole = 0, sum(targets.numel() for _, targets, _ in pieces)
    for piece in pieces:
        yield piece
        done += piece[1].numel()
        progress(done / whole)


def _read(model: LanguageModel, compute: Compute, pieces: Iterable[Piece]) -> float | None:
    """Let the engine's own reader score the pieces; None where it has none."""
    total, reader, shape = 0.0, None, torch.Size((0, 0))
    for inputs, targets, fresh in pieces:
        if fresh and inputs.shape != shape:
            shape = inputs.shape
            reader = compute.engine.reader(model.network(), shape[1], shape[0], compute.precision)
        elif fresh and reader:
            reader.reset()
        if reader is None:
            return None
        total += reader.score(inputs.numpy(), targets.numpy())
    return total


def _step_through(model: LanguageModel, compute: Compute, pieces: Iterable[Piece]) -> float:
    device = compute.device
    total, state = 0.0, model.zero_state(1)
    with torch.inference_mode(), evaluating(model), compute.autocast():
        for inputs, targets, fresh in pieces:
            if fresh:
                state = model.zero_state(inputs.shape[1])
            logits, state = model(inputs.to(device), state, compute.engine)
            losses = F.cross_entropy(
                logits.float().flatten(0, 1), targets.to(device).flatten(), reduction="none"
            )
            total += float(losses.double().sum())
    return total


def _carried(tokens: Tensor) -> Iterator[Piece]:
    return _pieces(tokens[:-1, None], tokens[1:, None])


def _windows(tokens: Tensor, size: int) -> Iterator[Piece]:
    count = len(tokens) - 1
    whole = count // size * size
    inputs, targets = tokens[:whole].view(-1, size), tokens[1 : whole + 1].view(-1, size)
    step = max(1, CHUNK_TOKENS // size)
    for row in range(0, len(inputs), step):
        yield from _pieces(inputs[row : row + step].T, targets[row : row + step].T)
    yield from _pieces(tokens[whole:-1, None], tokens[whole + 1 :, None])


def _pieces(inputs: Tensor, targets: Tensor) -> Iterator[Piece]:
    for start in range(0, len(inputs), CHUNK_TOKENS):
        part = slice(start, start + CHUNK_TOKENS)
        yield inputs[part], targets[part], start == 0
