"""records.json: what an experiment found out, small enough to be kept beside its report.

A run that has ended stays as it is, so its record is made once and kept here for good, also when
the experiment's file no longer asks for it; runs/ may then be removed. What the runs wrote is in
texts.json: a model that has learned its text by heart writes that, and it may not be passed on.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from rnnlab.errors import RunDirectoryError
from rnnlab.experiments.records import Points, RunRecord
from rnnlab.files import write_atomically
from rnnlab.runs.files import read_json

ARCHIVE = "records.json"
TEXTS = "texts.json"
ARCHIVE_FORMAT = 1


@dataclass(frozen=True)
class Archive:
    """Content of records.json."""

    runs: dict[str, RunRecord] = field(default_factory=dict)
    """By id."""
    command: str = ""
    """See `Records.command`."""
    looks: list[int] = field(default_factory=list)
    """See `Records.looks`."""


def write_archive(archive: Archive, folder: Path) -> None:
    """Replace texts.json, then records.json."""
    texts = {run.id: run.texts for run in archive.runs.values() if run.texts}
    write_atomically(folder / TEXTS, json.dumps(texts).encode())
    content = {
        "format": ARCHIVE_FORMAT,
        "command": archive.command,
        "looks": archive.looks,
        "runs": [vars(replace(run, texts=[])) for run in archive.runs.values()],
    }
    write_atomically(folder / ARCHIVE, json.dumps(content, allow_nan=False).encode())


def read_archive(folder: Path) -> Archive:
    """Read records.json, an empty one where there is none; without texts.json no run has texts.

    Raises RunDirectoryError where it is damaged, or a newer version wrote it.
    """
    file = folder / ARCHIVE
    if not file.is_file():
        return Archive()
    again = "move it away, and it is made again from runs/"
    try:
        content = read_json(file)
    except RunDirectoryError as error:
        raise RunDirectoryError(f"{error}; {again}") from None
    try:
        if content.get("format") != ARCHIVE_FORMAT:
            raise RunDirectoryError(
                f"{file}: format {content.get('format')!r} is not known; this version of rnnlab "
                f"reads format {ARCHIVE_FORMAT}. The file is kept as it is"
            )
        texts = read_json(folder / TEXTS) if (folder / TEXTS).is_file() else {}
        runs = [RunRecord(**run) for run in content["runs"]]
        return Archive(
            {
                run.id: replace(run, curves=_pairs(run.curves), texts=texts.get(run.id, run.texts))
                for run in runs
            },
            content["command"],
            content["looks"],
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise RunDirectoryError(
            f"{file}: damaged, not as an experiment writes it; {again}"
        ) from error


def _pairs(curves: Mapping[str, Points]) -> dict[str, Points]:
    """JSON has no pairs, only lists."""
    return {name: [(x, y) for x, y in points] for name, points in curves.items()}
