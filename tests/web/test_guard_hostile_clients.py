"""Clients that mean harm, on every route of /openapi.json: refused, and the server lives."""

import json
import re
import shutil
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from served import JSON, Served, serving

Route = tuple[str, str, dict[str, Any]]

STREAMS = {
    "/v1/completions": {"prompt": "The", "max_tokens": 100_000, "stream": True},
    "/api/v1/write": {"text": "The", "length": 100_000},
    "/api/v1/probe": {"text": "The cat sees the dog. " * 4_000, "progress": True},
    "/api/v1/events": None,
}
"""Routes that stream, and what makes them do it for long."""

OUTSIDE = (
    "../outside", "..%2foutside", "%2e%2e%2foutside", "%252e%252e%252foutside", "..%5coutside",
    "..\\outside", "/etc/passwd", "%2fetc%2fpasswd", "C:\\", "file:///etc/passwd", "~root",
    "pets/../../outside", "pets/..", "./pets", "pets/", "pets//", "pets%00", "%00", "linked",
    "pets/config.toml", "pets%0d%0aSet-Cookie:a=b", "\u202epets", "pets" * 5_000, "con", "*", "",
)  # fmt: skip
"""Names that lead elsewhere, or nowhere."""


@pytest.fixture(scope="module")
def own_shelf(shelf: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy, as texts are stored in it, with the same things around it."""
    root = tmp_path_factory.mktemp("around")
    shutil.copytree(shelf.parent / "outside", root / "outside")
    shutil.copytree(shelf, root / "runs", symlinks=True)
    return root / "runs"


@pytest.fixture(scope="module")
def server(own_shelf: Path) -> Iterator[Served]:
    with serving(str(own_shelf)) as own:
        yield own


@pytest.fixture(scope="module")
def routes(server: Served) -> list[Route]:
    """Method, path and description of every route."""
    _, document, _ = server.ask("/openapi.json")
    return [
        (method.upper(), path, operation)
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    ]


def posts(routes: list[Route]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the path and the schema of the body of what takes one, with a name that there is."""
    for method, path, operation in routes:
        if method == "POST":
            schema = operation["requestBody"]["content"]["application/json"]["schema"]
            yield path.replace("{name}", "pets"), schema


def raw(server: Served, sent: bytes, *, most: int = 65_536) -> bytes:
    """Return what is answered to some bytes."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.sendall(sent)
        return connection.recv(most)


def lives(server: Served) -> None:
    assert server.process.poll() is None
    assert server.ask("/health")[1] == {"status": "ok"}


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b"null", b"1", b'"text"', b"\xff\xfe{}", b"{}\x00", b'{"model": "\x00"}',
        b"[" * 100_000, b'{"a":' * 50_000, b'{"model": ' + b"9" * 5_000 + b"}",
        rb'{"model": "\ud800"}', b'{"model": "a", "model": {}}', b'{"no such key": 1}',
        b'{"__proto__": {}, "constructor": 1}', b"model=pets", b"<a/>", b"{'model': 'pets'}",
    ],
    ids=lambda body: repr(body[:20]),
)  # fmt: skip
def test_malformed_bodies(server: Served, routes: list[Route], body: bytes) -> None:
    for path, _ in posts(routes):
        status, message, _, _ = server.refused(path, body)
        assert 400 <= status < 500, (path, status, message)
        assert message, path
    lives(server)


@pytest.mark.parametrize(
    "value",
    ["NaN", "Infinity", "-Infinity", "1e999", "1" + "0" * 400, "-1" + "0" * 400, r'"\udc00"',
     "[" * 500 + "]" * 500, '{"a":' * 500 + "1" + "}" * 500, '"' + "a" * 100_000 + '"'],
    ids=lambda value: value[:12],
)  # fmt: skip
def test_values_of_no_sense_for_every_key(server: Served, routes: list[Route], value: str) -> None:
    keys = 0
    for path, schema in posts(routes):
        for key in schema["properties"]:
            # A model that is not there: what passes is not worked on.
            others = {} if key == "model" or "model" not in schema["properties"] else {"model": "-"}
            text = json.dumps(others)[:-1] + (", " if others else "") + f'"{key}": {value}}}'
            status, message, _, _ = server.refused(path, text.encode())
            assert 400 <= status < 500, (path, key, status, message)
            keys += 1
    assert keys > 50
    lives(server)


def test_nesting_has_a_limit_of_its_own(server: Served) -> None:
    def nested(depth: int) -> str:
        return server.refused(
            "/v1/completions", b'{"prompt": %s%s}' % (b"[" * depth, b"]" * depth)
        )[1]

    assert nested(16) == "the body is nested more than 16 deep"
    assert nested(15).startswith("prompt: must be a text")


def test_bodies_of_other_kinds_and_sizes(server: Served, routes: list[Route]) -> None:
    for path, _ in posts(routes):
        for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
            assert server.refused(path, b"{}", content_type=kind)[3] == "not_json", path
        status, message, _, _ = server.refused(path, b"", content_length=str(10**12))
        assert (status, message[:15]) == (413, "a body may have"), path
    lives(server)


def test_pages_of_others(server: Served, routes: list[Route]) -> None:
    """Foreign origins, and names that were made to lead here, whatever is asked for."""
    for method, path, _ in routes:
        place, body = path.replace("{name}", "pets"), {} if method == "POST" else None
        ask = {"body": body, "method": method}
        assert server.refused(place, **ask, host="evil.example")[0] == 421, place
        for origin in ("http://evil.example", "null", f"http://localhost.evil:{server.port}"):
            assert server.refused(place, **ask, origin=origin)[0] == 403, place
    lives(server)


@pytest.mark.parametrize("name", OUTSIDE, ids=lambda name: repr(name[:20]))
def test_names_that_lead_elsewhere(
    server: Served, routes: list[Route], own_shelf: Path, name: str
) -> None:
    around = sorted(own_shelf.parent.iterdir())
    as_path = quote(name, safe="%/.:~*")
    for method, path, _ in routes:
        if "{name}" in path:
            place, body = path.replace("{name}", as_path), b"{}" if method == "POST" else None
            status, content, _ = server.ask(place, body)
            is_a_list = not name and status == 200  # /api/v1/runs/ and the like
            assert 400 <= status < 500 or is_a_list, (place[:100], status, content)
    for path, schema in posts(routes):
        for key in {"model", "name", "text"} & schema["properties"].keys():
            content = {**dict.fromkeys(schema.get("required", []), "ab"), key: name}
            status, answer, _ = server.ask(path, {"model": "-"} | content)
            # A text may be stored under any name that is one of a file, and in one place only.
            is_stored = path == "/api/v1/texts" and status < 300
            assert 400 <= status < 500 or is_stored, (path, key, status, answer)
    assert sorted(own_shelf.parent.iterdir()) == around
    lives(server)


def test_links_in_the_folder_of_runs(server: Served, routes: list[Route], own_shelf: Path) -> None:
    """`linked` is a link to a folder outside, the weights of `sly` are one to a file there."""
    assert not (own_shelf / "linked").resolve().is_relative_to(own_shelf)
    for method, path, operation in routes:
        for name in ("linked", "sly"):
            if "{name}" in path:
                place = path.replace("{name}", name)
                assert 400 <= server.ask(place, {} if method == "POST" else None)[0] < 500, place
            for parameter in operation.get("parameters", []):
                if parameter["name"] == "model":
                    assert 400 <= server.ask(f"{path}?model={name}")[0] < 500, path
    for path, schema in posts(routes):
        if "model" in schema["properties"]:
            needed = dict.fromkeys(schema.get("required", []), "ab")
            assert server.refused(path, {**needed, "model": "linked"})[0] in (400, 404), path
            assert server.refused(path, {**needed, "model": "sly"})[0] in (400, 422), path
    lives(server)


@pytest.mark.parametrize(
    "method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "A" * 1_000]
)
def test_other_methods(server: Served, routes: list[Route], method: str) -> None:
    for _, path, _ in routes:
        place = path.replace("{name}", "pets")
        head = f"{method} {place} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000000000\r\n\r\n"
        status = re.match(rb"HTTP/1.1 (\d+)", raw(server, head.encode()))
        assert status, place
        assert 400 <= int(status[1]) < 500, (place, status[1])
    lives(server)


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"a" * 200_000 + b"\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n" + b"X: a\r\n" * 100_000 + b"\r\n",
        b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example\r\n\r\n",
        b"GET http://evil.example/health HTTP/1.1\r\nHost: evil.example\r\n\r\n",
        b"GET /health\x00 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"GET /health HTTP/one\r\nHost: 127.0.0.1\r\n\r\n",
        b"POST /v1/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        b"Transfer-Encoding: chunked\r\n\r\nZZZ\r\n",
        b"POST /v1/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        b"Content-Length: -5\r\n\r\n{}",
        b"POST /v1/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    ],
    ids=lambda sent: repr(sent[:12] + sent[-12:]),
)
def test_what_is_hardly_http(server: Served, sent: bytes) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        try:
            connection.sendall(sent)
            answer = connection.recv(100)
        except (ConnectionResetError, BrokenPipeError):  # refused before all of it was sent
            answer = b""
    assert not answer or re.match(rb"HTTP/1.1 4\d\d", answer), answer
    lives(server)


def threads(server: Served) -> int:
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(re.findall(r"Threads:\s+(\d+)", status)[0])


def test_streams_that_are_left(server: Served, routes: list[Route]) -> None:
    """Every stream is aborted in the middle, many times; each one's thread ends."""
    kinds = {
        path
        for _, path, operation in routes
        if "text/event-stream" in operation["responses"]["200"]["content"]
    }
    assert kinds == set(STREAMS)
    for path, body in STREAMS.items():  # what is loaded once
        leave(server, path, body)
    before = threads(server)
    for path, body in STREAMS.items():
        for _ in range(8):
            leave(server, path, body)
    ends = time.monotonic() + 60
    while threads(server) > before + 7:  # there were 24 that compute; some are kept for others
        assert time.monotonic() < ends, (threads(server), before)
        time.sleep(0.05)
    lives(server)


def leave(server: Served, path: str, body: dict[str, Any] | None) -> None:
    connection = server.connect()
    content = None if body is None else json.dumps({"model": "pets", **body})
    connection.request("POST" if content else "GET", path, content, dict(JSON))
    answer = connection.getresponse()
    assert (answer.status, answer.headers["content-type"][:17]) == (200, "text/event-stream"), path
    assert answer.read(5)
    assert connection.sock
    connection.sock.close()
    connection.close()


def test_very_many_connections(server: Served) -> None:
    """All are open at once and say nothing, and the server answers others."""
    idle = [socket.create_connection(("127.0.0.1", server.port), timeout=30) for _ in range(400)]
    try:
        began = time.monotonic()
        lives(server)
        assert server.complete(model="pets", prompt="The", max_tokens=3)["choices"]
        assert time.monotonic() - began < 20
    finally:
        for connection in idle:
            connection.close()
    lives(server)
