"""A request's work in a thread of its own, seen from the event loop."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import aclosing, closing, suppress
from typing import Any, Generic, TypeVar

from starlette.requests import Request

from rnnlab.web.faults import fault, json_line
from rnnlab.web.turns import LeftError, Turn, Turns

Item = TypeVar("Item")
Work = Callable[[Callable[[], None]], Generator[Item, None, None]]
"""Takes a function that passes the turn on, and yields results; the turn is passed on after each
of them."""


class _Done:
    """Stands for the end of all results."""


class Job(Generic[Item]):
    """Work that goes on in a thread; its results are awaited one by one."""

    def __init__(self, turns: Turns, request: Request, work: Work[Item]) -> None:
        self._loop = asyncio.get_running_loop()
        self._results = asyncio.Queue[Item | _Done | BaseException]()
        self._turn = turns.new(request.client.host if request.client else "")
        self._turn.when_stopped = self._tell
        self._leaving = asyncio.ensure_future(self._watch(request))
        threading.Thread(target=self._run, args=(self._turn, work), daemon=True).start()

    async def results(self) -> AsyncGenerator[Item, None]:
        """Yield the results; raises what the work raised, and TurnError."""
        try:
            while not isinstance(found := await self._results.get(), _Done):
                if isinstance(found, BaseException):
                    raise found
                yield found
        finally:
            self.stop()

    async def last(self) -> Item | None:
        """Return the last result; None if there are none. Raises as `results`."""
        found: Item | None = None
        async with aclosing(self.results()) as results:
            async for result in results:
                found = result
        return found

    def stop(self) -> None:
        """End the work at the next place where it may end, if it still goes on."""
        self._turn.stop(LeftError("the client has left"))
        self._leaving.cancel()

    async def _watch(self, request: Request) -> None:
        """Stop the work as soon as its client leaves."""
        while (await request.receive())["type"] != "http.disconnect":
            pass
        self._turn.stop(LeftError("the client has left"))

    def _run(self, turn: Turn, work: Work[Item]) -> None:
        try:
            with turn, closing(work(turn.pass_on)) as results:
                for result in results:
                    self._tell(result)
                    turn.pass_on()
            self._tell(_Done())
        except BaseException as error:
            self._tell(error)

    def _tell(self, result: Item | _Done | BaseException) -> None:
        with suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._results.put_nowait, result)


def event(content: Any) -> str:
    """Return a server-sent event."""
    return f"data: {json_line(content)}\n\n"


def fault_event(error: Exception) -> str:
    """Return the event that ends a stream whose work has failed."""
    status, content = fault(error)
    if status == 500:  # no response can say so any more
        logging.getLogger("uvicorn.error").error("in a stream", exc_info=error)
    return event(content)


async def as_events(first: Any, results: AsyncGenerator[Any, None]) -> AsyncGenerator[str, None]:
    """Yield results, the first of which has been awaited, as events; None is left out.

    An error is the last event.
    """
    yield event(first)
    try:
        async with aclosing(results):
            async for result in results:
                if result is not None:
                    yield event(result)
    except LeftError:
        return
    except Exception as error:
        yield fault_event(error)
