"""One run = one directory.

config.toml      all settings, resolved; training with them again gives the same run
environment.json versions, commit, processor, threads
metrics.jsonl    a line per log step (kind "train") and per held-out evaluation ("held-out")
checkpoint/      the model folders best (on the validation split) and last; state: the training
                 states that the run can be resumed from
samples.txt      a sample from the model after each evaluation
result.json      summary of training, final evaluations with their baselines
curves.svg       learning curves
tensorboard/     events, with the mirror tensorboard
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Any

from rnnlab.config import Settings
from rnnlab.errors import RunDirectoryError, UsageError
from rnnlab.files import TEMPORARY, check_path, make_folder, read_json, try_lock
from rnnlab.lm.text_model import TextModel
from rnnlab.runs.curves import draw_curves
from rnnlab.runs.files import (
    ENVIRONMENT,
    LOCK,
    RESULT,
    RUN_CONFIG,
    SAMPLES,
    read_metrics,
    settings_of_run,
    state_files,
)

ELSEWHERE = "give another --run-dir"
"""Advice for a directory that a run cannot be written to."""


@dataclass
class Run:
    """A run directory and the model in it."""

    directory: Path

    @classmethod
    def open(cls, directory: str | Path) -> "Run":
        """Open a run directory. Raises UsageError if `directory` is not one."""
        path = Path(directory)
        settings_of_run(path)
        return cls(path)

    @property
    def settings(self) -> Settings:
        """All settings, resolved."""
        return settings_of_run(self.directory)

    @property
    def result(self) -> dict[str, Any]:
        """The content of result.json. Raises RunDirectoryError while training goes on."""
        return read_json(self.directory / RESULT)

    @property
    def metrics(self) -> list[dict[str, Any]]:
        """The lines of metrics.jsonl."""
        return read_metrics(self.directory)

    @cached_property
    def model(self) -> TextModel:
        """The model of the best checkpoint, or of the last one if nothing was held out."""
        return TextModel.load(self.directory)

    def __repr__(self) -> str:
        """Show the directory, the training perplexity and the held-out figures."""
        lines = [f"Run({str(self.directory)!r})"]
        with suppress(RunDirectoryError):
            result = self.result
            lines.append(f"  training perplexity {result['training']['perplexity']:.3f}")
            lines += [
                f"  {record['split']}, {record['context']}: "
                f"{record['bits_per_character']:.3f} bits/character"
                for record in result["evaluations"]
            ]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        """Show the learning curves in a notebook."""
        return f"<pre>{self!r}</pre>{draw_curves(self.directory)}"


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
    return others <= {LOCK, SAMPLES, RUN_CONFIG, ENVIRONMENT} and not (
        samples.is_file() and samples.stat().st_size
    )


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


def make_directory(directory: str | Path | None, settings: Settings) -> Path:
    """Make the run directory, or a numbered one under runs/ if none is given."""
    model, corpus = settings.model, Path(settings.data.corpus[0]).stem
    stem = f"{corpus}-{model.cell}{model.hidden_size}"
    numbered = (Path("runs") / f"{stem}-{number:03d}" for number in count(1))
    for path in numbered if directory is None else [Path(directory)]:
        try:
            make_folder(path, exist_ok=directory is not None)
            (path / SAMPLES).touch()
        except OSError as error:
            if directory is None and isinstance(error, FileExistsError):
                continue
            raise _unwritable(path, error) from None
        break
    return path
