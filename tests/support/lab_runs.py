"""Runs that a server trains, as a client asks for them."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from command_line import made_up_text
from served import Served, serving

from rnnlab.runs.files import LOCK, state_files

TINY = {"hidden_size": 16, "embedding_size": 4, "batch_size": 4, "num_steps": 10, "threads": 1}
"""A model that trains in an instant; the rest is not chosen."""

SOON, LONG = 60.0, 10**6
"""Seconds until something must have happened, and epochs of a run that does not end by itself."""


@contextmanager
def empty_lab(folder: Path, *args: str, with_text: bool = True) -> Iterator[Served]:
    """A server of an empty folder, with_text: to train on, stored/pets."""
    folder.mkdir(exist_ok=True)
    with serving(*args, cwd=folder) as server:
        try:
            if with_text and "--read-only" not in args:
                text = {"name": "pets", "text": made_up_text(600)}
                assert server.ask("/api/v1/texts", text)[0] in (200, 201)
            yield server
        finally:
            if server.process.poll() is None:
                server.ended()  # and with it its trainings


def started(server: Served, **body: Any) -> dict[str, Any]:
    """Start a tiny run that goes on, unless the body says something else; return the answer."""
    settings = {**TINY, "num_epochs": LONG, "sample_length": 0, **body.pop("settings", {})}
    asked = {"text": "stored/pets", "automatic": False, "settings": settings, **body}
    status, content, _ = server.ask("/api/v1/runs", asked)
    assert status in (201, 202), content
    return {**content, "status": status}


def state_of(server: Served, name: str) -> dict[str, Any]:
    status, content, _ = server.ask(f"/api/v1/trainings/{name}")
    assert status == 200, content
    return dict(content)


def wait_for(what: str, holds: Any) -> Any:
    """Wait until something is true, and return it."""
    end = time.monotonic() + SOON
    while not (found := holds()):
        assert time.monotonic() < end, f"never: {what}"
        time.sleep(0.02)
    return found


def reached(server: Served, name: str, *states: str) -> dict[str, Any]:
    """Wait until a training is in one of the states."""
    found: dict[str, Any] = {}

    def has_come() -> bool:
        found.update(state_of(server, name))
        return found["state"] in states

    wait_for(f"{name} is {' or '.join(states)}", has_come)
    return found


def trained(directory: Path, states: int = 1) -> None:
    """Wait until so many states have been saved after the first."""
    first = wait_for("a state", lambda: state_files(directory))[0].stem
    wait_for("more states", lambda: int(state_files(directory)[0].stem) >= int(first) + states)


def process_of(directory: Path) -> int:
    """The process that trains a run, from its lock."""
    found = re.search(r"process (\d+)", (directory / LOCK).read_bytes().decode())
    assert found
    return int(found[1])
