"""Text from a model: read a prefix, then choose token after token.

Legend: B prefixes next to each other, N tokens of prefix and continuation.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rnnlab.config import GenerationSettings
from rnnlab.data.tokenizer import Ids
from rnnlab.lm.compute import Compute
from rnnlab.lm.ngram_mixture import NGramMixture
from rnnlab.lm.reading import make_reader
from rnnlab.lm.sampling import draw_uniforms, not_finite
from rnnlab.lm.stored_network import StoredNetwork

if TYPE_CHECKING:
    from rnnlab.lm.matching import Matching
    from rnnlab.lm.model import LanguageModel

PIECE_TOKENS = 256
"""Longest piece that an engine's own reader writes in one call."""

PIECE_SECONDS = 0.02
"""Pieces grow until one takes this long, so that text comes early and then quickly."""


def generate_ids(
    model: LanguageModel | StoredNetwork,
    compute: Compute,
    prefixes: Sequence[Ids],
    settings: GenerationSettings,
    forbidden: int | None = None,
    mixture: NGramMixture | None = None,
    first_stream: int = 0,
    matching: Matching | None = None,
    bias: Mapping[int, float] | None = None,
) -> Iterator[list[int | None]]:
    """Yield the next token of every prefix, `settings.length` tokens for each.

    All prefixes run as one batch. A row's entry is None while the row still reads its prefix, and
    after its last token. Row b draws from its own random stream, `first_stream` + b, so it does not
    depend on the other rows. `forbidden` is a token that is never written (<unk>). `mixture` is an
    n-gram model that joins the network. `matching`, which was made for the texts of these prefixes,
    allows only tokens by which they can still match; a row ends with a stop text, or where nothing
    can follow. `bias` is added to the logits of some tokens. Between tokens the caller's torch
    modes hold, and the model is left as it was.

    Raises DivergenceError if the model's output is NaN or infinite.
    """
    if not prefixes:
        return
    ids, known, uniforms = _page(prefixes, settings, first_stream)
    last, shortest = len(ids) - 1, min(map(len, prefixes))
    capacity = min(PIECE_TOKENS, len(ids))
    rules = None
    if settings.decides_by_step or bias:
        from rnnlab.lm.step_rules import StepRules

        rules = StepRules(settings, len(prefixes), model.vocabulary_size, matching, bias)
    with compute.using_threads():
        reader = make_reader(
            model, compute, batch_size=len(prefixes), num_steps=capacity, mixture=mixture,
            rules=rules,
        )  # fmt: skip
    choice: dict[str, Any] = {
        "temperature": settings.temperature, "top_k": settings.top_k, "top_p": settings.top_p,
        "forbidden": -1 if forbidden is None else forbidden,
    }  # fmt: skip
    if rules:
        choice |= {"min_p": settings.min_p, "repetition_penalty": settings.repetition_penalty}
    read, growing = 0, 1
    while read < last and not (rules and rules.all_ended):
        # One piece reads what all prefixes have; the next pieces write, the first a single token,
        # and each of them if what was written decides whether anything follows.
        size = shortest - read if read < shortest else growing
        size = min(size, reader.num_steps, PIECE_TOKENS, last - read)
        piece = slice(read, read + size + 1)
        began = time.perf_counter()
        with compute.using_threads():
            is_finite = reader.write(ids[piece], known[piece], uniforms[piece], **choice)
        if not is_finite:
            raise not_finite()
        if read >= shortest and not rules and time.perf_counter() - began < PIECE_SECONDS:
            growing = 2 * size
        written = slice(max(read + 1, shortest), read + size + 1)
        for tokens, fixed in zip(ids[written].tolist(), known[written].tolist(), strict=True):
            yield [None if f else token for token, f in zip(tokens, fixed, strict=True)]
        read += size


def _page(
    prefixes: Sequence[Ids], settings: GenerationSettings, first_stream: int
) -> tuple[Ids, NDArray[np.bool_], NDArray[np.float64]]:
    """Return ids with the prefixes filled in, which of them are known, and uniforms; each (N, B).

    The numbers in the uniforms are for the tokens in their place, see `Reader.write`.
    """
    shape = max(map(len, prefixes)) + settings.length, len(prefixes)
    ids, known, uniforms = np.zeros(shape, np.int64), np.ones(shape, np.bool_), np.zeros(shape)
    for row, prefix in enumerate(prefixes):
        written = slice(len(prefix), len(prefix) + settings.length)
        ids[: len(prefix), row] = prefix
        known[written, row] = False
        if settings.temperature:
            uniforms[written, row] = draw_uniforms(
                settings.seed, first_stream + row, settings.length
            )
    return ids, known, uniforms
