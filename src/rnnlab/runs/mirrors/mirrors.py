"""The mirrors of a run. None of them delays training, and an error in one does not end it."""

import os
import time
from collections.abc import Callable, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from queue import SimpleQueue
from threading import Thread

from rnnlab.config import Settings
from rnnlab.console import notice
from rnnlab.errors import UnavailableError
from rnnlab.files import read_json
from rnnlab.lm.train import Milestone
from rnnlab.runs.files import RESULT
from rnnlab.runs.mirrors.mirror import Mirror, Status
from rnnlab.runs.preparation import Prepared
from rnnlab.runs.watcher import Line, Watcher
from rnnlab.signals import INTERRUPTS

PACKAGES = {
    "tensorboard": ("tensorboard",),
    "mlflow": ("mlflow", "sqlalchemy", "alembic"),  # the last two: for runs without a server
}

MLFLOW_DEFAULTS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",  # otherwise it reports its use to its makers
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
"""Defaults of environment variables."""

PATIENCE = 60.0
"""How long the end of a run waits for a mirror to take everything [s]."""


def check_mirrors(names: Sequence[str]) -> None:
    """Raise UnavailableError if a package that a mirror needs is not installed."""
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
    """Open a mirror by name, and import its package.

    began: when the run began or resumed [s since 1970]. step: from which step it resumed; 0: new.
    """
    if name == "tensorboard":
        from rnnlab.runs.mirrors.tensorboard import TensorBoard

        return TensorBoard(directory, settings, began, step)
    for name, value in MLFLOW_DEFAULTS.items():
        os.environ.setdefault(name, value)  # some are read during the import
    from rnnlab.runs.mirrors.mlflow import MLflow

    return MLflow(directory, settings, began, step)


class Mirrors(Watcher):
    """The mirrors that a run's settings name; they are opened when training begins."""

    def __init__(self) -> None:
        self._feeds: list[_Feed] = []

    def begin(self, directory: Path, ready: Prepared) -> None:
        """Open the mirrors."""
        self._directory = directory
        names = dict.fromkeys(ready.settings.machine.mirror)
        step = ready.trainer.step
        self._feeds = [_Feed(name, directory, ready.settings, step) for name in names]

    def line(self, line: Line) -> None:
        """Show a line of metrics.jsonl."""
        now = time.time()
        self._tell(lambda mirror: mirror.line(line, now))

    def milestone(self, event: Milestone, bits_per_character: float | None, sample: str) -> None:
        """Show the sample."""
        if sample:
            now = time.time()
            self._tell(lambda mirror: mirror.sample(event.step, sample, now))

    def end(self, error: BaseException | None) -> None:
        """Show how the run ended; wait until the mirrors have taken everything."""
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
    """Opens a mirror and calls it in a thread of its own, until it fails."""

    def __init__(self, name: str, directory: Path, settings: Settings, step: int) -> None:
        self._name = name
        self._open = partial(open_mirror, name, directory, settings, time.time(), step)
        self._directory = directory
        self._calls: SimpleQueue[Callable[[Mirror], None] | None] = SimpleQueue()
        self._thread = Thread(target=self._work, name=f"mirror {name}", daemon=True)
        self._thread.start()

    def put(self, call: Callable[[Mirror], None]) -> None:
        """Call the mirror after all earlier calls."""
        self._calls.put(call)

    def close(self) -> None:
        """Wait until the mirror has taken everything, but not forever."""
        self._calls.put(None)
        self._thread.join(PATIENCE)
        if self._thread.is_alive():
            notice(
                f"mirror {self._name!r} timed out {PATIENCE:g} s after the end and may be "
                f"incomplete; {self._directory} is complete"
            )

    def _work(self) -> None:
        try:
            mirror = self._open()
            while call := self._calls.get():
                call(mirror)
        except Exception as error:
            reason = (str(error) or type(error).__name__).splitlines()[0]
            notice(f"mirror {self._name!r} failed, the run goes on without it: {reason}")
