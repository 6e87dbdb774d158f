"""The server's application in this process, for what needs no socket."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from rnnlab.config import LoadSettings
from rnnlab.web.guard import Guard, Hosts
from rnnlab.web.serving import make_app
from rnnlab.web.shelf import Shelf
from rnnlab.web.turns import Turns


def asked(folders: Sequence[Path], path: str) -> Any:
    """Return the JSON of the answer to a GET."""
    app = Guard(make_app(Shelf(folders, LoadSettings()), Turns()), Hosts("127.0.0.1"))
    return TestClient(app, "http://127.0.0.1").get(path).json()
