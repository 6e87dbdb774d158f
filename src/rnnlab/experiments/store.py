"""Where an experiment's runs are kept: which have ended, and who may do the next one.

FOLDER/runs/ID/    a run directory; ID is `plan.settings_id`
FOLDER/runs/.locks/ID  held by the process that is making this run; the system frees it when that
                   process ends, however it ends
FOLDER/failures/ID.txt  what a run that failed had to say
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, Literal

from rnnlab.errors import RunDirectoryError
from rnnlab.files import claimed, make_folder, write_atomically
from rnnlab.runs.files import read_json

OUTCOME = "outcome.json"
OUTCOME_FORMAT = 1

EndedStatus = Literal["finished", "diverged", "pruned"]


@dataclass(frozen=True)
class Ended:
    """How a run came to its end, for good."""

    status: EndedStatus
    reason: str = ""


@dataclass(frozen=True)
class Store:
    """The folder of one experiment."""

    folder: Path

    def prepare(self) -> None:
        """Make the folder; raises RunDirectoryError where it cannot be written."""
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
        """Where a run's directory is, or will be."""
        return self.folder / "runs" / run_id

    def outcome(self, run_id: str) -> dict[str, Any] | None:
        """Content of a run's outcome.json; None where it has not ended.

        Raises RunDirectoryError where it is damaged or a newer version wrote it.
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

    def ended(self, run_id: str) -> Ended | None:
        """How a run ended; None where it has not. Raises as `outcome` does."""
        content = self.outcome(run_id)
        return Ended(content["status"], content["reason"]) if content else None

    @contextmanager
    def claim(self, run_id: str) -> Iterator[bool]:
        """Try to be the one who makes a run; yields False where another process does already."""
        locks = self.folder / "runs" / ".locks"
        make_folder(locks)
        with claimed(locks / run_id) as owner:
            yield not owner

    def clear(self, run_id: str) -> None:
        """Remove what a run that was cut off has left; the claim must be held."""
        shutil.rmtree(self.directory(run_id), ignore_errors=True)

    def failure(self, run_id: str) -> str:
        """Why a run failed when it was last tried, in a line; empty where it did not."""
        file = self._failure(run_id)
        lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
        return lines[-1] if lines else ""

    def keep_failure(self, run_id: str, text: str) -> None:
        """Write down why a run failed."""
        file = self._failure(run_id)
        make_folder(file.parent)
        write_atomically(file, text.encode())

    def forget_failure(self, run_id: str) -> None:
        """A run that failed once has ended now."""
        self._failure(run_id).unlink(missing_ok=True)

    def _failure(self, run_id: str) -> Path:
        return self.folder / "failures" / f"{run_id}.txt"
