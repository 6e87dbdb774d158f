"""All mirrors of a run, and the one rule for them: none holds training up, none ends it."""

import os
import time
from collections.abc import Callable, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from types import TracebackType
from typing import Self

from rnnlab.config import Settings
from rnnlab.console import notice
from rnnlab.errors import UnavailableError
from rnnlab.runs.files import RESULT, read_json
from rnnlab.runs.mirrors.mirror import Line, Mirror, Status
from rnnlab.signals import INTERRUPTS

PACKAGES = {
    "tensorboard": ("tensorboard",),
    "mlflow": ("mlflow", "sqlalchemy", "alembic"),  # the last two: to keep runs without a server
}

MLFLOW_DEFAULTS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",  # it would report home that it is used
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
"""Environment variables, where they are not set."""

PATIENCE = 60.0
"""How long the end of a run waits for a mirror to take what is left [s]."""


def check_mirrors(names: Sequence[str]) -> None:
    """Raise UnavailableError where a package that a mirror needs is not installed."""
    for name in names:
        for package in PACKAGES[name]:
            if find_spec(package) is None:
                raise UnavailableError(
                    f"mirror {name!r} needs the package {package}; "
                    f"install it with pip install 'rnnlab[{name}]'"
                )


def open_mirror(
    name: str, directory: Path, settings: Settings, began: float, step: int = 0
) -> Mirror:
    """Open a mirror by name for a run that began then; its package is imported only now.

    step: where training goes on, 0: it is new.
    """
    if name == "tensorboard":
        from rnnlab.runs.mirrors.tensorboard import TensorBoard

        return TensorBoard(directory, settings, began, step)
    for name, value in MLFLOW_DEFAULTS.items():
        os.environ.setdefault(name, value)  # some are read when mlflow is imported
    from rnnlab.runs.mirrors.mlflow import MLflow

    return MLflow(directory, settings, began, step)


class Mirrors:
    """The mirrors that a run's settings name, as a context: leaving it tells them how it ended."""

    def __init__(self, directory: Path, settings: Settings) -> None:
        self._directory, self._settings, self._step = directory, settings, 0
        self._feeds: list[_Feed] = []

    def beginning_at(self, step: int) -> Self:
        """Say where training goes on, before the context is entered."""
        self._step = step
        return self

    def line(self, line: Line) -> None:
        """Show a line of metrics.jsonl."""
        now = time.time()
        self._tell(lambda mirror: mirror.line(line, now))

    def sample(self, step: int, text: str) -> None:
        """Show a sample."""
        now = time.time()
        self._tell(lambda mirror: mirror.sample(step, text, now))

    def __enter__(self) -> Self:
        names = dict.fromkeys(self._settings.machine.mirror)
        self._feeds = [_Feed(name, self._directory, self._settings, self._step) for name in names]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._feeds:
            status, now = self._status(error), time.time()
            self._tell(lambda mirror: mirror.end(status, now))
            for feed in self._feeds:
                feed.close()

    def _tell(self, call: Callable[[Mirror], None]) -> None:
        for feed in self._feeds:
            feed.put(call)

    def _status(self, error: BaseException | None) -> Status:
        if error is not None:
            return "KILLED" if isinstance(error, KeyboardInterrupt) else "FAILED"
        reason = read_json(self._directory / RESULT)["training"]["stopped_by"]
        return "KILLED" if reason in INTERRUPTS else "FINISHED"


class _Feed:
    """Opens a mirror and hands it what comes, in a thread of its own, until it fails."""

    def __init__(self, name: str, directory: Path, settings: Settings, step: int) -> None:
        self._name = name
        self._open = partial(open_mirror, name, directory, settings, time.time(), step)
        self._directory = directory
        self._calls: SimpleQueue[Callable[[Mirror], None] | None] = SimpleQueue()
        self._thread = Thread(target=self._work, name=f"mirror {name}", daemon=True)
        self._thread.start()

    def put(self, call: Callable[[Mirror], None]) -> None:
        """Have the mirror called, in turn."""
        self._calls.put(call)

    def close(self) -> None:
        """Wait until the mirror has taken everything, but not for ever."""
        self._calls.put(None)
        self._thread.join(PATIENCE)
        if self._thread.is_alive():
            notice(
                f"mirror {self._name!r} was left behind: it had not taken everything "
                f"{PATIENCE:g} s after the end; {self._directory} has it all"
            )

    def _work(self) -> None:
        try:
            mirror = self._open()
            while call := self._calls.get():
                call(mirror)
        except Exception as error:
            reason = (str(error) or type(error).__name__).splitlines()[0]
            notice(f"mirror {self._name!r} failed, the run goes on without it: {reason}")
