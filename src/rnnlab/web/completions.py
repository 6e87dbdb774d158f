"""`POST /v1/completions`, as OpenAI's clients and lm-evaluation-harness speak it.

Log probabilities are those of the model itself, before temperature and top_p. With `echo` there is
exactly one entry for each token of the prompt, the first of which is null.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Sequence
from contextlib import aclosing
from typing import Any, NamedTuple

from fastapi import APIRouter, Request
from starlette.responses import Response, StreamingResponse

from rnnlab.config import GenerationSettings
from rnnlab.lm.text_model import TextModel
from rnnlab.web.bodies import MOST_ROWS, CompletionBody, described, read_body
from rnnlab.web.continuations import Continuation, Entry, Piece, Prompt, Wanted, check_ids
from rnnlab.web.faults import Answer, Refused
from rnnlab.web.jobs import Job, event, fault_event
from rnnlab.web.openapi import (
    ANY_OBJECT,
    COUNT,
    EVENT,
    TEXT,
    answers,
    list_of,
    map_of,
    or_null,
    record,
)
from rnnlab.web.shelf import Shelf
from rnnlab.web.turns import LeftError, Turns

MOST_CELLS = 4_000_000
"""Texts times the tokens of the longest, prompt and continuation, times their log probabilities."""

CONTEXT = "carried: each prompt is read from a state of zeros"
DONE = "data: [DONE]\n\n"

_CHOICE = record(index=COUNT, text=TEXT, logprobs=or_null(ANY_OBJECT), finish_reason=or_null(TEXT))
COMPLETION = record(
    id=TEXT, object=TEXT, created=COUNT, model=TEXT, choices=list_of(_CHOICE), usage=map_of(COUNT),
    rnnlab=ANY_OBJECT,
)  # fmt: skip


class Opening(NamedTuple):
    """What is known before anything is written."""

    model: str
    about: dict[str, Any]
    """What is said beyond OpenAI's API: rules, notices, unknown parts."""
    prompt_tokens: int


Result = tuple[Opening, list[Piece]]


def rules_of(model: TextModel) -> dict[str, Any]:
    """Return by which rules a model reads."""
    return {"context": CONTEXT, "text_rule": model.preprocessing}


def completion_routes(shelf: Shelf, turns: Turns) -> APIRouter:
    """Return the route; shelf: the models, turns: who may compute."""
    router = APIRouter(tags=["OpenAI"])

    @router.post(
        "/v1/completions", openapi_extra=described(CompletionBody),
        responses=answers(COMPLETION, event_stream=EVENT),
    )  # fmt: skip
    async def completions(request: Request) -> Response:
        """Continue prompts, or say how likely they are."""
        body = await read_body(request, CompletionBody)
        body.check()
        settings = body.settings()
        job = Job(turns, request, lambda pass_on: _work(shelf, body, settings))
        results = job.results()
        opening, pieces = await anext(results)
        answer = _Answer(body, opening)
        if body.stream:
            return StreamingResponse(
                answer.events(pieces, results), media_type="text/event-stream",
                headers={"x-accel-buffering": "no"},
            )  # fmt: skip
        async with aclosing(results):
            async for _, more in results:
                pieces += more
        return Answer(answer.whole(pieces))

    return router


def _work(
    shelf: Shelf, body: CompletionBody, settings: GenerationSettings | None
) -> Generator[Result, None, None]:
    """Yield what is new, in steps of some milliseconds."""
    found, model = shelf.load(body.model)
    if body.n * len(body.prompt) > MOST_ROWS:
        raise Refused(
            413, "too_large", f"{len(body.prompt)} prompts times n = {body.n} are more than "
            f"{MOST_ROWS} texts",
        )  # fmt: skip
    prompts = [Prompt.read(model, prompt, body.label) for prompt in body.prompt]
    rows = [prompt for prompt in prompts for _ in range(body.n)]
    longest = max(len(prompt.ids) for prompt in prompts) + body.max_tokens
    check_size(len(rows), longest)
    if (K := min(body.logprobs, model.tokenizer.size)) > 1:
        check_size(len(rows), longest, K)
    about: dict[str, Any] = rules_of(model)
    about["notices"] = [notice for prompt in prompts for notice in prompt.notices]
    about["unknown"] = [prompt.unknown for prompt in prompts]
    opening = Opening(found.name, about, sum(len(prompt.ids) for prompt in prompts))
    likeliest = None if body.logprobs < 0 else body.logprobs
    check_ids("logit_bias", body.logit_bias, model.tokenizer)
    wanted = Wanted(settings, body.echo, likeliest, body.logit_bias)
    for pieces in Continuation(model, rows, wanted).pieces():
        yield opening, pieces


def check_size(texts: int, tokens: int, likeliest: int = 1) -> None:
    """Refuse texts of so many tokens, with so many log probabilities for each, if that is too much.

    Raises Refused.
    """
    if texts * tokens * likeliest > MOST_CELLS:
        each = f" times {likeliest:,} log probabilities," if likeliest > 1 else ""
        raise Refused(
            413, "too_large", f"{texts} texts of up to {tokens:,} tokens, prompts and "
            f"continuations,{each} are more than {MOST_CELLS:,} tokens",
        )  # fmt: skip


class _Answer:
    """One answer, whole or as events."""

    def __init__(self, body: CompletionBody, opening: Opening) -> None:
        self.body, self.opening = body, opening
        self.head = {
            "id": f"cmpl-{uuid.uuid4().hex}",
            "object": "text_completion",
            "created": int(time.time()),
            "model": opening.model,
        }
        self.written = 0

    def whole(self, pieces: Sequence[Piece]) -> dict[str, Any]:
        """Return all of it."""
        own: list[list[Piece]] = [[] for _ in range(self.body.n * len(self.body.prompt))]
        for piece in pieces:
            own[piece.row].append(piece)
        choices = [self._choice(*_joined(row)) for row in own]
        return {
            **self.head, "choices": choices, "usage": self._usage(), "rnnlab": self.opening.about
        }  # fmt: skip

    async def events(
        self, pieces: list[Piece], results: AsyncGenerator[Result, None]
    ) -> AsyncIterator[str]:
        """Yield server-sent events; an error after the beginning is an event, too."""
        about: dict[str, Any] = {"rnnlab": self.opening.about}
        try:
            async with aclosing(results):
                while True:
                    for piece in pieces:
                        choice = self._choice(piece, piece.entries)
                        yield event({**self.head, "choices": [choice], **about})
                        about = {}
                    _, pieces = await anext(results)
        except StopAsyncIteration:
            if self.body.stream_options.include_usage:
                yield event({**self.head, "choices": [], "usage": self._usage()})
        except LeftError:
            return
        except Exception as error:
            yield fault_event(error)
        yield DONE

    def _choice(self, piece: Piece, entries: Sequence[Entry]) -> dict[str, Any]:
        if piece.finish:
            self.written += piece.tokens
        return {
            "index": piece.row,
            "text": piece.text,
            "logprobs": None if self.body.logprobs < 0 else _columns(entries),
            "finish_reason": piece.finish,
        }

    def _usage(self) -> dict[str, int]:
        read, written = self.opening.prompt_tokens, self.written
        return {
            "prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written
        }  # fmt: skip


def _joined(pieces: Sequence[Piece]) -> tuple[Piece, list[Entry]]:
    """Return the pieces of one text as one, and all entries."""
    text = "".join(piece.text for piece in pieces)
    return pieces[-1]._replace(text=text), [e for piece in pieces for e in piece.entries]


def _columns(entries: Sequence[Entry]) -> dict[str, list[Any]]:
    return {
        "tokens": [entry.token for entry in entries],
        "token_logprobs": [entry.log_p for entry in entries],
        "top_logprobs": [entry.likeliest for entry in entries],
        "text_offset": [entry.offset for entry in entries],
    }
