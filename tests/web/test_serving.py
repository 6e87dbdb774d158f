"""`rnnlab serve` from its start to its end."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from command_line import Cli
from refusal import check
from served import JSON, serving

from rnnlab.web.serving import bound


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_streams_with_an_event_and_the_server_with_its_code(
    shelf: Path, sign: signal.Signals
) -> None:
    with serving(str(shelf), environment={}) as server:
        streaming, waiting = server.connect(), server.connect()
        body = {"model": "pets", "prompt": "The", "max_tokens": 100_000, "n": 10}
        streaming.request(
            "POST", "/v1/completions", json.dumps({**body, "stream": True}), dict(JSON)
        )
        waiting.request("POST", "/v1/completions", json.dumps(body), dict(JSON))
        answer = streaming.getresponse()
        assert answer.readline().startswith(b"data: {")
        found: list[bytes] = []
        reader = threading.Thread(target=lambda: found.append(answer.read()))
        reader.start()
        code, printed, errors = server.ended(sign)
        reader.join()
        late = waiting.getresponse()
        assert (late.status, json.loads(late.read())["error"]["code"]) == (503, "closing")
        *_, last, done = found[0].decode().removesuffix("\n\n").split("\n\n")
        assert json.loads(last.removeprefix("data: "))["error"]["message"] == "the server is ending"
        assert done == "data: [DONE]"
        for connection in (streaming, waiting):
            connection.close()
    assert (code, printed, errors) == (128 + sign, f"stopped   {sign.name}\n", "")
    assert server.printed == (
        f"serving   6 models\n          {server.url}       in a browser\n"
        f"          {server.url}/v1    for programs\n"
    )


def test_an_idle_connection_does_not_keep_the_server(shelf: Path) -> None:
    with (
        serving(str(shelf / "pets")) as server,
        socket.create_connection(("127.0.0.1", server.port)),
    ):
        assert server.ask("/health")[1] == {"status": "ok"}
        assert server.ended(signal.SIGINT) == (130, "stopped   SIGINT\n", "")


def test_what_is_wrong_is_said_before_anything_is_served(
    cli: Cli, tmp_path: Path, shelf: Path
) -> None:
    file = tmp_path / "file.txt"
    file.touch()
    advice = "give run directories, model folders, or a folder of runs"
    check(cli("serve", "runs", cwd=tmp_path), 2, f"'runs' does not exist; {advice}")
    check(cli("serve", str(file)), 2, f"{str(file)!r} is not a folder; {advice}")
    check(
        cli("serve", str(shelf), "--host", "0.0.0.0"),
        2,
        "--host 0.0.0.0 can be reached from other machines, so it needs a --token that clients "
        "send as Authorization: Bearer TOKEN",
    )
    check(
        cli("serve", str(shelf), "--token", "short"),
        2,
        "--token must have 16 characters or more, not 5",
    )
    check(
        cli("serve", str(shelf), "--token", "with a space in it"),
        2,
        "--token must be printable ASCII without spaces",
    )
    check(
        cli("serve", str(shelf), "--port", "70000"),
        2,
        "--port must be 0 (any that is free) to 65535, not 70000",
    )
    check(
        cli("serve", str(shelf / "sly")),
        1,
        "model.safetensors of sly is a link to somewhere else",
    )
    with bound("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        done = cli("serve", str(shelf), "--port", str(port))
    assert done.returncode == 1
    assert done.stderr.startswith(
        f"rnnlab: error: cannot listen on 127.0.0.1, port {port}: Address already in use"
    )
    assert done.stderr.endswith("choose another --host, or --port 0 for any that is free\n")


@pytest.mark.parametrize("package", ["fastapi", "uvicorn"])
def test_without_its_packages_it_says_how_to_get_them(package: str) -> None:
    code = (
        f"import sys\nsys.modules[{package!r}] = None\nfrom rnnlab.cli import main\nmain(['serve'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (
        1,
        f"rnnlab: error: rnnlab serve needs the package {package}; install it with pip install "
        "'rnnlab[serve]'\n",
    )


def test_help_imports_nothing_of_it() -> None:
    code = (
        "import sys\nfrom rnnlab.cli import main\n"
        "try: main(['serve', '--help'])\nexcept SystemExit: pass\n"
        "assert not {'fastapi', 'uvicorn', 'torch'} & set(sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True,
        env={**os.environ, "COLUMNS": "100"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Serve the lab in a browser" in done.stdout
