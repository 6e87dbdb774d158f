"""The server's application in this process, for what needs no socket."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.testclient import TestClient

from rnnlab.config import LoadSettings
from rnnlab.web.guard import Guard, Hosts
from rnnlab.web.serving import make_app
from rnnlab.web.shelf import Shelf
from rnnlab.web.texts import Texts
from rnnlab.web.trainings import Trainings
from rnnlab.web.turns import Turns

URL = "http://127.0.0.1"


def asked(folders: Sequence[Path], path: str) -> Any:
    """Return the JSON of the answer to a GET."""
    return TestClient(Guard(application(folders), Hosts("127.0.0.1")), URL).get(path).json()


def application(folders: Sequence[Path]) -> FastAPI:
    """Return it without its guard."""
    shelf = Shelf(folders, LoadSettings())
    return make_app(shelf, Turns(), Texts(None), Trainings(shelf), "read only")
