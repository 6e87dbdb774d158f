"""result.json ties the files of a run together: it holds the SHA-256 of those that were there."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rnnlab.errors import RunDirectoryError
from rnnlab.runs.files import METRICS, RESULT, RUN_CONFIG

FILES = "files"
"""The key of the checksums in result.json."""

WEIGHTS = tuple(
    f"checkpoint/{which}/{part}.safetensors"
    for which in ("last", "best")
    for part in ("model", "ngram")
)
"""What a model is made of."""

TIED = (RUN_CONFIG, METRICS, *WEIGHTS)


def checksums(directory: Path) -> dict[str, str]:
    """Return the SHA-256 of each tied file that is there."""
    return {name: _sha256(directory / name) for name in TIED if (directory / name).is_file()}


def check_belongs(directory: Path, name: str, result: Mapping[str, Any]) -> None:
    """Raise RunDirectoryError if a tied file is not the one that a run wrote with `result`.

    Files that are gone, and results of earlier versions, which have no checksums, are accepted.
    """
    if has_changed(directory, name, result):
        raise RunDirectoryError(
            f"{directory / name} is not the file that {directory / RESULT} was written with: it "
            "belongs to another run, or was changed since"
        )


def has_changed(directory: Path, name: str, result: Mapping[str, Any]) -> bool:
    """Whether a file differs from the one that a run wrote with `result`."""
    was = known(result).get(name)
    return was is not None and (directory / name).is_file() and was != _sha256(directory / name)


def known(result: Mapping[str, Any]) -> dict[str, Any]:
    """Return the checksums in a result; empty if it has none."""
    files = result.get(FILES)
    return files if isinstance(files, dict) else {}


def prefix_sha256(file: Path, size: int) -> str:
    """Return the SHA-256 of the first `size` bytes of a file; of all if it is shorter or absent."""
    if not file.is_file():
        return hashlib.sha256().hexdigest()
    with file.open("rb") as stream:
        return hashlib.sha256(stream.read(size)).hexdigest()


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
