"""Makes a run directory, checks that nothing is in its way, and locks it."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path

from rnnlab.cells import short_name
from rnnlab.config import Settings
from rnnlab.errors import RunDirectoryError, UsageError
from rnnlab.files import TEMPORARY, check_path, make_folder, try_lock
from rnnlab.lm.cell_file import CELL
from rnnlab.runs.files import (
    ENVIRONMENT,
    ERRORS,
    GIVEN_SAMPLES,
    GIVEN_TEXT,
    LOCK,
    RUN_CONFIG,
    SAMPLES,
    state_files,
)

ELSEWHERE = "give another --run-dir"
"""Advice for a directory that a run cannot be written to."""


def check_new(directory: Path) -> None:
    """Raise UsageError if something is in the way of a new run directory.

    The files of a run that was killed before its first training state may be there.
    """
    check_path(directory)
    if not directory.exists() or (directory.is_dir() and _is_bare(directory)):
        return
    if not directory.is_dir():
        raise UsageError(f"run directory {str(directory)!r} is a file; {ELSEWHERE}")
    hint = f"go on with it by --resume {directory}, " if state_files(directory) else ""
    raise UsageError(
        f"run directory {str(directory)!r} exists and is not empty; {hint}{ELSEWHERE}, "
        "or delete it first"
    )


def _is_bare(directory: Path) -> bool:
    files = {file.name for file in directory.rglob("*") if not file.is_dir()}
    others = {name for name in files if not name.endswith(TEMPORARY)}
    samples = directory / SAMPLES
    ours = {CELL, LOCK, SAMPLES, RUN_CONFIG, ENVIRONMENT, ERRORS, GIVEN_TEXT, GIVEN_SAMPLES}
    return others <= ours and not (samples.is_file() and samples.stat().st_size)


@contextmanager
def lock_run_directory(directory: Path, way_out: str = ELSEWHERE) -> Iterator[None]:
    """Lock a run directory for the block, so that no other process writes it.

    Raises RunDirectoryError if another process has the lock, or if the directory cannot be written;
    the message of the latter ends with the advice `way_out`.
    """
    with ExitStack() as stack:
        try:
            owner = stack.enter_context(try_lock(directory / LOCK))
        except OSError as error:
            raise _unwritable(directory, error, way_out) from None
        if owner:
            raise RunDirectoryError(f"run directory {str(directory)!r} is in use by {owner}")
        yield


def _unwritable(directory: Path, error: OSError, way_out: str = ELSEWHERE) -> RunDirectoryError:
    return RunDirectoryError(
        f"run directory {str(directory)!r} cannot be written: {error.strerror}; {way_out}"
    )


def stem_of(settings: Settings) -> str:
    """Return how a run directory is named before its number."""
    model, corpus = settings.model, Path(settings.data.corpus[0]).stem
    return f"{corpus}-{short_name(model.cell)}{model.hidden_size}"


def numbered(folder: Path, stem: str) -> Iterator[Path]:
    """Yield paths of run directories in a folder, whether they exist or not."""
    return (folder / f"{stem}-{number:03d}" for number in count(1))


def make_directory(directory: str | Path | None, stem: str) -> Path:
    """Make the run directory, or a numbered one under runs/ if none is given."""
    paths = numbered(Path("runs"), stem) if directory is None else [Path(directory)]
    for path in paths:
        try:
            make_folder(path, exist_ok=directory is not None)
            (path / SAMPLES).touch()
        except OSError as error:
            if directory is None and isinstance(error, FileExistsError):
                continue
            raise _unwritable(path, error) from None
        break
    return path
