"""Work in a thread of its own, seen from the event loop."""

import asyncio
import threading
import time
from collections.abc import Callable, Generator
from typing import Any

import pytest
from anyio.from_thread import start_blocking_portal

from rnnlab.web.jobs import Job
from rnnlab.web.turns import ClosingError, Turns


class MadeUpRequest:
    """A client that stays."""

    client = None

    async def receive(self) -> dict[str, Any]:
        await asyncio.sleep(60)
        return {"type": "http.disconnect"}


def test_a_server_that_ends_does_not_wait_for_a_piece_of_work() -> None:
    begun, over = threading.Event(), threading.Event()

    def work(pass_on: Callable[[], None]) -> Generator[int, None, None]:
        yield 1
        begun.set()
        over.wait(20)  # such as an import, which nothing interrupts
        yield 2

    async def ask() -> float:
        turns = Turns()
        job = Job[int](turns, MadeUpRequest(), work)  # type: ignore[arg-type]
        results = job.results()
        assert await anext(results) == 1
        await asyncio.to_thread(begun.wait)
        began = time.monotonic()
        turns.close()
        with pytest.raises(ClosingError, match="the server is ending"):
            await anext(results)
        return time.monotonic() - began

    with start_blocking_portal() as portal:  # another test's browser may hold this thread's loop
        try:
            assert portal.call(ask) < 5
        finally:
            over.set()
