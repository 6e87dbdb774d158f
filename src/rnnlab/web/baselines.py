"""`POST /api/v1/baselines`: what `rnnlab evaluate NAME --text FILE` measures on a text.

N-grams and compressors first learn from the model's training text, in pieces of work of up to some
seconds. So the command runs in a process of its own, one at a time and with low priority, and its
request only takes turns to learn whether it may go on.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import suppress
from tempfile import TemporaryFile
from typing import Any

from fastapi import APIRouter, Request
from pydantic import Field
from starlette.responses import Response

from rnnlab.config import LoadSettings, SettingsGroup
from rnnlab.config.validation import Context
from rnnlab.errors import RnnlabError, UsageError
from rnnlab.lm.baseline_titles import PARTS, baseline_title
from rnnlab.lm.baselines import MIN_CHARACTERS
from rnnlab.web.bodies import described, read_body
from rnnlab.web.faults import Answer
from rnnlab.web.jobs import Job
from rnnlab.web.openapi import ANY_OBJECT, COUNT, NUMBER, TEXT, answers, list_of, map_of, record
from rnnlab.web.shelf import Found, Shelf
from rnnlab.web.turns import Turns

RESTING_SECONDS = 0.005
"""Time for which the turn is kept to look at the process."""

LOW_PRIORITY = 5
"""Of the process, as `nice` has it."""

NOTE, ERROR = "rnnlab: note: ", "rnnlab: error: "


class BaselinesBody(SettingsGroup):
    """`POST /api/v1/baselines`: a model and simple methods that learn from its training text."""

    model: str = Field("", description="a name from /v1/models; may be left out if there is one")
    text: str = Field(min_length=1, description="a text")
    context: Context = Field("carried", description="carried, or windows:N from a zero state")


MEASURED = record(
    model=TEXT, notices=list_of(TEXT), context=TEXT, characters=COUNT, bits_per_character=NUMBER,
    nats_per_token=NUMBER, tokens=COUNT, parts=list_of(ANY_OBJECT),
    baselines=list_of(record(name=TEXT, title=TEXT, bits_per_character=NUMBER)),
    left_out=map_of(COUNT),
)  # fmt: skip


def baseline_routes(shelf: Shelf, turns: Turns) -> APIRouter:
    """Return the route."""
    router, place = APIRouter(prefix="/api/v1", tags=["score"]), threading.Lock()

    @router.post("/baselines", openapi_extra=described(BaselinesBody), responses=answers(MEASURED))
    async def baselines(request: Request) -> Response:
        """Measure a model and simple methods on a text, as `rnnlab evaluate NAME --text FILE`."""
        body = await read_body(request, BaselinesBody)
        job = Job(turns, request, lambda pass_on: _work(shelf, body, place, pass_on))
        return Answer(await job.last())

    return router


def _work(
    shelf: Shelf, body: BaselinesBody, place: threading.Lock, pass_on: Callable[[], None]
) -> Generator[dict[str, Any], None, None]:
    one = shelf.find(body.model)
    one.model_folder()  # refuses a link to somewhere else

    def rest() -> None:
        time.sleep(RESTING_SECONDS)
        pass_on()

    while not place.acquire(blocking=False):
        rest()
    try:
        printed, said = _evaluated(one, body, shelf.machine, rest)
    finally:
        place.release()
    measured = json.loads(printed)["evaluations"][0]
    notices = [_notice(line) for line in said.splitlines() if line.startswith(NOTE)]
    yield _answer(one.name, measured, notices)


def _evaluated(
    one: Found, body: BaselinesBody, machine: LoadSettings, rest: Callable[[], None]
) -> tuple[str, str]:
    """Return what the command prints, and what it says on standard error.

    Raises UsageError or RnnlabError with its message, and what `rest` raises.
    """
    command = [
        sys.executable, "-m", "rnnlab", "evaluate", str(one.path), "--text", "-", "--json",
        "--context", body.context, *_flags(machine),
    ]  # fmt: skip
    with TemporaryFile() as text, TemporaryFile() as output, TemporaryFile() as errors:
        text.write(body.text.encode())
        text.seek(0)
        process = subprocess.Popen(
            command, stdin=text, stdout=output, stderr=errors, start_new_session=True
        )
        try:
            with suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, process.pid, LOW_PRIORITY)
            while process.poll() is None:
                rest()
        finally:
            process.kill()
            process.wait()
        printed, said = (_content(file) for file in (output, errors))
    if process.returncode:
        _, found, message = said.rpartition(ERROR)
        kind = UsageError if process.returncode == UsageError.exit_code else RnnlabError
        raise kind(message.strip() if found else f"rnnlab evaluate ended with {process.returncode}")
    return printed, said


def _notice(line: str) -> str:
    """Return a note of the command; "-", by which it names its input, is the text."""
    note = line.removeprefix(NOTE)
    return f"the text: {note[3:]}" if note.startswith("-: ") else note


def _content(file: Any) -> str:
    file.seek(0)
    return str(file.read().decode(errors="replace"))


def _flags(machine: LoadSettings) -> list[str]:
    """Return the flags of the command for how the server computes."""
    found = list[str]()
    for name, value in machine.model_dump(exclude_defaults=True).items():
        flag = f"--{name.replace('_', '-')}"
        found += [flag] if value is True else [flag, str(value)]
    return found


def _answer(name: str, measured: Mapping[str, Any], notices: list[str]) -> dict[str, Any]:
    own, leads = measured["baselines"], measured["leads"]
    return {
        "model": name, "notices": notices,
        **{key: measured[key] for key in (
            "context", "characters", "bits_per_character", "nats_per_token", "perplexity",
            "tokens", "unknown_characters",
        )},
        "parts": [
            {"name": part, "title": f"its {PARTS[part]} alone", **figures}
            for part, figures in measured["parts"].items()
        ],
        "baselines": [
            {"name": key, "title": baseline_title(key, figures), **figures, "lead": leads.get(key)}
            for key, figures in own.items()
        ],
        "left_out": {
            baseline_title(key, {}): least
            for key, least in MIN_CHARACTERS.items()
            if own and key not in own
        },
    }  # fmt: skip
