"""`/api/v1/`: what `rnnlab generate` and `rnnlab score` do."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from rnnlab.config import GenerationSettings
from rnnlab.errors import UsageError
from rnnlab.lm.evaluate import Score
from rnnlab.lm.sample_scores import SampleScorer, SampleScores
from rnnlab.lm.text_model import TextModel
from rnnlab.runs.files import RESULT
from rnnlab.runs.held_out_scores import places_among, stored_quantiles
from rnnlab.web.bodies import MOST_TOKENS, GenerationBody, ScoreBody, described, read_body
from rnnlab.web.completions import check_size, rules_of
from rnnlab.web.continuations import TURN_SECONDS
from rnnlab.web.faults import Answer, Refused
from rnnlab.web.held_units import without_held
from rnnlab.web.jobs import Job
from rnnlab.web.openapi import (
    COUNT,
    NUMBER,
    TEXT,
    answers,
    list_of,
    map_of,
    record,
)
from rnnlab.web.shelf import Shelf
from rnnlab.web.turns import Turns

MOST_BEAM_CELLS = 20_000
"""Tokens times beams: a search is one piece of work, whose time grows with the square."""

BATCH_CHARACTERS = 4_096
"""Of samples that are scored in one turn."""

TEXT_SCORE = record(
    model=TEXT, text_rule=TEXT, context=TEXT, bits_per_character=NUMBER, nats=NUMBER, targets=COUNT,
    characters=COUNT, first_nats=NUMBER, spelling_nats=NUMBER, unknown=map_of(COUNT),
)  # fmt: skip
SAMPLE_SCORES = record(
    model=TEXT, text_rule=TEXT,
    samples=list_of(
        record(
            bits_per_character=NUMBER, nats=NUMBER, spelling_nats=NUMBER, characters=COUNT,
            unknown_characters=COUNT, worst_at=COUNT, worst_bits=NUMBER,
        )
    ),
)  # fmt: skip


def laboratory_routes(shelf: Shelf, turns: Turns) -> APIRouter:
    """Return the routes; turns: who may compute."""
    router = APIRouter(prefix="/api/v1", tags=["score"])

    @router.post(
        "/generate", openapi_extra=described(GenerationBody),
        responses=answers(
            record(
                model=TEXT, texts=list_of(TEXT), notices=list_of(TEXT), context=TEXT, text_rule=TEXT
            )
        ),
    )  # fmt: skip
    async def generate(request: Request) -> Response:
        """Continue prefixes as `rnnlab generate` does; each text begins with its prefix."""
        body = await read_body(request, GenerationBody)
        return Answer(await Job(turns, request, lambda pass_on: _generated(shelf, body)).last())

    @router.post(
        "/score", openapi_extra=described(ScoreBody),
        responses=answers({"anyOf": [TEXT_SCORE, SAMPLE_SCORES]}),
    )  # fmt: skip
    async def score(request: Request) -> Response:
        """Say how likely a text is, or each of several samples, as `rnnlab.load(...).score`."""
        body = await read_body(request, ScoreBody)
        if bool(body.text) == bool(body.samples):
            raise UsageError("give text or samples, one of them")
        job = Job(turns, request, lambda pass_on: _scored(shelf, body, pass_on))
        return Answer(await job.last())

    return router


def _generated(shelf: Shelf, body: GenerationBody) -> Generator[dict[str, Any] | None, None, None]:
    found, model = shelf.load(body.model)
    model = without_held(model, body.held)
    settings = GenerationSettings.from_dict(body.settings)
    if settings.length > MOST_TOKENS:
        raise UsageError(f"length must be at most {MOST_TOKENS:,}, not {settings.length:,}")
    read = [model.read_prefix(prefix, body.label) for prefix in body.prefix]
    longest = max(len(ids) for _, ids, _ in read) + settings.length
    check_size(len(read), longest)
    beams = len(read) * settings.beam_width
    if settings.beam_width > 1 and beams * longest > MOST_BEAM_CELLS:
        raise Refused(
            413, "too_large", f"{beams:,} beams of up to {longest:,} tokens are more than "
            f"{MOST_BEAM_CELLS:,} tokens: a search holds up all others until it ends",
        )  # fmt: skip
    texts = [text for text, _, _ in read]
    prefixes = [(text, ids) for text, ids, _ in read]
    began = time.perf_counter()
    for pieces in model.writer.pieces(prefixes, settings, has_label=bool(body.label)):
        texts = [text + piece for text, piece in zip(texts, pieces, strict=True)]
        if time.perf_counter() - began > TURN_SECONDS:
            yield None
            began = time.perf_counter()
    notices = [notice for _, _, own in read for notice in own]
    yield {"model": found.name, "texts": texts, "notices": notices, **rules_of(model)}


def _scored(
    shelf: Shelf, body: ScoreBody, pass_on: Callable[[], None]
) -> Generator[dict[str, Any] | None, None, None]:
    found, model = shelf.load(body.model)
    answer = {"model": found.name, "text_rule": model.preprocessing}
    if body.samples:
        samples = list[dict[str, Any]]()
        is_linked = (found.path / RESULT).is_symlink()
        quantiles = None if is_linked else stored_quantiles(found.path)
        for batch in _batches(model.scorer(), body.samples):
            samples += _of_samples(batch, body, quantiles)
            yield None
        yield answer | {"samples": samples}
        return
    text = model.prepared(body.text)
    score = model.score_prepared(text, body.context, lambda share: pass_on())
    yield answer | {"context": body.context} | _of_text(model, text, score, body)


def _of_text(model: TextModel, text: str, score: Score, body: ScoreBody) -> dict[str, Any]:
    found = {
        "bits_per_character": score.bits_per_character,
        "nats": score.nats,
        "targets": score.tokens,
        "characters": score.characters,
        "first_nats": score.charges.first_nats,
        "spelling_nats": score.charges.spelling_nats,
        "unknown": model.tokenizer.unknown_parts(text),
    }
    if body.per_token:
        ends = model.tokenizer.ends(text).tolist()
        found |= {"text": text, "ends": ends, "target_nats": score.target_nats.tolist()}
    return found


def _batches(scorer: SampleScorer, samples: Sequence[str]) -> Iterator[SampleScores]:
    """Yield the scores of some samples at a time. Raises as `SampleScorer.score`."""
    batch, size, first = list[str](), 0, 1
    for number, sample in enumerate(samples, 1):
        batch.append(sample)
        size += len(sample) + 1
        if size > BATCH_CHARACTERS:
            yield scorer.score(batch, first)
            batch, size, first = [], 0, number + 1
    if batch:
        yield scorer.score(batch, first)


def _of_samples(
    scores: SampleScores, body: ScoreBody, quantiles: list[float] | None
) -> list[dict[str, Any]]:
    bits, worst = scores.bits_per_character, scores.worst
    columns = {
        "bits_per_character": bits, "nats": scores.nats, "spelling_nats": scores.spelling_nats,
        "characters": scores.characters, "unknown_characters": scores.unknown_characters,
        "worst_at": scores.token_places[worst],
        "worst_bits": scores.token_nats[worst] / math.log(2),
    }  # fmt: skip
    if quantiles:
        columns["quantile"] = places_among(bits, quantiles)
    rows = zip(*(column.tolist() for column in columns.values()), strict=True)
    samples: list[dict[str, Any]] = [dict(zip(columns, row, strict=True)) for row in rows]
    if body.per_token:
        for number, sample in enumerate(samples):
            own = scores.targets(number)
            sample["target_nats"] = scores.token_nats[own].tolist()
            sample["places"] = scores.token_places[own].tolist()
    return samples
