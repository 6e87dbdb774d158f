"""A server that `rnnlab serve` has started, and what it answers."""

import http.client
import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from command_line import RNNLAB
from forked import Forked

from rnnlab.config import DataSettings, ModelSettings
from rnnlab.data.tokenizer import Tokenizer
from rnnlab.lm.model_folder import save_model
from rnnlab.lm.stored_network import StoredNetwork, parameter_shapes

JSON = {"content-type": "application/json"}


class Served:
    """A server in a process of its own.

    environment: of the installed command, which loads for seconds; None: forked, it begins at once.
    """

    def __init__(
        self, *args: str, port: int = 0, cwd: str | Path = ".",
        environment: dict[str, str] | None = None,
    ) -> None:  # fmt: skip
        command = ["serve", *args, "--port", str(port)]
        self.process: Forked | subprocess.Popen[str]
        if environment is None:
            self.process = Forked(*command, cwd=cwd)
        else:
            self.process = subprocess.Popen(
                [RNNLAB, *command], cwd=cwd, env={**os.environ, **environment}, text=True,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )  # fmt: skip
        assert self.process.stdout
        self.printed = ""
        for line in self.process.stdout:
            self.printed += line
            if found := re.search(r"http://(.+):(\d+)/v1", line):
                self.port = int(found[2])
                return
        raise AssertionError(self.process.communicate()[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    def ask(
        self, path: str, body: Any = None, method: str = "", **headers: str
    ) -> tuple[int, Any, http.client.HTTPMessage]:
        """Return status, JSON and headers; a body of bytes is sent as it is."""
        connection = self.connect()
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        kind = JSON if body is not None and "content-type" not in given else {}
        connection.request(
            method or ("GET" if body is None else "POST"), path, body, {**kind, **given}
        )
        with connection.getresponse() as answer:
            content = answer.read()
        connection.close()
        return answer.status, json.loads(content) if content else None, answer.headers

    def complete(self, **body: Any) -> dict[str, Any]:
        """Return the answer to POST /v1/completions."""
        status, content, _ = self.ask("/v1/completions", body)
        assert status == 200, content
        return dict(content)

    def refused(self, path: str, body: Any = None, **options: Any) -> tuple[int, str, Any, str]:
        """Return status, message, parameter and code of an error in OpenAI's shape."""
        status, content, _ = self.ask(path, body, **options)
        assert status >= 400
        error = content["error"]
        assert set(error) == {"message", "type", "param", "code"}
        return status, error["message"], error["param"], error["code"]

    def ended(self, sign: signal.Signals = signal.SIGTERM) -> tuple[int | None, str, str]:
        """Send a signal; return exit code and what was printed since."""
        self.process.send_signal(sign)
        printed, errors = self.process.communicate()
        return self.process.returncode, printed, errors


@contextmanager
def serving(*args: str, **options: Any) -> Iterator[Served]:
    """Start a server, and end it after the block if it has not ended."""
    server = Served(*args, **options)
    try:
        yield server
    finally:
        if server.process.poll() is None:
            server.process.kill()
            server.process.communicate()


def random_model(folder: Path, tokenizer: Tokenizer, start: int | None = None, **data: Any) -> Path:
    """Write a model folder with random weights."""
    settings = ModelSettings.from_dict({"hidden_size": 12, "embedding_size": 6})
    rng = np.random.default_rng(3)
    arrays = {
        name: rng.normal(0, 0.6, shape).astype(np.float32)
        for name, shape in parameter_shapes(settings, tokenizer.size)
    }
    about = {"data": DataSettings.from_dict(data).model_dump(mode="json")}
    save_model(folder, StoredNetwork(settings, tokenizer.size, start, arrays), tokenizer, about)
    return folder
