"""The server: its application, its socket, and how it ends."""

from __future__ import annotations

import contextlib
import signal
import socket
import sys
import webbrowser
from collections.abc import Iterator, Sequence
from pathlib import Path

from rnnlab.errors import UnavailableError, UsageError

try:
    import uvicorn
    from fastapi import FastAPI, Request
except ModuleNotFoundError as error:
    if error.name not in ("fastapi", "uvicorn"):
        raise
    raise UnavailableError(
        f"rnnlab serve needs the package {error.name}; install it with pip install 'rnnlab[serve]'"
    ) from None

import asyncio
from typing import Any
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.responses import Response
from uvicorn.protocols.http.h11_impl import H11Protocol

from rnnlab import __version__
from rnnlab.config import LoadSettings
from rnnlab.console import counted
from rnnlab.errors import RnnlabError
from rnnlab.signals import stopping_on_signals
from rnnlab.web.baselines import baseline_routes
from rnnlab.web.catalogue import catalogue_routes
from rnnlab.web.completions import completion_routes
from rnnlab.web.experiments import experiment_routes
from rnnlab.web.faults import Refused, answer_to
from rnnlab.web.guard import Guard, Hosts, is_loopback
from rnnlab.web.laboratory import laboratory_routes
from rnnlab.web.openapi import ABOUT, DescribedApp
from rnnlab.web.page_files import is_of_page, page_routes
from rnnlab.web.probing import probe_routes
from rnnlab.web.run_control import READ_ONLY, run_control_routes
from rnnlab.web.run_routes import run_routes
from rnnlab.web.settings_form import settings_routes
from rnnlab.web.shelf import Shelf
from rnnlab.web.texts import NO_FOLDER, Texts, text_routes
from rnnlab.web.trainings import Trainings
from rnnlab.web.turns import Turns
from rnnlab.web.writing import writing_routes

DEFAULT = Path("runs")
"""The folder of runs that is served if none is given."""

SHORTEST_TOKEN = 16
"""Characters of a token that keeps others out."""

THREADS = 1
"""CPU threads unless others are asked for. Each request has its own threads, and those of the
kernels spin while they wait for each other: on two busy cores, two of them write 4 times slower
than one (benchmarks/serving.py)."""

HEADER_SECONDS = 20.0
"""Time in which the headers of a request must arrive."""

CLOSING_SECONDS = 5
"""Time for responses to end when the server does."""


def make_app(
    shelf: Shelf, turns: Turns, texts: Texts, trainings: Trainings, read_only: str = ""
) -> FastAPI:
    """Return the application without its guard. Its page /docs would load scripts from elsewhere:
    there is only /openapi.json. read_only: why nothing is started or stored, or ""."""
    app = DescribedApp(
        title="rnnlab", version=__version__, docs_url=None, redoc_url=None, description=ABOUT
    )
    for routes in (
        completion_routes(shelf, turns), catalogue_routes(shelf), laboratory_routes(shelf, turns),
        run_routes(shelf, turns), baseline_routes(shelf, turns), experiment_routes(shelf),
        probe_routes(shelf, turns), writing_routes(shelf, turns), page_routes(),
        settings_routes(read_only or ("" if shelf.runs_folder() else NO_FOLDER)),
        text_routes(texts, read_only), run_control_routes(shelf, texts, trainings, read_only),
    ):  # fmt: skip
        app.include_router(routes)

    def told(request: Request, error: Exception) -> Response:
        return answer_to(error)

    def told_by_status(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        what = f"{request.method} {request.url.path}"
        message = {404: f"there is no {what}", 405: f"{what} is not possible"}
        code = {404: "not_found", 405: "method_not_allowed"}
        status, words = error.status_code, str(error.detail)
        return answer_to(
            Refused(
                status, code.get(status, "invalid_request"), message.get(status, words),
                error.headers,
            )
        )  # fmt: skip

    app.exception_handler(RnnlabError)(told)
    app.exception_handler(HTTPException)(told_by_status)
    app.exception_handler(Exception)(told)
    return app


class _Protocol(H11Protocol):
    """Closes a connection whose headers do not arrive in time."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait_for_headers()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        is_waiting = self.cycle is None or self.cycle.response_complete
        if self._deadline and not is_waiting:
            self._deadline.cancel()
            self._deadline = None
        elif is_waiting and not self._deadline:
            self._wait_for_headers()

    def _wait_for_headers(self) -> None:
        self._deadline = self.loop.call_later(HEADER_SECONDS, self.timeout_keep_alive_handler)


class _Server(uvicorn.Server):
    """Ends all work before it closes its connections."""

    def __init__(
        self, config: uvicorn.Config, turns: Turns, trainings: Trainings, greeting: str,
        opens: str = "",
    ) -> None:  # fmt: skip
        super().__init__(config)
        self.turns, self.trainings, self.greeting, self.opens = turns, trainings, greeting, opens
        self.stopped_by = ""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Let the first signal end the server, the second the process, as in all of rnnlab."""

        def stop(name: str) -> None:
            self.stopped_by, self.should_exit = name, True

        with stopping_on_signals(stop):
            yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Say where the server is, once it answers and minds signals."""
        await super().startup(sockets)
        print(self.greeting, flush=True)
        if self.opens and not await asyncio.to_thread(webbrowser.open, self.opens):
            print("note      no browser could be started; open the address yourself", flush=True)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End all streams with an event that says so, trainings, and all connections."""
        self.turns.close()
        ending = asyncio.ensure_future(self.trainings.close())
        await super().shutdown(sockets)
        for name in await ending:
            print(f"kept      {name}, which can be resumed", flush=True)


def serve(
    paths: Sequence[Path], machine: LoadSettings, *, host: str, port: int, token: str,
    texts: Path | None = None, read_only: bool = False, opens: bool = False,
) -> None:  # fmt: skip
    """Serve runs and models until a signal comes; then exit with its code.

    paths: none for DEFAULT, which may be missing. texts: folder of texts to train on. read_only:
    whether nothing is started, stopped or stored. opens: whether a browser is started with the
    page.

    Raises UsageError for a wrong request, UnavailableError if the port cannot be had.
    """
    check_access(host, token)
    if not machine.threads:
        machine = machine.model_copy(update={"threads": THREADS})
    shelf, turns = Shelf(paths or [DEFAULT], machine, may_be_missing=not paths), Turns()
    place, trainings = shelf.runs_folder(), Trainings(shelf)
    lab_texts = Texts(place[0] if place else None, texts)
    for one in shelf.found().values():
        if one.path == one.root:  # given by itself: what is wrong with it is said now
            shelf.load(one.name)
    app = make_app(shelf, turns, lab_texts, trainings, READ_ONLY if read_only else "")
    guarded = Guard(app, Hosts(host.lower()), token, is_of_page)
    listening = bound(host, port)
    name = f"[{host}]" if ":" in host else host
    config = uvicorn.Config(
        guarded, http=_Protocol, ws="none", lifespan="off", log_config=None, log_level="error",
        access_log=False, server_header=False, proxy_headers=False,
        timeout_graceful_shutdown=CLOSING_SECONDS,
    )  # fmt: skip
    url = f"http://{name}:{listening.getsockname()[1]}"
    greeting = f"""\
serving   {counted(len(shelf.models()), "model")}
          {url}       in a browser
          {url}/v1    for programs"""
    address = f"{url}/#token={quote(token)}" if token else url
    server = _Server(config, turns, trainings, greeting, address if opens else "")
    server.run([listening])
    if server.stopped_by:
        print(f"stopped   {server.stopped_by}", flush=True)
        sys.exit(128 + signal.Signals[server.stopped_by])


def check_access(host: str, token: str) -> None:
    """Raise UsageError for an address that others can reach without a token, or a weak one."""
    if token and not (token.isascii() and token.isprintable() and " " not in token):
        raise UsageError("--token must be printable ASCII without spaces")
    if token and len(token) < SHORTEST_TOKEN:
        raise UsageError(f"--token must have {SHORTEST_TOKEN} characters or more, not {len(token)}")
    if not token and not is_loopback(host):
        raise UsageError(
            f"--host {host} can be reached from other machines, so it needs a --token that clients "
            "send as Authorization: Bearer TOKEN"
        )


def bound(host: str, port: int) -> socket.socket:
    """Return a socket that listens; raises UsageError or UnavailableError."""
    if not 0 <= port <= 65535:
        raise UsageError(f"--port must be 0 (any that is free) to 65535, not {port}")
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        family, address = found[0][0], found[0][4]
        return socket.create_server(address[:2], family=family, backlog=128)
    except (OSError, UnicodeError) as error:
        words = error.strerror if isinstance(error, OSError) else str(error)
        raise UnavailableError(
            f"cannot listen on {host}, port {port}: {words}; choose another --host, or --port 0 "
            "for any that is free"
        ) from None
