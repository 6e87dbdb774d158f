"""`/api/v1/probe`: what a network computes while it reads a text, and what the probes find.

Arrays are sent in binary, see `rnnlab.web.packing`. What takes long is done in turns, and a request
with `progress` is sent the share that is done; its answer is kept for the same request without.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Generator
from functools import cache
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from rnnlab.lm.evaluate import ShareCallback
from rnnlab.web.bodies import described, read_body
from rnnlab.web.completions import DONE
from rnnlab.web.events import EventStream
from rnnlab.web.faults import Answer
from rnnlab.web.jobs import Job, event, fault_event
from rnnlab.web.openapi import (
    COUNT,
    EVENT,
    NUMBER,
    TEXT,
    TRUTH,
    answers,
    list_of,
    map_of,
    or_null,
    record,
)
from rnnlab.web.packing import Packed
from rnnlab.web.probe_bodies import HeldBody, MatchesBody, ProbeBody, StepsBody
from rnnlab.web.shelf import Shelf
from rnnlab.web.turns import LeftError, Turns

if TYPE_CHECKING:
    from rnnlab.web.probe_answers import ProbeAnswers

TELLING_SECONDS = 0.25
"""How often the share that is done is told."""

NETWORK = record(
    model=TEXT, cell=TEXT, is_own_cell=TRUTH, is_of_samples=TRUTH, layers=COUNT, hidden_size=COUNT,
    quantities=list_of(record(name=TEXT, range=or_null(list_of(or_null(NUMBER))))),
    splits=map_of(COUNT), left_out=TEXT,
)  # fmt: skip
MATCHES = record(
    model=TEXT, finding=list_of(TEXT), searched=TEXT, tokens=COUNT, quantity=TEXT, layer=COUNT,
    units=list_of(COUNT), signs=list_of({"enum": [1, -1]}), length=COUNT, least=COUNT, count=COUNT,
    expected=NUMBER, low=NUMBER, high=NUMBER, p=NUMBER,
    places=list_of(record(begin=COUNT, end=COUNT, left=TEXT, match=TEXT, right=TEXT)),
)  # fmt: skip
BINARY = {"type": "string", "format": "binary"}


def probe_routes(shelf: Shelf, turns: Turns) -> APIRouter:
    """Return the routes; turns: who may compute."""
    router = APIRouter(prefix="/api/v1/probe", tags=["inside"])

    @cache
    def own() -> ProbeAnswers:
        from rnnlab.web.probe_answers import ProbeAnswers  # imports torch

        return ProbeAnswers(shelf)

    @router.get("", responses=answers(NETWORK))
    async def about(request: Request, model: str = "") -> Response:
        """Say what there is to look at in a model: its quantities, and its held-out texts."""
        return Answer(await _Work(turns, request, lambda progress: own().about(model)).done())

    @router.post(
        "", openapi_extra=described(ProbeBody),
        responses=answers({}, octet_stream=BINARY, event_stream=EVENT),
    )  # fmt: skip
    async def probe(request: Request) -> Response:
        """Return the values of a quantity at each token, or what a probe finds, as arrays."""
        body = await read_body(request, ProbeBody)
        work = _Work(turns, request, lambda progress: own().probe(body, progress))
        if body.progress:
            return EventStream(work.shares())
        return Packed(await work.done())

    @router.post(
        "/steps", openapi_extra=described(StepsBody), responses=answers({}, octet_stream=BINARY)
    )
    async def steps(request: Request) -> Response:
        """Return the numbers in the equations of a layer at some tokens, in float32."""
        body = await read_body(request, StepsBody)
        work = _Work(turns, request, lambda progress: own().steps(body, progress))
        return Packed(await work.done())

    @router.post("/matches", openapi_extra=described(MatchesBody), responses=answers(MATCHES))
    async def matches(request: Request) -> Response:
        """Find where else the same units are on, and say how often that is by chance."""
        body = await read_body(request, MatchesBody)
        return Answer(
            await _Work(turns, request, lambda progress: own().matches(body, progress)).done()
        )

    @router.post(
        "/held", openapi_extra=described(HeldBody), responses=answers({}, octet_stream=BINARY)
    )
    async def held(request: Request) -> Response:
        """Return the bits of each token with units switched off and without."""
        body = await read_body(request, HeldBody)
        work = _Work(turns, request, lambda progress: own().held(body, progress))
        return Packed(await work.done())

    return router


class _Work:
    """Something that is computed in turns, and the share of it that is done."""

    def __init__(
        self, turns: Turns, request: Request, compute: Callable[[ShareCallback], Any]
    ) -> None:
        self._share = 0.0

        def work(pass_on: Callable[[], None]) -> Generator[Any, None, None]:
            def progress(share: float) -> None:
                self._share = share
                pass_on()

            yield compute(progress)

        self._job = Job[Any](turns, request, work)

    async def done(self) -> Any:
        """Return what was computed; raises what went wrong, and TurnError."""
        return await self._job.last()

    async def shares(self) -> AsyncGenerator[str, None]:
        """Yield server-sent events with the share that is done; what goes wrong is one, too."""
        task = asyncio.ensure_future(self.done())
        try:
            while not task.done():
                await asyncio.wait({task}, timeout=TELLING_SECONDS)
                yield event({"share": round(self._share, 4)})
            task.result()
        except LeftError:
            return
        except Exception as error:
            yield fault_event(error)
        finally:
            task.cancel()
        yield DONE
