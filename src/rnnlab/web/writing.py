"""`POST /api/v1/write`: a text token by token, with what else could have stood there.

    {"model", "text", "ids", "same", "before", ...}    first: the text as the model reads it
    {"tokens": [{"id", "text", "bits", "entropy", "alternatives"}, ...]}
    {"end", "read", "next": {"entropy", "alternatives"}}    last: why, and what is expected now

Bits, entropy and probabilities are those of the model itself, before temperature and all other
choices. What the network has read before is not read again, see `state_cache`.

Legend: V vocabulary size, K alternatives.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Iterator
from itertools import chain
from typing import Any

import numpy as np
from fastapi import APIRouter, Request
from starlette.responses import Response

from rnnlab.config import GenerationSettings
from rnnlab.data.samples import SEPARATOR, shown
from rnnlab.errors import UsageError
from rnnlab.lm.sampling import choose_tokens, draw_uniforms, log_softmax
from rnnlab.lm.text_model import TextModel
from rnnlab.web.bodies import MOST_TOKENS, WriteBody, described, read_body
from rnnlab.web.completions import check_size, rules_of
from rnnlab.web.continuations import TURN_SECONDS, Prompt, check_ids, token_texts
from rnnlab.web.events import EventStream
from rnnlab.web.faults import Refused
from rnnlab.web.held_units import without_held
from rnnlab.web.jobs import Job, as_events
from rnnlab.web.openapi import EVENT, answers
from rnnlab.web.shelf import Shelf
from rnnlab.web.state_cache import RememberingReader, StateCache
from rnnlab.web.turns import Turns

Event = dict[str, Any]

CHOICE = ("temperature", "top_k", "top_p", "min_p", "repetition_penalty")
SETTINGS = (*CHOICE, "seed")

DIGITS, P_DIGITS = 7, 12
"""Decimals of bits, and of probabilities."""

LEAST_LOG_P = -1e9
"""Instead of minus infinity, which times 0 is NaN."""

LONGEST_CHARACTER = 8
"""So many tokens before a place are enough to know which bytes of a character are still open."""


def writing_routes(shelf: Shelf, turns: Turns) -> APIRouter:
    """Return the route; shelf: the models, turns: who may compute."""
    router, cache = APIRouter(prefix="/api/v1", tags=["write"]), StateCache()

    @router.post(
        "/write", openapi_extra=described(WriteBody), responses=answers({}, event_stream=EVENT)
    )
    async def write(request: Request) -> Response:
        """Read a text and write on, token by token, with what was expected at each place."""
        body = await read_body(request, WriteBody)
        settings = _settings(body)
        job = Job(turns, request, lambda pass_on: _work(shelf, cache, body, settings, pass_on))
        results = job.results()
        opening = await anext(results)
        return EventStream(as_events(opening, results))

    return router


def _settings(body: WriteBody) -> GenerationSettings:
    """Return how tokens are chosen; raises UsageError."""
    for name in body.settings:
        if name not in SETTINGS:
            raise UsageError(f"settings: unknown key {name!r} (choices: {', '.join(SETTINGS)})")
    return GenerationSettings.from_dict({**body.settings, "length": max(1, body.length)})


def _work(
    shelf: Shelf,
    cache: StateCache,
    body: WriteBody,
    settings: GenerationSettings,
    pass_on: Callable[[], None],
) -> Generator[Event | None, None, None]:
    found, model = shelf.load(body.model)
    about: Event = {
        "model": found.name,
        **rules_of(model),
        "unknown_id": model.tokenizer.unknown_id,
    }
    check_ids("ids", body.ids, model.tokenizer)
    if body.position > len(body.ids):
        raise UsageError(f"position must be at most the number of ids, not {body.position:,}")
    prompt, same = None, len(body.ids)
    if "text" in body.model_fields_set or not body.ids:
        prompt = Prompt.read(model, body.text, body.label)
        same = _same(prompt.ids.tolist(), body.ids)
    ids = body.ids if prompt is None else prompt.ids.tolist()
    if len(ids) > MOST_TOKENS:
        raise Refused(
            413, "too_large", f"a text may have {MOST_TOKENS:,} tokens here, not {len(ids):,}"
        )
    K = min(body.alternatives, model.tokenizer.size)
    check_size(1, len(ids) + body.length, max(1, K))
    if prompt is not None:
        about |= {
            "text": prompt.text, "ids": ids, "same": same, "before": prompt.before,
            "notices": prompt.notices, "unknown": prompt.unknown,
        }  # fmt: skip
    yield about
    beginning = cache.beginning(model, repr(body.held).encode() if body.held else b"")
    model = without_held(model, body.held)
    reader = RememberingReader(model, cache, beginning)
    known = reader.skip(ids[: max(same, 1) - 1], pass_on)
    text = _Text(model, reader, ids, prompt.texts if prompt else [], same, known, K)
    yield from text.events(body.length, settings, 0 if prompt else body.position)


def _same(ids: list[int], known: list[int]) -> int:
    """Return how many ids at the beginning are known."""
    for place, (own, other) in enumerate(zip(ids, known, strict=False)):
        if own != other:
            return place
    return min(len(ids), len(known))


class _Text:
    """A text that is read and written."""

    def __init__(
        self, model: TextModel, reader: RememberingReader, ids: list[int], texts: list[str],
        same: int, known: int, K: int,
    ) -> None:  # fmt: skip
        """texts: of the ids, of which those from number `same` on are told.

        known: how many of the ids the reader has read.
        """
        self.model, self.reader, self.ids, self.texts = model, reader, ids, texts
        self.same, self.known = same, known
        self.K, self.names = K, [self._shown(name) for name in token_texts(model.tokenizer)]
        self.read = self.written = 0
        """How many of the ids the network had to read, and how many tokens it wrote."""
        self.end = "length"
        self._log_p = np.empty(0)  # (V,) of what follows

    def events(
        self, length: int, settings: GenerationSettings, position: int
    ) -> Iterator[Event | None]:
        """Yield what is told, some tokens at a time; None: nothing yet."""
        steps = chain(self._reading(), self._writing(length, settings, position))
        has_ended = False
        while not has_ended:
            tokens, has_ended, began = list[Event](), True, time.perf_counter()
            with self.model.compute.using_threads():
                for token in steps:
                    if token:
                        tokens.append(token)
                    if self.written == 1 or time.perf_counter() - began > TURN_SECONDS:
                        has_ended = False
                        break
            yield {"tokens": tokens} if tokens else None
        yield {"end": self.end, "read": self.read, "next": self._expected()}

    def _reading(self) -> Iterator[Event | None]:
        """Read the ids, and tell some of them."""
        if not self.same:
            yield self._told(self.ids[0], self.texts[0])
        for place in range(self.known, len(self.ids)):
            self._advance(self.ids[place])
            self.read += 1
            is_told = self.same <= place + 1 < len(self.ids)
            yield self._told(self.ids[place + 1], self.texts[place + 1]) if is_told else None

    def _writing(
        self, length: int, settings: GenerationSettings, position: int
    ) -> Iterator[Event | None]:
        """Write tokens as `rnnlab generate` does; position: how many of the ids were written."""
        forbidden, decode = self.model.tokenizer.unknown_id, self.model.tokenizer.stream()
        for token in self.ids[-LONGEST_CHARACTER:]:
            decode(token)
        written = np.zeros((1, self.model.tokenizer.size), np.bool_)
        written[0, self.ids[len(self.ids) - position :]] = True
        choice: dict[str, Any] = {name: getattr(settings, name) for name in CHOICE}
        uniforms = np.zeros(length)
        if settings.temperature:
            uniforms = draw_uniforms(settings.seed, 0, length, position)
        for uniform in uniforms.tolist():
            (token,) = choose_tokens(
                self._log_p[None], [uniform], **choice, written=written,
                forbidden=-1 if forbidden is None else forbidden,
            )  # fmt: skip
            text = decode(token)
            if self.model.of_documents and SEPARATOR in text:
                self.end = "document"
                return
            written[0, token] = True
            self.written += 1
            yield self._told(token, self._shown(text))
            self._advance(token)
            yield None

    def _advance(self, token: int) -> None:
        self._log_p = log_softmax(self.reader.read(token))

    def _told(self, token: int, text: str) -> Event:
        """Return what is told of a token that stands after all that was read."""
        if not len(self._log_p):  # nothing predicts the first one
            return {"id": token, "text": text, "bits": None, "entropy": None, "alternatives": []}
        bits = round(-float(self._log_p[token]) / math.log(2), DIGITS)
        return {"id": token, "text": text, "bits": bits, **self._expected()}

    def _expected(self) -> Event:
        """Return what is expected after all that was read."""
        log_p = self._log_p
        p, best = np.exp(log_p), np.argsort(-log_p, kind="stable")[: self.K]
        shares = np.round(p[best], P_DIGITS).tolist()
        found = [[v, self.names[v], own] for v, own in zip(best.tolist(), shares, strict=True)]
        entropy = -float(p @ np.maximum(log_p, LEAST_LOG_P)) / math.log(2)
        return {"entropy": round(entropy, DIGITS), "alternatives": found}

    def _shown(self, text: str) -> str:
        return shown(text) if self.model.of_documents else text
