"""What every request has to pass before anything is done for it.

A page of another site cannot read from this server or write to it: its name is not among the
allowed hosts (DNS rebinding), its origin is not the server's own, and what it can send without
asking first is not JSON. Bodies, requests at a time and seconds are limited.
"""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rnnlab.web.faults import Refused, answer_to
from rnnlab.web.turns import MOST_SECONDS

MOST_BYTES = 8 * 2**20
"""Size of a request's body."""

LARGE_BYTES = {"/api/v1/texts": 64 * 2**20}
"""The same for some paths; of bodies above MOST_BYTES one is held in memory at a time."""

MOST_REQUESTS = 64
"""Requests with a body at a time."""

BODY_SECONDS = 20.0
"""Time in which a body must arrive."""

SENDING_SECONDS = 60.0
"""Time for a client to take the rest of what was computed for it."""

ENDLESS = "/api/v1/events"
"""The path of a stream that goes on as long as its client takes what is sent; it has limits of its
own."""

HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; "
    "form-action 'none'",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
"""Of every response."""

KEY_OF = "rnnlab.key_of"
"""Of a request's scope: takes a path, and returns the query that opens it without a header."""


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    return host == "localhost" or _is_address(host, of_this_machine=True)


def _is_address(host: str, *, of_this_machine: bool = False) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or not of_this_machine


@dataclass(frozen=True)
class Hosts:
    """The names by which a server may be called."""

    bound: str
    """What it listens on: an address, or a name of one."""

    def allow(self, host: str) -> bool:
        """Whether a Host header names this server.

        On 127.0.0.1 only this machine's own names; else any address, since no name that leads to
        another place can be one, and the name of the machine.
        """
        name = _without_port(host)
        if name in ("localhost", self.bound) or is_loopback(name):
            return True
        if is_loopback(self.bound):
            return False
        return _is_address(name) or name == socket.gethostname().lower()


def _without_port(host: str) -> str:
    """Return the lower-case name in a Host header, "" if it is malformed."""
    name, bracket, port = host.rpartition("]") if host.startswith("[") else ("", "", "")
    if not bracket:
        name, _, port = host.partition(":")
        port = f":{port}" if port else ""
    if port and not (port.startswith(":") and port[1:].isdecimal()):
        return ""
    return name.removeprefix("[").lower()


class Guard:
    """Wraps an application; see the module."""

    def __init__(
        self, app: ASGIApp, hosts: Hosts, token: str = "",
        is_public: Callable[[str], bool] = lambda path: False,
    ) -> None:  # fmt: skip
        """Take what needs no token: is_public(path)."""
        self.app, self.hosts, self.token, self.is_public = app, hosts, token, is_public
        self.requests = 0
        self._large: Scope | None = None
        """The request that has a body above MOST_BYTES."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See the module."""
        if scope["type"] != "http":
            return
        has_begun = False

        async def guarded_send(message: Message) -> None:
            nonlocal has_begun
            if message["type"] == "http.response.start":
                has_begun = True
                own = {name.lower() for name, _ in message["headers"]}
                more = [(n.encode(), v.encode()) for n, v in HEADERS.items()]
                message["headers"] = [*message["headers"], *(m for m in more if m[0] not in own)]
            async with asyncio.timeout(SENDING_SECONDS if is_endless else None):
                await send(message)

        is_endless = (scope["method"], scope["path"]) == ("GET", ENDLESS)
        self.requests += not is_endless
        scope[KEY_OF] = self._key_of
        try:
            self._check(scope)
            async with asyncio.timeout(None if is_endless else MOST_SECONDS + SENDING_SECONDS):
                await self.app(scope, await self._with_body(scope, receive), guarded_send)
        except Refused as refused:
            await answer_to(refused)(scope, receive, guarded_send)
        except TimeoutError:
            if not has_begun:
                late = Refused(408, "timeout", "the request took too long")
                await answer_to(late)(scope, receive, guarded_send)
        finally:
            self.requests -= not is_endless
            if self._large is scope:
                self._large = None

    def _take_large(self, scope: Scope) -> None:
        if self._large not in (None, scope):
            raise Refused(
                429, "too_many_requests", f"another body above {MOST_BYTES:,} bytes is being "
                "worked on; try again later", {"retry-after": "1", "connection": "close"},
            )  # fmt: skip
        self._large = scope

    def _check(self, scope: Scope) -> None:
        headers = {n.decode("latin-1"): v.decode("latin-1") for n, v in scope["headers"]}
        host = headers.get("host", "")
        if not self.hosts.allow(host):
            raise Refused(
                421, "host_not_allowed", f"this server is not {host!r}; call it by the address "
                "that rnnlab serve shows"
            )  # fmt: skip
        origin = headers.get("origin")
        if origin is not None and origin.lower() != f"{scope['scheme']}://{host.lower()}":
            raise Refused(
                403, "origin_not_allowed", f"requests of pages from {origin!r} are not allowed"
            )
        needs_token = self.token and not self.is_public(scope["path"])
        if needs_token and not self._has_token(headers) and not self._has_key(scope):
            raise Refused(
                401, "invalid_api_key", "this server needs the header Authorization: Bearer TOKEN, "
                "with the token that --token gave it", {"www-authenticate": "Bearer"},
            )  # fmt: skip
        if scope["method"] != "POST":
            return
        if self.requests > MOST_REQUESTS:
            raise Refused(
                429, "too_many_requests", f"{MOST_REQUESTS} requests are being worked on, which is "
                "all that this server takes at a time; try again later", {"retry-after": "1"},
            )  # fmt: skip
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            raise Refused(415, "not_json", f"a body must be of type application/json, not {kind!r}")
        length = headers.get("content-length", "0")
        if length.isdecimal() and int(length) > most_bytes(scope):
            raise too_large(most_bytes(scope))

    def _key_of(self, path: str) -> str:
        """Return the query that opens one path without a header, as a frame has to."""
        if not self.token:
            return ""
        content = path.encode(errors="surrogatepass")
        return f"?key={hmac.new(self.token.encode(), content, 'sha256').hexdigest()}"

    def _has_key(self, scope: Scope) -> bool:
        wanted = self._key_of(scope["path"]).removeprefix("?").encode()
        return scope["method"] == "GET" and hmac.compare_digest(scope["query_string"], wanted)

    def _has_token(self, headers: Mapping[str, str]) -> bool:
        scheme, _, given = headers.get("authorization", "").partition(" ")
        same = hmac.compare_digest(given.strip().encode("latin-1"), self.token.encode())
        return same and scheme.lower() == "bearer"

    async def _with_body(self, scope: Scope, receive: Receive) -> Receive:
        """Read the body; return what gives it once more."""
        if scope["method"] != "POST":
            return receive
        parts, size = list[bytes](), 0
        try:
            async with asyncio.timeout(BODY_SECONDS):
                more = True
                while more:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise Refused(499, "client_left", "the client has left")
                    parts.append(message.get("body", b""))
                    size += len(parts[-1])
                    if size > most_bytes(scope):
                        raise too_large(most_bytes(scope))
                    if size > MOST_BYTES:
                        self._take_large(scope)
                    more = message.get("more_body", False)
        except TimeoutError:
            raise Refused(
                408, "timeout", f"the body did not arrive within {BODY_SECONDS:g} seconds",
                {"connection": "close"},
            ) from None  # fmt: skip
        whole: Message = {"type": "http.request", "body": b"".join(parts), "more_body": False}
        body = [whole]

        async def again() -> Message:
            return body.pop() if body else await receive()

        return again


def most_bytes(scope: Scope) -> int:
    """Return how large the body of a request may be."""
    return LARGE_BYTES.get(scope["path"], MOST_BYTES)


def too_large(most: int = MOST_BYTES) -> Refused:
    """Return the error for a body that is too large."""
    return Refused(413, "too_large", f"a body may have {most:,} bytes", {"connection": "close"})
