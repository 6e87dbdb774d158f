"""What is told of a run: its settings, its figures and how far it is.

Files are read again only when they have changed, so that a thousand runs are listed at once.
"""

from __future__ import annotations

import hashlib
import os
import re
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from rnnlab.cells import short_name
from rnnlab.comparison.groups import NOT_COMPARED
from rnnlab.comparison.held_out import figure_record
from rnnlab.config import read_toml
from rnnlab.errors import RnnlabError
from rnnlab.experiments.plan import NOT_IN_THE_ID
from rnnlab.files import lock_owner, read_json
from rnnlab.lm.baseline_titles import baseline_title
from rnnlab.runs.files import LOCK, METRICS, RESULT, RUN_CONFIG, SAMPLES, last_metrics
from rnnlab.web.shelf import Found, Stamp, stamp_of

FILES = (RUN_CONFIG, RESULT, METRICS, LOCK)
"""What a record is made of."""

FIGURES = (
    "split", "context", "bits_per_character", "perplexity", "characters", "corpus_sha256",
    "checkpoint",
)  # fmt: skip
"""What is told of an evaluation, next to its baselines."""

WITHOUT_EFFECT = tuple(sorted({*NOT_IN_THE_ID, *NOT_COMPARED}))
"""Settings that change nothing but where a run is computed and what it writes about itself."""

NOT_IN_GROUP = frozenset({*WITHOUT_EFFECT, "seed"})

SAMPLES_BYTES = 8_192
"""Of the end of samples.txt that is shown."""

STATEMENT = re.compile(r"^(?=[\w-]+ = )", re.MULTILINE)
"""Where a line of a TOML file begins a statement."""

Stamps = tuple[Stamp | None, ...]


class RunRecords:
    """Makes records of runs, and keeps them."""

    def __init__(self) -> None:
        self._kept: dict[Path, tuple[Stamps, dict[str, Any]]] = {}

    def of(self, run: Found) -> dict[str, Any]:
        """Return the record of a run, the same object while nothing has changed.

        What is damaged is said in its `error`.
        """
        stamps = stamps_of(run)
        stored = self._kept.get(run.path)
        if stored and stored[0] == stamps:
            record = stored[1]
            if not record["running"] or lock_owner(run.path / LOCK):
                return record
        record = _record(run, stamps)
        self._kept[run.path] = stamps, record
        return record

    def forget(self, run: Found) -> None:
        """Forget a run that is gone."""
        self._kept.pop(run.path, None)


def stamps_of(run: Found) -> Stamps:
    """Return what changes with the files that a record is made of."""
    return tuple(map(stamp_of, _files(run.path)))


@lru_cache(16_384)
def _files(directory: Path) -> tuple[Path, ...]:
    return tuple(directory / name for name in FILES)


def run_details(run: Found) -> dict[str, Any]:
    """Return what only the page of one run shows: all evaluations, its machine, its last samples.

    Raises RnnlabError for a damaged file or a link to elsewhere.
    """
    run.check_within(run.path)
    result = _json_if_any(run.path / RESULT)
    evaluations = [record | {"titles": _titles(record)} for record in result.get("evaluations", [])]
    return {
        "evaluations": evaluations,
        "environment": _json_if_any(run.path / "environment.json"),
        "samples": _last_samples(run.path / SAMPLES),
    }


def _record(run: Found, stamps: Stamps) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": run.name, "status": "not ended", "running": False, "updated": 0.0, "settings": {},
        "cell": None,
        "group": "", "parameters": None, "figures": [], "held_out": None, "training": {},
        "progress": None, "held_out_so_far": None, "error": None,
    }  # fmt: skip
    newest = {name: stamp[0] for name, stamp in zip(FILES, stamps, strict=True) if stamp}
    is_over = False
    try:
        with os.scandir(run.path) as entries:
            if any(entry.is_symlink() for entry in entries if entry.name in FILES):
                run.check_within(run.path)
        found["settings"] = _settings(run.path / RUN_CONFIG)
        found["cell"] = (
            short_name(found["settings"]["cell"]) if "cell" in found["settings"] else None
        )
        found["group"] = group_of(found["settings"])
        found["updated"] = max(newest.values()) / 1e9
        if METRICS in newest:
            found |= _so_far(run.path)
        if RESULT in newest:
            result = read_json(run.path / RESULT)
            found["training"] = result.get("training", {})
            found["status"] = f"stopped by {found['training'].get('stopped_by', 'unknown')}"
            found["parameters"] = result.get("model", {}).get("parameters")
            evaluations = result.get("evaluations", [])
            found["figures"] = [_figures(record) for record in evaluations]
            found["held_out"] = _held_out(evaluations)
            is_over = bool(result.get("complete", True))
        if LOCK in newest and not (is_over and newest[RESULT] >= newest[LOCK]):
            found["running"] = bool(lock_owner(run.path / LOCK))
    except (RnnlabError, OSError, AttributeError, TypeError, KeyError, ValueError) as error:
        found["error"] = str(error).removeprefix(f"{run.path}{os.sep}")
    return found


def _so_far(directory: Path) -> dict[str, Any]:
    """Return the last lines of both kinds, as far as the end of metrics.jsonl has them."""
    names = {"train": "progress", "held-out": "held_out_so_far"}
    found = dict[str, Any]()
    for line in last_metrics(directory):
        if name := names.pop(line.get("kind", ""), ""):
            found[name] = line
        if not names:
            break
    return found


def group_of(settings: Mapping[str, Any]) -> str:
    """Return what is the same for runs that differ in nothing but their seeds."""
    own = [(name, settings[name]) for name in sorted(settings) if name not in NOT_IN_GROUP]
    return hashlib.sha256(repr(own).encode("utf-8", "backslashreplace")).hexdigest()[:12]


def _figures(record: Mapping[str, Any]) -> dict[str, Any]:
    baselines = {
        name: own.get("bits_per_character") for name, own in record.get("baselines", {}).items()
    }
    return {name: record.get(name) for name in FIGURES} | {"baselines": baselines}


def _held_out(evaluations: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Return the figure that stands for a run, see `figure_record`.

    Next to it is the best of its baselines, and by how much the run is ahead of it.
    """
    own = figure_record(evaluations)
    if own is None:
        return None
    titles, best = _titles(own), None
    bits = {
        name: each["bits_per_character"]
        for name, each in own.get("baselines", {}).items()
        if each["bits_per_character"] is not None
    }
    if bits:
        name = min(bits, key=lambda each: bits[each])
        best = {
            "title": titles[name], "bits_per_character": bits[name],
            "lead": own.get("leads", {}).get(name),
        }  # fmt: skip
    return {name: own.get(name) for name in FIGURES} | {"best_baseline": best}


def _titles(record: Mapping[str, Any]) -> dict[str, str]:
    return {name: baseline_title(name, own) for name, own in record.get("baselines", {}).items()}


def _json_if_any(file: Path) -> dict[str, Any]:
    return read_json(file) if file.is_file() else {}


def _last_samples(file: Path) -> list[dict[str, Any]]:
    """Return the last texts that a run wrote, and after which step, the newest first."""
    text = ""
    with suppress(OSError), file.open("rb") as stream:
        stream.seek(max(0, stream.seek(0, 2) - SAMPLES_BYTES))
        text = stream.read().decode("utf-8", "replace")
    _, *parts = re.split(r"^--- step (\d+)\n", text, flags=re.MULTILINE)
    found = zip(parts[::2], parts[1::2], strict=True)
    return [{"step": int(step), "text": own.removesuffix("\n")} for step, own in found][::-1]


def _settings(file: Path) -> dict[str, Any]:
    """Read the settings of a run as `read_toml` does.

    Runs have most of their lines in common, so each statement is parsed once. A file for which
    that is not the same, because its statements depend on each other, is parsed as a whole.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
        if "\n[" in text or text.startswith("["):
            return read_toml(file)
        statements = [_statement(part) for part in STATEMENT.split(text)]
    except (OSError, ValueError, RecursionError):
        return read_toml(file)
    found = {name: value for own in statements for name, value in own.items()}
    if len(found) < sum(map(len, statements)):
        return read_toml(file)
    return found


@lru_cache(8_192)
def _statement(text: str) -> dict[str, Any]:
    return tomllib.loads(text)
