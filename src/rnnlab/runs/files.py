"""Reads the files of a run directory, without torch. `rnnlab.runs.run` says what is in them."""

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from rnnlab.config import EARLIER, Settings
from rnnlab.errors import RunDirectoryError, UsageError
from rnnlab.files import check_not_special

RUN_CONFIG, ENVIRONMENT, RESULT = "config.toml", "environment.json", "result.json"
METRICS, SAMPLES, CURVES = "metrics.jsonl", "samples.txt", "curves.svg"

GIVEN_TEXT, GIVEN_SAMPLES = "given-text.txt", "given-samples.jsonl"
"""What a Python program gave to train on; see `rnnlab.runs.given_texts`."""

ERRORS = "errors.txt"
"""What a training process that `rnnlab serve` has started says on standard error."""

METRIC_KINDS = ("train", "held-out")
"""The values of `kind` in metrics.jsonl."""

TAIL_BYTES = 4_096
"""Longer than a line of metrics.jsonl."""

LOCK = ".lock"
"""The lock file that is held by the process that writes the run directory."""


def state_folder(directory: Path) -> Path:
    """Return the folder of a run's training states; see `rnnlab.runs.state_saver`."""
    return directory / "checkpoint" / "state"


def state_files(directory: Path) -> list[Path]:
    """Return the files of a run's training states, the newest first."""
    found = state_folder(directory).glob("[0-9]*.safetensors")
    return sorted((file for file in found if not file.is_dir()), reverse=True)


def last_metrics(directory: Path) -> Iterator[dict[str, Any]]:
    """Yield the last whole lines of metrics.jsonl, the last one first, without reading all of it.

    Raises OSError if there is no such file, RunDirectoryError if it is a pipe or a device.
    """
    check_not_special(directory / METRICS, RunDirectoryError)
    with (directory / METRICS).open("rb") as stream:
        stream.seek(max(0, stream.seek(0, 2) - TAIL_BYTES))
        *lines, _ = stream.read().split(b"\n")
    for text in reversed(lines):
        with suppress(ValueError):  # the first may be cut
            line = json.loads(text)
            if isinstance(line, dict):
                yield line


def read_metrics(directory: Path) -> list[dict[str, Any]]:
    """Read metrics.jsonl; before the first log step there are no lines.

    A torn last line is left out. Raises RunDirectoryError for any other damaged line.
    """
    file = directory / METRICS
    if not file.exists():
        return []
    check_not_special(file, RunDirectoryError)
    try:
        whole, _, _ = file.read_bytes().rpartition(b"\n")
    except OSError as error:
        raise RunDirectoryError(f"{file}: cannot be read: {error.strerror}") from None
    lines = whole.splitlines()
    return [_metrics_line(line, f"{file}: line {n}") for n, line in enumerate(lines, start=1)]


def _metrics_line(text: bytes, where: str) -> dict[str, Any]:
    try:
        content = json.loads(text.decode())
    except (ValueError, RecursionError) as error:
        raise RunDirectoryError(f"{where}: damaged, not JSON: {error}") from None
    if not isinstance(content, dict):
        raise RunDirectoryError(f"{where}: damaged, must hold a JSON object")
    if content.get("kind") not in METRIC_KINDS or not isinstance(content.get("step"), int):
        raise RunDirectoryError(f"{where}: damaged, it has no kind or no step of a line of metrics")
    return content


def settings_of_run(directory: Path) -> Settings:
    """Return a run's settings, resolved.

    Raises UsageError if `directory` is not a run directory, RunDirectoryError if it has lost its
    settings.
    """
    if not directory.exists():
        raise UsageError(f"{directory} does not exist; give a run directory")
    file = directory / RUN_CONFIG
    if not file.is_file():
        if file.exists():
            raise RunDirectoryError(f"{file} is not a regular file; move it away")
        if state_files(directory):
            raise RunDirectoryError(
                f"{directory} has lost its {RUN_CONFIG}; rnnlab train --resume {directory} writes "
                "it anew"
            )
        raise UsageError(f"{directory} is not a run directory: it has no {RUN_CONFIG}")
    return Settings.from_toml(file, EARLIER)
