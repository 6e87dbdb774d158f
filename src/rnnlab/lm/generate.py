"""Text from a model: warm up on a prefix, then choose token after token.

Legend: B prefixes side by side, V vocabulary size, P prefix length.
"""

import time
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from rnnlab.config import GenerationSettings
from rnnlab.data.tokenizer import Ids
from rnnlab.engines import Reader
from rnnlab.errors import DivergenceError
from rnnlab.lm.compute import Compute
from rnnlab.lm.model import LanguageModel, ModelState, evaluating

IMPOSSIBLE = float("-inf")

PIECE_TOKENS = 256
"""Longest piece that an engine's own reader writes in one call."""

PIECE_SECONDS = 0.02
"""A piece that takes longer is not followed by a longer one."""


def generate_ids(
    model: LanguageModel,
    compute: Compute,
    prefixes: Sequence[Ids],
    settings: GenerationSettings,
    forbidden: int | None = None,
) -> Iterator[list[int | None]]:
    """Yield the next token of every prefix, `settings.length` tokens for each.

    All prefixes run as one batch. The first P tokens, P the length of the shortest prefix, are
    read in one call; where other rows still read their prefix, or are done, a row's entry is None.
    Row b draws from a random stream of its own, so that it does not depend on the other rows.
    `forbidden` is a token that is never written (<unk>). Between tokens the caller's torch modes
    hold, and the model is left as it was.
    """
    if not prefixes:
        return
    capacity = min(PIECE_TOKENS, max(map(len, prefixes)) + settings.length)
    reader = compute.engine.reader(model.network(), len(prefixes), capacity, compute.precision)
    if reader is None:
        yield from _step_through(model, compute, prefixes, settings, forbidden)
    else:
        yield from _write(reader, prefixes, settings, forbidden)


def _streams(settings: GenerationSettings, rows: int) -> list[np.random.Generator]:
    return [np.random.default_rng((settings.seed, row)) for row in range(rows)]


def _step_through(
    model: LanguageModel,
    compute: Compute,
    prefixes: Sequence[Ids],
    settings: GenerationSettings,
    forbidden: int | None,
) -> Iterator[list[int | None]]:
    """Write with one forward pass a token."""
    device = compute.device
    lengths = [len(prefix) for prefix in prefixes]
    shortest = min(lengths)
    streams = _streams(settings, len(prefixes))
    inputs = torch.from_numpy(np.stack([p[:shortest] for p in prefixes], axis=1))  # (P, B)
    state = model.zero_state(len(prefixes))
    for position in range(shortest, max(lengths) + settings.length):
        with torch.inference_mode(), evaluating(model), compute.autocast():
            logits, state = model(inputs.to(device), state, compute.engine)
        writing = [row for row, length in enumerate(lengths) if position >= length]
        own = [streams[row] for row in writing]
        drawn = choose(logits[-1, writing].float().cpu(), settings, own, forbidden)
        chosen = dict(zip(writing, drawn, strict=True))
        yield [
            chosen[row] if length <= position < length + settings.length else None
            for row, length in enumerate(lengths)
        ]
        tokens = [
            chosen[row] if row in chosen else int(prefix[position])
            for row, prefix in enumerate(prefixes)
        ]
        inputs = torch.tensor([tokens])  # (1, B)


def _write(
    reader: Reader, prefixes: Sequence[Ids], settings: GenerationSettings, forbidden: int | None
) -> Iterator[list[int | None]]:
    """Write with one call a piece; pieces grow while they are quick, so nobody waits for text.

    The draws are those of `_step_through`: one number a token from the row's own stream.
    """
    rows = range(len(prefixes))
    shortest = min(map(len, prefixes))
    total = max(map(len, prefixes)) + settings.length
    ids = np.zeros((total, len(prefixes)), np.int64)
    known = np.ones(ids.shape, np.bool_)
    uniforms = np.zeros(ids.shape)
    for row, stream in zip(rows, _streams(settings, len(prefixes)), strict=True):
        prefix = prefixes[row]
        own = slice(len(prefix), len(prefix) + settings.length)
        ids[: len(prefix), row] = prefix
        known[own, row] = False
        if settings.temperature:
            uniforms[own, row] = stream.random(settings.length)
    done, size = 0, shortest  # tokens read, tokens to read next
    while done < total - 1:
        size = min(size, reader.num_steps, total - 1 - done)
        began = time.perf_counter()
        piece = slice(done, done + size + 1)
        sound = reader.write(
            ids[piece], known[piece], uniforms[piece],
            temperature=settings.temperature, top_k=settings.top_k, top_p=settings.top_p,
            forbidden=-1 if forbidden is None else forbidden,
        )  # fmt: skip
        if not sound:
            raise unsound()
        for position in range(max(done + 1, shortest), done + size + 1):
            yield [None if known[position, row] else int(ids[position, row]) for row in rows]
        done += size
        if time.perf_counter() - began < PIECE_SECONDS:
            size *= 2


def unsound() -> DivergenceError:
    """The error for a model that predicts nothing."""
    return DivergenceError("the model's output is NaN or infinite; its weights are beyond use")


def choose(
    logits: Tensor,
    settings: GenerationSettings,
    streams: Sequence[np.random.Generator],
    forbidden: int | None = None,
) -> list[int]:
    """Pick a token a row from logits (B, V): the likeliest, or a draw.

    temperature divides the logits; top_k keeps the K largest (ties kept); top_p keeps the smallest
    set of likeliest tokens whose probability reaches P (nucleus sampling, Holtzman et al. 2020,
    arXiv:1904.09751, section 3.1). Raises DivergenceError for logits that are NaN or
    infinite.
    """
    if not logits.isfinite().all():
        raise unsound()
    if forbidden is not None:
        logits = logits.index_fill(1, torch.tensor([forbidden]), IMPOSSIBLE)
    if settings.temperature == 0:
        return [int(token) for token in logits.argmax(dim=1)]
    # Subtracting the largest first keeps tiny temperatures finite.
    logits = (logits - logits.max(dim=1, keepdim=True).values).double() / settings.temperature
    if 0 < settings.top_k < logits.shape[1]:
        smallest = logits.topk(settings.top_k, dim=1).values[:, -1:]
        logits = logits.masked_fill(logits < smallest, IMPOSSIBLE)
    p, order = logits.softmax(dim=1).sort(dim=1, descending=True, stable=True)
    before = p.cumsum(dim=1) - p
    p = p.masked_fill(before >= settings.top_p, 0.0)
    cumulated = p.cumsum(dim=1).numpy()
    picks = [
        int(np.searchsorted(row, stream.random() * row[-1], side="right"))
        for row, stream in zip(cumulated, streams, strict=True)
    ]
    return [int(order[row, pick]) for row, pick in enumerate(picks)]


def beam_search(
    model: LanguageModel,
    compute: Compute,
    prefix: Ids,
    settings: GenerationSettings,
    forbidden: int | None = None,
) -> list[int]:
    """Return the continuation of `settings.length` tokens with the highest probability found.

    Keeps the `beam_width` likeliest texts of each length; all beams run as one batch. Raises
    DivergenceError where the model's output is NaN or infinite.
    """
    device = compute.device
    inputs = torch.from_numpy(prefix)[:, None]  # (P, 1)
    state = model.zero_state(1)
    scores = torch.zeros(1, dtype=torch.float64)  # (beams,) log probabilities
    texts = torch.empty(1, 0, dtype=torch.int64)  # (beams, written)
    with torch.inference_mode(), evaluating(model), compute.autocast():
        for _ in range(settings.length):
            logits, state = model(inputs.to(device), state, compute.engine)
            steps = logits[-1].double().cpu().log_softmax(dim=1)  # (beams, V)
            if steps.isnan().any():
                raise unsound()
            if forbidden is not None:
                steps[:, forbidden] = IMPOSSIBLE
            paths = (scores[:, None] + steps).flatten()
            possible = int(torch.isfinite(paths).sum())
            scores, best = paths.topk(min(settings.beam_width, possible))
            parents, tokens = best // model.vocabulary_size, best % model.vocabulary_size
            texts = torch.cat([texts[parents], tokens[:, None]], dim=1)
            state = _select(state, parents.to(device))
            inputs = tokens[None, :]
    return [int(token) for token in texts[0]]


def _select(state: ModelState, rows: Tensor) -> ModelState:
    return tuple(tuple(part[rows] for part in layer) for layer in state)
