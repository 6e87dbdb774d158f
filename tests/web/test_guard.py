"""What a request must be before anything is done for it."""

import asyncio
import http.client
import json
import os
import socket
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from anyio.from_thread import start_blocking_portal
from served import JSON, Served, serving

from rnnlab.web import guard
from rnnlab.web.guard import Guard, Hosts, is_loopback


@pytest.mark.parametrize(
    ("bound", "host", "is_allowed"),
    [
        ("127.0.0.1", "127.0.0.1:80", True),
        ("127.0.0.1", "127.9.9.9", True),
        ("127.0.0.1", "localhost", True),
        ("127.0.0.1", "LOCALHOST:8000", True),
        ("127.0.0.1", "[::1]:8000", True),
        ("127.0.0.1", "", False),
        ("127.0.0.1", "evil.example", False),
        ("127.0.0.1", "localhost.evil.example", False),
        ("127.0.0.1", "127.0.0.1.evil.example", False),
        ("127.0.0.1", "127.0.0.1:80@evil.example", False),
        ("127.0.0.1", "[::1", False),
        ("127.0.0.1", "[::1]evil", False),
        ("127.0.0.1", "192.168.1.5", False),
        ("127.0.0.1", "2130706433", False),
        ("0.0.0.0", "192.168.1.5:8000", True),
        ("0.0.0.0", "[fe80::1]:8000", True),
        ("0.0.0.0", "evil.example", False),
        ("lab.example", "lab.example:8000", True),
        ("lab.example", "evil.example:8000", False),
    ],
)
def test_a_name_of_another_place_is_refused(bound: str, host: str, is_allowed: bool) -> None:
    assert Hosts(bound).allow(host) is is_allowed


def test_a_server_of_all_addresses_may_be_called_by_the_machine_s_name() -> None:
    assert Hosts("0.0.0.0").allow(f"{socket.gethostname()}:8000")
    assert not is_loopback("0.0.0.0")
    assert is_loopback("::1")


def test_rebound_names_and_pages_of_others_are_refused(server: Served) -> None:
    """A page whose name was made to lead here sends that name, and its origin."""
    status, message, _, code = server.refused("/v1/models", host="evil.example")
    assert (status, code) == (421, "host_not_allowed")
    assert message == (
        "this server is not 'evil.example'; call it by the address that rnnlab serve shows"
    )
    for origin in ("http://evil.example", "null", f"https://127.0.0.1:{server.port}",
                   "http://127.0.0.1:1", "file://"):  # fmt: skip
        body = {"model": "pets", "prompt": "a"}
        status, message, _, _ = server.refused("/v1/completions", body, origin=origin)
        assert (status, message) == (403, f"requests of pages from '{origin}' are not allowed")
    status, _, headers = server.ask("/v1/models", origin=server.url)
    assert status == 200
    assert not [name for name in headers if name.lower().startswith("access-control")]
    # What a browser asks before it lets another page send JSON:
    asked = {"origin": "http://evil.example", "access-control-request-method": "POST"}
    assert server.refused("/v1/completions", method="OPTIONS", **asked)[0] == 403


def test_every_response_forbids_what_a_browser_might_do_with_it(server: Served) -> None:
    for path, options in (("/v1/models", {}), ("/no", {}), ("/health", {"host": "evil.example"})):
        headers = server.ask(path, **options)[2]
        assert headers["content-security-policy"].startswith("default-src 'none'; frame-ancestors")
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert "server" not in headers


@pytest.mark.parametrize("kind", ["text/plain", "", "application/x-www-form-urlencoded"])
def test_only_json_is_read(server: Served, kind: str) -> None:
    """A form of another page can send any of these without being asked for."""
    status, message, _, code = server.refused(
        "/v1/completions", json.dumps({"model": "pets"}).encode(), content_type=kind
    )
    assert (status, code) == (415, "not_json")
    assert message == f"a body must be of type application/json, not '{kind}'"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "the body is not JSON: Expecting value"),
        (b"{", "the body is not JSON: Expecting property name"),
        (b"[]", "the body must be a JSON object"),
        (b"\xff\xfe\x00", "the body is not JSON: "),
        (b"[" * 100_000, "the body is not JSON: maximum recursion depth exceeded"),
        (b'{"n": 1' + b"0" * 9_000 + b"}", "the body is not JSON: Exceeds the limit"),
    ],
)
def test_malformed_bodies_are_refused(server: Served, body: bytes, message: str) -> None:
    status, words, _, _ = server.refused("/v1/completions", body)
    assert (status, words[: len(message)]) == (400, message)


def test_large_bodies_are_refused_with_and_without_a_length(server: Served) -> None:
    large = b" " * (guard.MOST_BYTES + 1)
    assert server.refused("/v1/completions", large[:0], content_length=str(len(large)))[0] == 413
    connection = server.connect()
    parts = (large[n : n + 2**20] for n in range(0, len(large), 2**20))
    connection.request("POST", "/v1/completions", parts, dict(JSON), encode_chunked=True)
    with connection.getresponse() as answer:
        assert answer.status == 413
        assert json.loads(answer.read())["error"]["message"] == "a body may have 8,388,608 bytes"
    connection.close()
    assert server.ask("/health")[0] == 200


def test_a_server_that_others_can_reach_wants_its_token(shelf: Path) -> None:
    token = "a-token-of-the-tests"
    options = ["--host", "0.0.0.0", "--token", token, "--threads", "1"]
    with serving(str(shelf / "pets"), *options) as server:
        for given in ({}, {"authorization": "Bearer a-token"}, {"authorization": f"Basic {token}"},
                      {"authorization": "Bearer é"}):  # fmt: skip
            status, message, _, code = server.refused("/v1/models", **given)
            assert (status, code) == (401, "invalid_api_key")
            assert message == (
                "this server needs the header Authorization: Bearer TOKEN, with the token that "
                "--token gave it"
            )
        status, content, _ = server.ask("/v1/models", authorization=f"Bearer {token}")
        assert (status, [model["id"] for model in content["data"]]) == (200, ["pets"])
        assert token not in server.printed


def test_slow_and_idle_clients_are_sent_away_and_too_many_told_to_wait(
    shelf: Path, tmp_path: Path
) -> None:
    """With shorter limits, which a file that Python runs at its start sets."""
    (tmp_path / "sitecustomize.py").write_text(
        "from rnnlab.web import guard, serving\n"
        "guard.BODY_SECONDS, guard.MOST_REQUESTS, serving.HEADER_SECONDS = 2.5, 3, 2.5\n"
    )
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    with serving(str(shelf / "pets"), environment={"PYTHONPATH": path}) as server:
        silent, slow = (socket.create_connection(("127.0.0.1", server.port)) for _ in "ab")
        slow.sendall(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ")
        late = [server.connect() for _ in range(4)]
        for connection in late:
            connection.putrequest("POST", "/v1/completions")
            connection.putheader("content-type", "application/json")
            connection.putheader("content-length", "10")
            connection.endheaders(b"{")
            time.sleep(0.05)
        answers = [connection.getresponse() for connection in late]
        assert [answer.status for answer in answers] == [408, 408, 408, 429]
        messages = [json.loads(answer.read())["error"]["message"] for answer in answers]
        assert messages[0] == "the body did not arrive within 2.5 seconds"
        assert messages[3] == (
            "3 requests are being worked on, which is all that this server takes at a time; try "
            "again later"
        )
        assert answers[3].headers["retry-after"] == "1"
        for lazy in (silent, slow):
            lazy.settimeout(30)
            assert lazy.recv(1) == b""
            lazy.close()
        for connection in late:
            connection.close()
        assert server.ask("/health")[0] == 200


def test_what_is_not_http_is_refused_and_the_server_lives(server: Served) -> None:
    for text in (b"\x16\x03\x01\x02\x00\x01", b"GET\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as raw:
            raw.sendall(text)
            assert raw.recv(100).startswith(b"HTTP/1.1 4")
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as raw:
        raw.sendall(b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n")
    assert server.ask("/health")[0] == 200


@pytest.mark.parametrize(
    "name", ["../outside", "..%2Foutside", "pets/../../outside", "/etc", "linked", "more/../pets",
             "%2e%2e/outside", "pets/checkpoint/best", ".", "pets\x00"],
)  # fmt: skip
def test_no_name_leads_out_of_the_folder(server: Served, name: str) -> None:
    body = {"model": name, "prompt": "a"}
    assert server.refused("/v1/completions", body)[::3] == (404, "model_not_found")
    path = name.replace("\x00", "%00")
    for route in ("/v1/models/", "/api/v1/runs/"):
        assert server.refused(f"{route}{path}")[0] == 404


def test_a_model_whose_weights_are_a_link_to_elsewhere_is_refused(server: Served) -> None:
    status, message, _, code = server.refused("/v1/completions", {"model": "sly", "prompt": "a"})
    assert (status, code) == (422, "model_unusable")
    assert message == "model.safetensors of sly is a link to somewhere else"


def test_a_client_that_leaves_frees_its_place_at_once(server: Served) -> None:
    """However much it has asked for: 64 at a time would be all that there may be."""
    asked = {"model": "pets", "prompt": "The", "max_tokens": 100_000, "stream": True}
    for stream in (True, False):
        for _ in range(guard.MOST_REQUESTS // 8):
            left = [server.connect() for _ in range(16)]
            for connection in left:
                connection.request(
                    "POST", "/v1/completions", json.dumps({**asked, "stream": stream}), dict(JSON)
                )
            if stream:
                assert left[0].getresponse().read(6) == b"data: "
            for connection in left:
                connection.sock.shutdown(socket.SHUT_RDWR)
                connection.close()
    began = time.monotonic()
    while server.ask("/v1/completions", {"model": "pets", "max_tokens": 1})[0] != 200:
        assert time.monotonic() - began < 60


def test_many_clients_at_once_get_what_each_gets_alone(server: Served) -> None:
    asked = {"model": "pets", "prompt": "The cat", "max_tokens": 300}
    alone = [server.complete(**asked, seed=n)["choices"][0]["text"] for n in range(4)]
    found: list[tuple[int, str]] = []

    def client(number: int) -> None:
        text = server.complete(**asked, seed=number % 4)["choices"][0]["text"]
        found.append((number % 4, text))

    threads = [threading.Thread(target=client, args=(n,)) for n in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 32
    assert all(text == alone[number] for number, text in found)


def test_an_aborted_upload_is_cleaned_up(server: Served) -> None:
    for _ in range(3):
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
        connection.putrequest("POST", "/v1/completions")
        connection.putheader("content-type", "application/json")
        connection.putheader("content-length", "1000000")
        connection.endheaders(b"{" * 1000)
        connection.close()
    assert server.ask("/health")[0] == 200


@pytest.mark.parametrize(
    ("path", "is_stuck", "is_whole"),
    [(guard.ENDLESS, False, True), (guard.ENDLESS, True, False), ("/other", False, False)],
)
def test_only_events_go_on_while_their_client_takes_them(
    monkeypatch: pytest.MonkeyPatch, path: str, is_stuck: bool, is_whole: bool
) -> None:
    monkeypatch.setattr(guard, "MOST_SECONDS", 0.1)
    monkeypatch.setattr(guard, "SENDING_SECONDS", 0.1)
    sent = list[Any]()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await asyncio.sleep(0.4)
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def send(message: Any) -> None:
        if is_stuck and message["type"] == "http.response.body":
            await asyncio.sleep(60)
        sent.append(message["type"])

    scope = {
        "type": "http", "method": "GET", "path": path, "scheme": "http",
        "headers": [(b"host", b"127.0.0.1")],
    }  # fmt: skip
    with start_blocking_portal() as portal:  # another test's browser may hold this thread's loop
        portal.call(Guard(app, Hosts("127.0.0.1")), scope, app, send)  # type: ignore[arg-type]
    assert sent == ["http.response.start", "http.response.body"][: 1 + is_whole]
