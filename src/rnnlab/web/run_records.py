"""What is told of a run: its settings, its figures and how far it is.

Files are read again only when they have changed, so that a thousand runs are listed at once.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from rnnlab.config import read_toml
from rnnlab.errors import RnnlabError
from rnnlab.files import read_json
from rnnlab.runs.files import METRICS, RESULT, RUN_CONFIG, last_metrics
from rnnlab.web.shelf import Found, Stamp, stamp_of

FILES = (RUN_CONFIG, RESULT, METRICS)
"""What a record is made of."""

FIGURES = (
    "split", "context", "bits_per_character", "perplexity", "characters", "corpus_sha256",
)  # fmt: skip
"""What is told of an evaluation, next to its baselines."""


class RunRecords:
    """Makes records of runs, and keeps them."""

    def __init__(self) -> None:
        self._kept: dict[Path, tuple[tuple[Stamp | None, ...], dict[str, Any]]] = {}

    def of(self, run: Found) -> dict[str, Any]:
        """Return the record of a run; what is damaged is said in its `error`."""
        stamp = tuple(stamp_of(run.path / name) for name in FILES)
        stored = self._kept.get(run.path)
        if stored and stored[0] == stamp:
            return stored[1]
        record = _record(run)
        self._kept[run.path] = stamp, record
        return record


def _record(run: Found) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": run.name, "status": "not ended", "updated": 0.0, "settings": {}, "figures": [],
        "training": {}, "progress": None, "error": None,
    }  # fmt: skip
    try:
        for name in FILES:
            if (run.path / name).is_symlink():
                run.check_within(run.path)
        found["settings"] = read_toml(run.path / RUN_CONFIG)
        found["updated"] = max(
            (run.path / name).stat().st_mtime for name in FILES if (run.path / name).is_file()
        )
        if (run.path / METRICS).is_file():
            found["progress"] = next(iter(last_metrics(run.path)[-1:]), None)
        if (run.path / RESULT).is_file():
            result = read_json(run.path / RESULT)
            found["training"] = result.get("training", {})
            found["status"] = f"stopped by {found['training'].get('stopped_by', 'unknown')}"
            found["figures"] = [_figures(record) for record in result.get("evaluations", [])]
    except (RnnlabError, OSError, AttributeError, TypeError) as error:
        found["error"] = str(error).removeprefix(f"{run.path}{os.sep}")
    return found


def _figures(record: dict[str, Any]) -> dict[str, Any]:
    baselines = {
        name: own.get("bits_per_character") for name, own in record.get("baselines", {}).items()
    }
    return {name: record.get(name) for name in FIGURES} | {"baselines": baselines}
