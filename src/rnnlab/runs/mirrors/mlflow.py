"""A run in MLflow: on the server that MLFLOW_TRACKING_URI names, or in ./mlflow.db.

./mlflow.db and, for files, ./mlruns are MLflow's own defaults, where `mlflow ui` looks for runs.
MLflow 3 refuses to open a store of plain files.
"""

import hashlib
import logging
import os
import time
import warnings
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Metric, Param
from mlflow.exceptions import MlflowException

from rnnlab.config import Settings
from rnnlab.files import locked
from rnnlab.runs.files import CURVES, ENVIRONMENT, METRICS, RESULT, RUN_CONFIG, SAMPLES
from rnnlab.runs.mirrors.mirror import Mirror, Status, scalars, word
from rnnlab.runs.watcher import Line

FILES = (RUN_CONFIG, ENVIRONMENT, METRICS, SAMPLES, RESULT, CURVES)

KEY = "run_directory_sha256"
"""The tag by which a run is found again."""

PAUSE = 1.0
"""Shortest time between two calls with metrics [s]: each waits for the network or the disk."""

FULL = 900
"""So many metrics are sent without a pause; MLflow takes at most 1,000 per call."""

# It would report that it makes its tables.
logging.getLogger("mlflow.store.db.utils").setLevel(logging.WARNING)


class MLflow(Mirror):
    """Numbers as metrics, settings as params, files of the run directory as artifacts.

    The run has the directory's name. Its experiment is MLFLOW_EXPERIMENT_NAME, by default `rnnlab`.
    When training resumes, the last run of this directory is continued, if there is one.
    """

    def __init__(self, directory: Path, settings: Settings, began: float, step: int = 0) -> None:
        # MLflow's tables use features that SQLAlchemy 2.1 deprecates.
        warnings.filterwarnings("ignore", category=DeprecationWarning, module=r"mlflow\.")
        local = f"sqlite:///{Path('mlflow.db').absolute()}"
        uri = os.environ.get("MLFLOW_TRACKING_URI") or local
        self._directory = directory
        with _opening(uri):
            self._client = MlflowClient(uri)
        experiment = self._experiment(os.environ.get("MLFLOW_EXPERIMENT_NAME") or "rnnlab")
        path = str(directory.absolute())
        # MLflow's filters cannot quote every path, so runs are found by a hash of it.
        tags = {"run_directory": path, KEY: hashlib.sha256(path.encode()).hexdigest()}
        if step and (found := self._run_of(experiment, tags[KEY])):
            self._id = found
            self._client.update_run(self._id, "RUNNING")
        else:
            run = self._client.create_run(experiment, _milliseconds(began), tags, directory.name)
            self._id = run.info.run_id
            params = [Param(name, word(value)) for name, value in settings.flat().items()]
            self._client.log_batch(self._id, params=params)
        self._pending: list[Metric] = []
        self._called = 0.0

    def line(self, line: Line, when: float) -> None:
        """See `Mirror.line`."""
        at, step = _milliseconds(when), line["step"]
        self._pending += [Metric(name, value, at, step) for name, value in scalars(line).items()]
        if time.monotonic() - self._called >= PAUSE or len(self._pending) >= FULL:
            self._flush()

    def sample(self, step: int, text: str, when: float) -> None:
        """See `Mirror.sample`."""
        self._client.log_artifact(self._id, str(self._directory / SAMPLES))

    def end(self, status: Status, when: float) -> None:
        """See `Mirror.end`."""
        try:
            self._flush()
            for file in (self._directory / name for name in FILES):
                if file.is_file():
                    self._client.log_artifact(self._id, str(file))
        finally:
            self._client.set_terminated(self._id, status, _milliseconds(when))

    def _run_of(self, experiment: str, key: str) -> str:
        """Return the id of the last run of a directory; "" if there is none."""
        runs = self._client.search_runs([experiment], f"tags.{KEY} = '{key}'", max_results=1)
        return str(runs[0].info.run_id) if runs else ""

    def _flush(self) -> None:
        metrics, self._pending = self._pending, []
        self._client.log_batch(self._id, metrics)
        self._called = time.monotonic()

    def _experiment(self, name: str) -> str:
        """Return the id of an experiment, which is made if it is missing."""
        if found := self._client.get_experiment_by_name(name):
            return str(found.experiment_id)
        try:
            return str(self._client.create_experiment(name))
        except MlflowException:  # another run has just made it
            if found := self._client.get_experiment_by_name(name):
                return str(found.experiment_id)
            raise


def _milliseconds(seconds: float) -> int:
    return int(seconds * 1000)


def _opening(uri: str) -> AbstractContextManager[None]:
    """Let one process at a time open a database file: two that make its tables would destroy it."""
    local = uri.startswith("sqlite:///")
    return locked(Path(uri.removeprefix("sqlite:///") + ".lock")) if local else nullcontext()
