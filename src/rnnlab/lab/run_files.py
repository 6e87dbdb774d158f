"""The files of a run directory, read back; needs no torch. What is in them: `rnnlab.lab.run`."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from rnnlab.errors import RunDirectoryError

CONFIG, ENVIRONMENT, RESULT = "config.toml", "environment.json", "result.json"
METRICS = "metrics.jsonl"


def read_metrics(directory: Path) -> list[dict[str, Any]]:
    """Read metrics.jsonl; a run that has not logged yet has no lines.

    A last line that a killed run left unfinished is left out. Raises RunDirectoryError for any
    other line that is no JSON object.
    """
    file = directory / METRICS
    if not file.is_file():
        return []
    try:
        *lines, unfinished = file.read_bytes().split(b"\n")
    except OSError as error:
        raise RunDirectoryError(f"{file}: cannot be read: {error.strerror}") from None
    with suppress(ValueError):
        lines += [unfinished] if json.loads(unfinished) else []
    return [_json_object(line, f"{file}: line {n}") for n, line in enumerate(lines, start=1)]


def _json_object(text: bytes, where: str) -> dict[str, Any]:
    try:
        content = json.loads(text)
    except ValueError as error:
        raise RunDirectoryError(f"{where}: damaged, no JSON: {error}") from None
    if not isinstance(content, dict):
        raise RunDirectoryError(f"{where}: damaged, must hold a JSON object")
    return content


def read_json(file: Path) -> dict[str, Any]:
    """Read a JSON object; raises RunDirectoryError where there is none."""
    try:
        return dict(json.loads(file.read_bytes()))
    except (OSError, ValueError, TypeError) as error:
        raise RunDirectoryError(f"{file}: no {file.stem} to read: {error}") from None
