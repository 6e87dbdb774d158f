"""Server-sent events: runs that have changed, lines of metrics that are new, runs that are gone.

    names    {"names": [...]}           all runs there are; sent to whom nothing is known of
    run      a record, as in the list of runs
    gone     {"name": ...}
    metrics  {"name": ..., "from": N, "lines": [...]}   those after the first N lines of a run; the
                                        client forgets all that it had from there on

The id of an event says all that its client knows by then, so a stream that is taken up with it as
Last-Event-ID neither leaves anything out nor repeats anything.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing, contextmanager, suppress
from itertools import zip_longest

from fastapi.concurrency import iterate_in_threadpool, run_in_threadpool
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from rnnlab.errors import ModelFolderError, RnnlabError, UsageError
from rnnlab.runs.files import METRICS
from rnnlab.web.faults import Refused, fault, json_line
from rnnlab.web.metric_lines import NewLines
from rnnlab.web.run_watch import RunWatch
from rnnlab.web.turns import ClosingError, Turns

MOST_LISTENERS = 64
MOST_FOLLOWED = 16
"""Runs whose lines one client is sent."""

RUNNING_SECONDS, ALL_SECONDS = 0.3, 1.0
"""How often the runs that are trained are looked at, and all of them."""

REST = 20
"""Looking at all runs takes at most one part in so many of the time."""

PLACE = re.compile(r"\d{1,12}(~[0-9a-f]{8})?")
"""How many lines a client has; see `NewLines`."""

HEARTBEAT_SECONDS = 15.0
"""After so long without an event a comment is sent."""


class EventStream(StreamingResponse):
    """A response of server-sent events that ends its generator as soon as its client leaves."""

    def __init__(self, events: AsyncGenerator[str, None]) -> None:
        super().__init__(
            events, media_type="text/event-stream", headers={"x-accel-buffering": "no"}
        )
        self._events = events

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events."""
        async with aclosing(self._events):
            await super().__call__(scope, receive, send)


class _Client:
    """What one client knows."""

    def __init__(self, watch: RunWatch, follow: Sequence[str], after: str, last_id: str) -> None:
        self._watch = watch
        server, _, rest = last_id.partition(".")
        number, *places = rest.split(".")
        is_known = server == watch.server and number.isdecimal() and int(number) <= watch.number
        self.number = int(number) if is_known else -1
        """Of the last change it was told; -1: none."""
        places = [place if PLACE.fullmatch(place) else "0" for place in places or after.split(",")]
        self._places = dict(zip_longest(follow, places[: len(follow)], fillvalue="0"))
        self._lines = dict[str, NewLines]()

    def events(self) -> Iterator[str]:
        """Yield what is new for it; files are read."""
        if self.number < 0:
            number, runs = self._watch.all()
            names = [seen.run.name for seen in runs]
            for seen in runs:
                yield self._event("run", seen.text)
            self.number = number
            yield self._event("names", json_line({"names": names}))
        for change in self._watch.changes(self.number):
            self.number = change.number
            if change.seen:
                yield self._event("run", change.seen.text)
            else:
                self._lines.pop(change.name, None)
                yield self._event("gone", json_line({"name": change.name}))
        for name in self._places:
            yield from self._metrics(name)

    def _metrics(self, name: str) -> Iterator[str]:
        run = self._watch.run(name)
        if run is None:
            return
        file = run.path / METRICS
        try:
            if file.is_symlink():
                run.check_within(run.path)
        except ModelFolderError:
            return
        if not file.is_file():
            return
        lines = self._lines.setdefault(name, NewLines(file, self._places[name]))
        for before, new in lines.read():
            self._places[name] = lines.place
            content = {"name": name, "from": before, "lines": new}
            yield self._event("metrics", json_line(content))

    def _event(self, kind: str, data: str) -> str:
        own = "" if self.number < 0 else ".".join([f"{self.number}", *self._places.values()])
        return f"id: {self._watch.server}.{own}\nevent: {kind}\ndata: {data}\n\n"


class Events:
    """The streams of all clients, and the task that looks for changes while there are any."""

    def __init__(self, watch: RunWatch, turns: Turns) -> None:
        """turns: the streams end when they do."""
        self._watch, self._listeners, self._is_closing = watch, 0, False
        self._changed = asyncio.Event()
        self._looking: asyncio.Task[None] | None = None
        turns.when_closing(self._close)

    def response(self, follow: Sequence[str], after: str, last_id: str) -> EventStream:
        """Return the stream of a new client; see the module.

        follow: runs whose lines are sent, too; after: how many lines of each the client has, with
        commas in between; last_id: its Last-Event-ID, which says so as well.
        Raises UsageError, or Refused if there are too many clients.
        """
        if len(follow) > MOST_FOLLOWED:
            raise UsageError(f"follow must name at most {MOST_FOLLOWED} runs, not {len(follow)}")
        if self._listeners >= MOST_LISTENERS:
            raise Refused(
                429, "too_many_requests", f"{MOST_LISTENERS} pages listen for changes, which is "
                "all that this server takes at a time; close one of them", {"retry-after": "5"},
            )  # fmt: skip
        client = _Client(self._watch, list(dict.fromkeys(follow)), after, last_id)
        return EventStream(self._stream(client))

    async def _stream(self, client: _Client) -> AsyncGenerator[str, None]:
        with self._listening():
            await self._look()
            yield ": \n\n"
            while not self._is_closing:
                changed = self._changed
                async for event in iterate_in_threadpool(client.events()):
                    yield event
                try:
                    async with asyncio.timeout(HEARTBEAT_SECONDS):
                        if not self._is_closing:
                            await changed.wait()
                except TimeoutError:
                    yield ": \n\n"
            _, content = fault(ClosingError("the server is ending"))
            yield f"data: {json_line(content)}\n\n"

    @contextmanager
    def _listening(self) -> Iterator[None]:
        self._listeners += 1
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look_again_and_again())
        try:
            yield
        finally:
            self._listeners -= 1

    async def _look_again_and_again(self) -> None:
        last, pause, told = time.monotonic(), ALL_SECONDS, self._watch.number
        while self._listeners and not self._is_closing:
            await asyncio.sleep(RUNNING_SECONDS)
            began = time.monotonic()
            is_due = began >= last + pause
            await self._look(only_running=not is_due)
            if is_due:
                last = time.monotonic()
                pause = max(ALL_SECONDS, REST * (last - began))
            if self._watch.number > told:  # also by another one's look
                told = self._watch.number
                self._tell()

    async def _look(self, *, only_running: bool = False) -> None:
        with suppress(RnnlabError, OSError):  # GET /runs says what is wrong
            await run_in_threadpool(self._watch.look, only_running=only_running)

    def _close(self) -> None:
        self._is_closing = True
        self._tell()

    def _tell(self) -> None:
        """Wake all streams."""
        self._changed.set()
        self._changed = asyncio.Event()
