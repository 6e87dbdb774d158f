"""The training processes that the server starts: one at a time, the others wait for their turn.

Each is `rnnlab train` in a session of its own, so that a Ctrl-C in the server's terminal does not
reach it. A server that ends leaves none behind: each saves its state first. After one that was
killed, training goes on, and the next server finds it by the lock of its run directory.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rnnlab.files import lock_owner, make_folder
from rnnlab.runs.files import ERRORS, LOCK, RUN_CONFIG, state_files
from rnnlab.web.faults import Refused
from rnnlab.web.shelf import Shelf, Stamp, stamp_of

MOST_WAITING = 20
"""Runs that wait for others to end."""

MOST_ENDED = 50
"""Runs that have ended and are still listed, with their errors."""

POLL_SECONDS = 0.1

OTHERS_SECONDS, OTHERS_SECONDS_IDLE = 1.0, 10.0
"""How often it is looked whether other processes train a run of the folder, and if none waits for
them."""

ENDING_SECONDS = 30.0
"""Time for a training to save its state when the server ends."""

COMMAND = (sys.executable, "-P", "-m", "rnnlab", "train", "--quiet")
"""Without the working directory among the places of modules."""

PREFIX = "rnnlab: error: "
OWNER = re.compile(r"process (\d+) on (.+)", re.DOTALL)


@dataclass
class Training:
    """A run that was asked for, and what became of it."""

    name: str
    directory: Path
    arguments: Sequence[str]
    is_new: bool
    state: str = "waiting"
    """waiting, preparing, training, stopping, ended, or failed (before training began)."""
    error: str = ""
    process: subprocess.Popen[bytes] | None = None
    stamp: Stamp | None = None
    """Of the settings in the run directory before the process was started, which writes them when
    it has checked everything."""
    exit_code: int = 0
    over: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when it has begun or failed."""

    @property
    def is_active(self) -> bool:
        """Whether its process runs."""
        return self.process is not None and self.state not in ("ended", "failed")

    @property
    def has_begun(self) -> bool:
        """Whether its process has checked everything, and there is a state to resume from."""
        is_written = stamp_of(self.directory / RUN_CONFIG) != self.stamp
        return is_written and bool(state_files(self.directory))

    def told(self) -> dict[str, Any]:
        """Return what is told of it."""
        return {"name": self.name, "state": self.state, "error": self.error or None}


class Trainings:
    """All of them; its methods are for the event loop."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._all: dict[str, Training] = {}
        """The newest of each run, in the order in which they were asked for."""
        self._task: asyncio.Task[None] | None = None
        self._others: list[str] = []
        self._looked = -OTHERS_SECONDS_IDLE
        self._is_closing = False

    @property
    def waiting(self) -> list[Training]:
        """Those that wait, the next one first."""
        return [one for one in self._all.values() if one.state == "waiting"]

    @property
    def active(self) -> list[Training]:
        """Those that have a process."""
        return [one for one in self._all.values() if one.is_active]

    async def listed(self) -> dict[str, Any]:
        """Return all of them, the newest last, and the runs that other processes train."""
        await self._look(OTHERS_SECONDS if self.waiting else OTHERS_SECONDS_IDLE)
        return {"trainings": [one.told() for one in self._all.values()], "others": self._others}

    def of(self, name: str) -> Training | None:
        """Return the newest of a run."""
        return self._all.get(name)

    async def add(self, training: Training) -> None:
        """Start a training, or let it wait. Raises Refused if its run has one, or too many wait."""
        self._enqueue(training)
        await self._step()
        if self._task is None or self._task.done():
            self._task = asyncio.ensure_future(self._watch())

    def _enqueue(self, training: Training) -> None:
        before = self._all.get(training.name)
        if self._is_closing:
            raise Refused(503, "closing", "the server is ending")
        if before and (before.is_active or before in self.waiting):
            raise Refused(409, "is_trained", f"{training.name} is {before.state} already")
        if len(self.waiting) >= MOST_WAITING:
            raise Refused(429, "too_many_waiting", f"{MOST_WAITING} runs wait already")
        self._all.pop(training.name, None)
        self._all[training.name] = training

    def stop(self, name: str, directory: Path) -> str:
        """Do to a training what Ctrl-C does in its terminal; return its state now.

        Training ends after the current step, and the evaluations follow; stopped again, it ends at
        once. One that waits will not begin. Raises Refused if nothing trains the run.
        """
        own = self._all.get(name)
        if own and own.state == "waiting":
            self._end(own, "ended", "")
        elif own and own.is_active and own.process:
            own.process.send_signal(signal.SIGINT)
            own.state = "stopping"
        elif owner := lock_owner(directory / LOCK):
            found = OWNER.fullmatch(owner)
            if not found or found[2] != socket.gethostname():
                raise Refused(409, "is_elsewhere", f"{name} is trained by {owner}; stop it there")
            with suppress(ProcessLookupError):
                os.kill(int(found[1]), signal.SIGINT)
            return "stopping"
        else:
            raise Refused(409, "not_trained", f"{name} is not being trained")
        return own.state

    async def _look(self, oldest: float = 0.0) -> None:
        """Look which runs processes train that this server has not started, if that is long ago."""
        if time.monotonic() - self._looked >= oldest:
            self._looked = time.monotonic()
            self._others = await asyncio.to_thread(self._of_others, [*self.active])

    def _of_others(self, active: Sequence[Training]) -> list[str]:
        own = {one.directory for one in active}
        found = self._shelf.found().values()
        return [one.name for one in found if one.path not in own and lock_owner(one.path / LOCK)]

    async def close(self) -> list[str]:
        """Let all trainings save their states and end; return the names of those that did."""
        self._is_closing = True
        for one in self.waiting:
            self._end(one, "ended", "")
        ending = self.active
        for one in ending:
            self._send(one, signal.SIGTERM)
        end = time.monotonic() + ENDING_SECONDS
        while self.active and time.monotonic() < end:
            await asyncio.sleep(POLL_SECONDS)
            self._poll()
        for one in self.active:
            self._send(one, signal.SIGKILL)
        return [one.name for one in ending if state_files(one.directory)]

    def _send(self, one: Training, sign: signal.Signals) -> None:
        assert one.process
        one.process.send_signal(sign)
        one.state = "stopping"

    async def _watch(self) -> None:
        while self.active or self.waiting:
            await asyncio.sleep(POLL_SECONDS)
            await self._step(OTHERS_SECONDS)

    async def _step(self, oldest: float = 0.0) -> None:
        """Look at what runs, and start the next one if nothing does."""
        self._poll()
        if self.waiting and not self.active:
            await self._look(oldest)
        if self.waiting and not self.active and not self._others:
            self._start(self.waiting[0])

    def _poll(self) -> None:
        for one in self.active:
            assert one.process
            if (code := one.process.poll()) is not None:
                self._ended(one, code)
            elif one.state == "preparing" and one.has_begun:
                one.state = "training"
                one.over.set()

    def _start(self, one: Training) -> None:
        try:
            if one.is_new:
                make_folder(one.directory, exist_ok=False)
            (one.directory / ERRORS).unlink(missing_ok=True)
            with (one.directory / ERRORS).open("xb") as errors:  # never through a link
                one.stamp = stamp_of(one.directory / RUN_CONFIG)
                one.process = subprocess.Popen(
                    [*COMMAND, *one.arguments], stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL, stderr=errors, start_new_session=True,
                    env={**os.environ, "PYTHONIOENCODING": "utf-8"},
                )  # fmt: skip
        except OSError as error:
            self._end(one, "failed", f"{error.filename or one.name}: {error.strerror}")
        else:
            one.state = "preparing"

    def _ended(self, one: Training, code: int) -> None:
        has_begun, error = one.has_begun, ""
        one.exit_code = code
        if code < 0:
            error = f"training was ended by {signal.Signals(-code).name}; what it had saved is kept"
        elif code not in (0, 128 + signal.SIGINT, 128 + signal.SIGTERM):
            error = last_error(one.directory) or f"training ended with exit code {code}"
        elif not has_begun:
            error = "stopped before training began"
        self._end(one, "ended" if has_begun else "failed", self._shortened(error, one))
        with suppress(OSError):
            if not has_begun or not error:
                (one.directory / ERRORS).unlink()
            if one.is_new and not has_begun:
                one.directory.rmdir()

    def _shortened(self, error: str, one: Training) -> str:
        """Return an error in which the run has the name that requests give it."""
        return error.replace(str(one.directory), one.name)

    def _end(self, one: Training, state: str, error: str) -> None:
        one.state, one.error = state, error
        one.over.set()
        ended = [each for each in self._all.values() if each.state in ("ended", "failed")]
        for each in ended[:-MOST_ENDED]:
            del self._all[each.name]


def last_error(directory: Path) -> str:
    """Return what the last training process of a run has said was wrong; "" if nothing was."""
    try:
        text = (directory / ERRORS).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
    _, found, message = text.rpartition(PREFIX)
    return message if found else text.rpartition("\n")[2]
