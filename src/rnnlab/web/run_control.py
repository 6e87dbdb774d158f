"""Starting, stopping and resuming runs over HTTP."""

from __future__ import annotations

import asyncio
import os
import re
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from pydantic import Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from rnnlab.config import SettingsGroup, read_toml
from rnnlab.errors import RnnlabError, UsageError
from rnnlab.files import lock_owner
from rnnlab.runs.directory import numbered
from rnnlab.runs.files import LOCK, RUN_CONFIG, settings_of_run, state_files
from rnnlab.web.bodies import described, read_body
from rnnlab.web.faults import Answer, Refused
from rnnlab.web.openapi import TEXT, TRUTH, answers, list_of, or_null, record
from rnnlab.web.run_records import group_of
from rnnlab.web.settings_form import changed_settings, flags, new_settings
from rnnlab.web.shelf import Found, Shelf, UnknownModelError
from rnnlab.web.texts import FOLDER, NO_FOLDER, LabText, Texts, check_name
from rnnlab.web.trainings import Training, Trainings, last_error

READ_ONLY = "rnnlab serve was started with --read-only: nothing is started, stopped or stored"

BEGINNING_SECONDS = 60.0
"""So long an answer waits for training to begin; a long text may take more to be read."""

LONGEST_STEM = 48
"""Characters of the name of a text in the name of a run."""

STATE = {"name": TEXT, "state": TEXT, "error": or_null(TEXT)}
ONE_STATE = record(**STATE, resumable=TRUTH, refused=or_null(TEXT))


class StopBody(SettingsGroup):
    """`POST /api/v1/runs/NAME/stop`: no keys."""


class ResumeBody(SettingsGroup):
    """`POST /api/v1/runs/NAME/resume`."""

    settings: dict[str, Any] = Field({}, description="those that may change, by name")
    budget: str = Field("", description="training time in all, such as 30s, 3m or 1h")


class AgainBody(SettingsGroup):
    """`POST /api/v1/runs/NAME/again`: no keys."""


class RunBody(SettingsGroup):
    """`POST /api/v1/runs`."""

    name: str = Field("", description="of the run; none: it is numbered")
    text: str = Field(description="an id from /api/v1/texts")
    settings: dict[str, Any] = Field({}, description="as in /api/v1/settings, by name")
    budget: str = Field("", description="training time, such as 30s, 3m or 1h")
    automatic: bool = Field(True, description="choose the settings that are not given")


def run_control_routes(
    shelf: Shelf, texts: Texts, trainings: Trainings, read_only: str
) -> APIRouter:
    """Return the routes; read_only: why nothing is started or stopped, or ""."""
    router = APIRouter(prefix="/api/v1", tags=["runs"])
    control = RunControl(shelf, trainings)
    started: dict[int | str, dict[str, Any]] = {
        status: answers(record(**STATE))[200] for status in (200, 201, 202)
    }

    def check_writable() -> None:
        if read_only:
            raise Refused(403, "read_only", read_only)

    @router.get(
        "/trainings",
        responses=answers(record(trainings=list_of(record(**STATE)), others=list_of(TEXT))),
    )
    async def list_trainings() -> Response:
        """List what this server has started, and which runs other processes train."""
        return Answer(await trainings.listed())

    @router.get("/trainings/{name:path}", responses=answers(ONE_STATE))
    async def training(name: str) -> Response:
        """Say whether a run is trained, what went wrong, and whether it can go on."""
        return Answer({**control.state_of(name), "refused": read_only or None})

    @router.post("/runs", openapi_extra=described(RunBody), responses=started)
    async def start(request: Request) -> Response:
        """Start a run; 201 when its training has begun, 202 if it waits or is being prepared."""
        check_writable()
        body = await read_body(request, RunBody)
        text = await run_in_threadpool(texts.find, body.text)
        return await control.answer(await control.start(body, text), 201)

    @router.post(
        "/runs/{name:path}/stop", openapi_extra=described(StopBody),
        responses=answers(record(name=TEXT, state=TEXT)),
    )  # fmt: skip
    async def stop(name: str, request: Request) -> Response:
        """End training after its step, with its evaluations, as Ctrl-C does; again: at once."""
        check_writable()
        await read_body(request, StopBody)
        return Answer(control.stop(name))

    @router.post(
        "/runs/{name:path}/resume", openapi_extra=described(ResumeBody), responses=started
    )  # fmt: skip
    async def resume(name: str, request: Request) -> Response:
        """Go on with a run from its last saved state, with a larger budget if it is used up."""
        check_writable()
        body = await read_body(request, ResumeBody)
        return await control.answer(await control.resume(name, body), 200)

    @router.post("/runs/{name:path}/again", openapi_extra=described(AgainBody), responses=started)
    async def again(name: str, request: Request) -> Response:
        """Start a run with all settings of another one, but a seed that none of its group has."""
        check_writable()
        await read_body(request, AgainBody)
        return await control.answer(await control.again(name), 201)

    return router


class RunControl:
    """What is asked of runs; its methods are for the event loop."""

    def __init__(self, shelf: Shelf, trainings: Trainings) -> None:
        self._shelf, self._trainings = shelf, trainings

    def state_of(self, name: str) -> dict[str, Any]:
        """Return the state of a run: `none` if no process is known to train it or to have done so.

        Raises UnknownModelError.
        """
        own = self._trainings.of(name)
        if own and not (own.directory / RUN_CONFIG).is_file():
            return {**own.told(), "resumable": False}
        found = self._find(name)
        if own and own.state not in ("ended", "failed"):
            return {**own.told(), "resumable": False}
        if lock_owner(found.path / LOCK):
            return {"name": name, "state": "training", "error": None, "resumable": False}
        told = own.told() if own else {"name": name, "state": "none", "error": None}
        told["error"] = told["error"] or last_error(found.path) or None
        return {**told, "resumable": bool(state_files(found.path))}

    async def start(self, body: RunBody, text: LabText) -> Training:
        """Check what was asked for, and start it or let it wait. Raises UsageError and Refused."""
        if (place := self._shelf.runs_folder()) is None:
            raise Refused(409, "no_folder", NO_FOLDER)
        folder, before = place
        settings = new_settings(body.settings, body.budget, text.corpus)
        if body.name:
            name = check_name(body.name, "run")
            if name == FOLDER or self._is_taken(folder / name):
                raise Refused(
                    409, "name_taken", f"name: {name!r} is taken; choose another one, or resume it"
                )
        else:
            stem = _stem(text, settings)
            free = (path for path in numbered(folder, stem) if not self._is_taken(path))
            name = next(free).name
        directory = folder / name
        arguments = ["--run-dir", str(directory), *flags(settings)]
        if not body.automatic:
            arguments.append("--no-automatic")
        training = Training(f"{before}{name}", directory, arguments, is_new=True)
        await self._trainings.add(training)
        return training

    async def again(self, name: str) -> Training:
        """Start a run like this one with another seed, or let it wait.

        Raises UsageError, UnknownModelError and Refused.
        """
        found = self._find(name)
        if (place := self._shelf.runs_folder()) is None:
            raise Refused(409, "no_folder", NO_FOLDER)
        folder, before = place
        seed = await run_in_threadpool(self._free_seed, found)
        stem = re.sub(r"-\d+$", "", found.path.name)
        free = (path for path in numbered(folder, stem) if not self._is_taken(path))
        directory = next(free)
        config = ["--config", str(found.path / RUN_CONFIG), f"--seed={seed}", "--no-automatic"]
        arguments = ["--run-dir", str(directory), *config]
        training = Training(f"{before}{directory.name}", directory, arguments, is_new=True)
        await self._trainings.add(training)
        return training

    def _free_seed(self, found: Found) -> int:
        """Return the next seed that no run of its group has, nor one that waits."""
        _check_no_links(found)
        own = read_toml(found.path / RUN_CONFIG)
        group, taken = group_of(own), set[int]()
        for run in self._shelf.found().values():
            with suppress(RnnlabError, OSError):
                if run.is_run and group_of(other := read_toml(run.path / RUN_CONFIG)) == group:
                    taken.add(other.get("seed", 0))
        for one in self._trainings.waiting:
            taken |= {int(each[7:]) for each in one.arguments if each.startswith("--seed=")}
        return next(seed for seed in count(int(own.get("seed", 0)) + 1) if seed not in taken)

    def stop(self, name: str) -> dict[str, Any]:
        """Stop a training, see `Trainings.stop`."""
        own = self._trainings.of(name)
        directory = own.directory if own else self._find(name).path
        return {"name": name, "state": self._trainings.stop(name, directory)}

    async def resume(self, name: str, body: ResumeBody) -> Training:
        """Check what was asked for, and go on with a run or let it wait.

        Raises UsageError, UnknownModelError and Refused.
        """
        found = self._find(name)
        _check_no_links(found)
        if owner := lock_owner(found.path / LOCK):
            raise Refused(409, "is_trained", f"{name} is being trained by {owner}")
        if not state_files(found.path):
            raise Refused(
                409, "not_resumable", f"{name} has no training state to go on from; start a new run"
            )
        changed = changed_settings(body.settings, body.budget, settings_of_run(found.path))
        arguments = ["--resume", str(found.path), *flags(changed)]
        if self._shelf.machine.trust_cell:
            arguments.append("--trust-cell")
        training = Training(name, found.path, arguments, is_new=False)
        await self._trainings.add(training)
        return training

    async def answer(self, training: Training, status: int) -> Response:
        """Wait until training has begun, or it is clear that it will take time; answer.

        Raises UsageError or Refused with what the training process said was wrong.
        """
        if training.state == "preparing":
            with suppress(TimeoutError):
                async with asyncio.timeout(BEGINNING_SECONDS):
                    await training.over.wait()
        if training.state == "failed":
            if training.exit_code == UsageError.exit_code:
                raise UsageError(training.error)
            raise Refused(422, "not_started", training.error)
        if training.state in ("waiting", "preparing"):
            status = 202
        return Answer(training.told(), status)

    def _find(self, name: str) -> Found:
        if not name or not (found := self._shelf.find(name)).is_run:
            raise UnknownModelError(f"{name!r} is not a run directory")
        return found

    def _is_taken(self, path: Path) -> bool:
        waits = any(one.directory == path for one in self._trainings.waiting)
        return waits or os.path.lexists(path)


def _stem(text: LabText, settings: dict[str, Any]) -> str:
    """Return how a run is named before its number, as `runs.directory.stem_of` if H is given."""
    stem = re.sub(r"[^A-Za-z0-9]+", "-", Path(text.name).stem).strip("-")[:LONGEST_STEM].strip("-")
    return f"{stem or 'text'}-{settings.get('cell', 'lstm')}{settings.get('hidden_size', '')}"


def _check_no_links(run: Found) -> None:
    """Raise Refused if something in a run directory is a link: it would be written to."""
    for folder, folders, files in os.walk(run.path):
        for name in (*folders, *files):
            if (Path(folder) / name).is_symlink():
                raise Refused(409, "is_link", f"{name} of {run.name} is a link to somewhere else")
