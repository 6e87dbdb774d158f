"""The folder of an experiment's runs: which have ended, and which process makes a run.

FOLDER/runs/ID/         run directory; ID is `plan.settings_id`
FOLDER/runs/.locks/ID   lock of the process that is making this run; the system frees it when that
                        process ends, for whatever reason
FOLDER/failures/ID.txt  error message of a run that failed
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, Literal

from rnnlab.errors import RunDirectoryError
from rnnlab.files import make_folder, read_json, try_lock, write_atomically

OUTCOME = "outcome.json"
OUTCOME_FORMAT = 1

EndedStatus = Literal["finished", "diverged", "pruned"]


@dataclass(frozen=True)
class RunEnd:
    """How a run ended, for good."""

    status: EndedStatus
    reason: str = ""


@dataclass(frozen=True)
class Store:
    """The folder of one experiment."""

    folder: Path

    def prepare(self) -> None:
        """Make the folder; raises RunDirectoryError if it cannot be written."""
        runs = self.folder / "runs"
        try:
            make_folder(runs / ".locks")
            with TemporaryFile(dir=runs):
                pass
        except OSError as error:
            raise RunDirectoryError(
                f"experiment folder {str(self.folder)!r} cannot be written: {error.strerror}; give "
                "another --output"
            ) from None

    def directory(self, run_id: str) -> Path:
        """Return the path of a run's directory, which may not exist yet."""
        return self.folder / "runs" / run_id

    def outcome(self, run_id: str) -> dict[str, Any] | None:
        """Return the content of a run's outcome.json; None if the run has not ended.

        Raises RunDirectoryError if it is damaged or was written by a newer version.
        """
        file = self.directory(run_id) / OUTCOME
        if not file.is_file():
            return None
        try:
            content = read_json(file)
        except RunDirectoryError as error:
            raise RunDirectoryError(
                f"{error}; remove the directory to have the run made again"
            ) from None
        if content.get("format") != OUTCOME_FORMAT:
            raise RunDirectoryError(
                f"{file}: format {content.get('format')!r} is not known; this version of rnnlab "
                f"reads format {OUTCOME_FORMAT}. The run is kept as it is; use the version that "
                "made it, or move the directory away to have it run again"
            )
        return content

    def ended(self, run_id: str) -> RunEnd | None:
        """Return how a run ended; None if it has not. Raises as `outcome` does."""
        content = self.outcome(run_id)
        return RunEnd(content["status"], content["reason"]) if content else None

    @contextmanager
    def claim(self, run_id: str) -> Iterator[bool]:
        """Try to claim a run for this process; yields False if another process has claimed it."""
        locks = self.folder / "runs" / ".locks"
        make_folder(locks)
        with try_lock(locks / run_id) as owner:
            yield not owner

    def remove_run(self, run_id: str) -> None:
        """Remove the directory of a run that was cut off; its claim must be held."""
        shutil.rmtree(self.directory(run_id), ignore_errors=True)

    def failure(self, run_id: str) -> str:
        """Return the last line of a run's error message; empty if it has not failed."""
        file = self._failure(run_id)
        lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
        return lines[-1] if lines else ""

    def write_failure(self, run_id: str, text: str) -> None:
        """Keep the error message of a run that failed."""
        file = self._failure(run_id)
        make_folder(file.parent)
        write_atomically(file, text.encode())

    def clear_failure(self, run_id: str) -> None:
        """Remove the error message of a run that has ended now."""
        self._failure(run_id).unlink(missing_ok=True)

    def _failure(self, run_id: str) -> Path:
        return self.folder / "failures" / f"{run_id}.txt"
