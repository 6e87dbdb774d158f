"""Records of an experiment's runs: read from run directories, and kept in records.json.

A run that has ended does not change, so its record is made once and kept for good, even if the
experiment's file no longer asks for it; runs/ may then be removed. The texts that runs wrote are
kept apart, in texts.json: a model that has memorised its corpus writes parts of it, and the corpus
may not be free to share. Nothing here needs torch.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from rnnlab.errors import RunDirectoryError
from rnnlab.experiments.plan import Plan, PlannedRun
from rnnlab.experiments.records import Points, Records, RunRecord, Status, Timing
from rnnlab.experiments.store import Store
from rnnlab.files import read_json, write_atomically
from rnnlab.lm.baseline_titles import baseline_title
from rnnlab.runs.files import ENVIRONMENT, RESULT, read_metrics

ARCHIVE = "records.json"
TEXTS = "texts.json"
TIMING = "timing.json"
ARCHIVE_FORMAT = 1

CURVES = {"train": ("training", "nats_per_token"), "held-out": ("held_out", "bits_per_character")}
"""Curve and figure of each kind of line in metrics.jsonl."""


@dataclass(frozen=True)
class Archive:
    """Content of records.json: runs by id, `command` and `looks` as in `Records`."""

    runs: dict[str, RunRecord] = field(default_factory=dict)
    command: str = ""
    looks: list[int] = field(default_factory=list)


def collect_records(plan: Plan, folder: Path, command: str = "") -> Records:
    """Read the records of a plan's runs, from records.json or else from run directories.

    For a search, the plan of the records has a variant for each trial so far. Raises
    RunDirectoryError if a file is damaged or was written by a newer version.
    """
    plan, store, archive = current_plan(plan, folder), Store(folder), read_archive(folder)
    runs = [_record(run, store, archive.runs) for run in plan.runs]
    looks = list(archive.looks)
    pairs = len(plan.settings.seeds) * max(1, len(plan.texts))
    if all(run.has_ended for run in runs) and looks[-1:] != [pairs]:
        looks.append(pairs)
    measured = read_timing(folder)
    ids = measured.get("ids", {})
    current = {name for name, timing_id in plan.timing_ids.items() if ids.get(name) == timing_id}
    timings = [Timing(**each) for each in measured.get("timings", [])]
    timings = [timing for timing in timings if timing.variant in current]
    environment = measured.get("environment", {})
    return Records(plan, runs, timings, environment, command or archive.command, looks)


def current_plan(plan: Plan, folder: Path) -> Plan:
    """Return the plan; for a search, with a variant for each trial so far."""
    if not plan.settings.search:
        return plan
    from rnnlab.experiments.optuna_study import plan_with_trials  # Optuna may not be installed

    return plan_with_trials(plan, folder)


def update_archive(records: Records, folder: Path) -> None:
    """Add the runs that have ended to records.json and texts.json."""
    ended = {run.id: run for run in records.runs if run.has_ended}
    runs = read_archive(folder).runs | ended
    write_archive(Archive(runs, records.command, records.looks), folder)


def write_archive(archive: Archive, folder: Path) -> None:
    """Replace texts.json, then records.json."""
    texts = {run.id: run.texts for run in archive.runs.values() if run.texts}
    write_atomically(folder / TEXTS, json.dumps(texts).encode())
    content = {
        "format": ARCHIVE_FORMAT,
        "command": archive.command,
        "looks": archive.looks,
        "runs": [_as_content(run) for run in archive.runs.values()],
    }
    write_atomically(folder / ARCHIVE, json.dumps(content, allow_nan=False).encode())


def _as_content(run: RunRecord) -> dict[str, Any]:
    content = dict(vars(replace(run, texts=[])))
    if not run.text:  # an earlier version does not know it
        del content["text"]
    return content


def read_archive(folder: Path) -> Archive:
    """Read records.json and texts.json; either may be missing.

    Raises RunDirectoryError if one is damaged or was written by a newer version.
    """
    file = folder / ARCHIVE
    if not file.is_file():
        return Archive()
    advice = "move it away to have it made again from runs/"
    try:
        content = read_json(file)
    except RunDirectoryError as error:
        raise RunDirectoryError(f"{error}; {advice}") from None
    try:
        if content.get("format") != ARCHIVE_FORMAT:
            raise RunDirectoryError(
                f"{file}: format {content.get('format')!r} is not known; this version of rnnlab "
                f"reads format {ARCHIVE_FORMAT}. The file is kept as it is"
            )
        texts = read_json(folder / TEXTS) if (folder / TEXTS).is_file() else {}
        runs = {}
        for run in (RunRecord(**values) for values in content["runs"]):
            curves = {name: [(x, y) for x, y in points] for name, points in run.curves.items()}
            runs[run.id] = replace(run, curves=curves, texts=texts.get(run.id, run.texts))
        return Archive(runs, content["command"], content["looks"])
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise RunDirectoryError(
            f"{file}: damaged, not as an experiment writes it; {advice}"
        ) from error


def read_timing(folder: Path) -> dict[str, Any]:
    """Return the content of timing.json, empty if there is none. Raises as `collect_records`."""
    file = folder / TIMING
    return read_json(file) if file.is_file() else {}


def _record(run: PlannedRun, store: Store, archived: Mapping[str, RunRecord]) -> RunRecord:
    if run.id in archived:
        return replace(archived[run.id], variant=run.variant, seed=run.seed, text=run.text)
    outcome = store.outcome(run.id)
    if outcome is None:
        failure = store.failure(run.id)
        status: Status = "failed" if failure else "missing"
        return RunRecord(run.id, run.variant, run.seed, status, failure, text=run.text)
    directory = store.directory(run.id)
    result = read_json(directory / RESULT)
    checksums = {record["corpus_sha256"] for record in result["evaluations"]}
    return RunRecord(
        run.id,
        run.variant,
        run.seed,
        outcome["status"],
        outcome["reason"],
        outcome["outcomes"],
        _curves(directory, result),
        _baselines(result),
        {when: [_rounded(n) for n in norms] for when, norms in outcome["gradient_flow"].items()},
        outcome["texts"],
        {
            "corpus_sha256": ", ".join(sorted(checksums)),
            "tokens": result["data"]["tokens"],
            **_copies(result),
        },
        read_json(directory / ENVIRONMENT),
        _parts(result, outcome),
        run.text,
    )


def _curves(directory: Path, result: Mapping[str, Any]) -> dict[str, Points]:
    """Curves over epochs; a step is the same fraction of an epoch throughout a run."""
    training, tokens = result["training"], result["data"]["tokens"]["train"]
    per_step = (
        training["epochs"] / training["steps"]
        if training["epochs"]
        else training["tokens"] / tokens / max(1, training["steps"])
    )
    curves: dict[str, Points] = {}
    for line in read_metrics(directory):
        curve, figure = CURVES[line["kind"]]
        if line[figure] is not None:
            point = (_rounded(line["step"] * per_step), _rounded(line[figure]))
            curves.setdefault(curve, []).append(point)
    return curves


def _rounded(value: float) -> float:
    """Round to six digits, which are enough for plots and halve the file."""
    return float(f"{value:.6g}")


def _copies(result: Mapping[str, Any]) -> dict[str, Any]:
    """What is copied in the split of the held-out figures; nothing if no version measured it."""
    by_split = result["data"].get("copies", {})
    found = by_split.get("test") or by_split.get("validation")
    return {"copies": found} if found else {}


def _parts(result: Mapping[str, Any], outcome: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """Bits per character of the parts alone, of the best weights and of the last ones."""
    carried = {
        record["split"]: {
            name: part["bits_per_character"] for name, part in record.get("parts", {}).items()
        }
        for record in result["evaluations"]
        if record["context"] == "carried"
    }
    best = carried.get("test") or carried.get("validation")
    last = outcome.get("parts")
    found = {"held_out_bits_per_character": last, "best_held_out_bits_per_character": best}
    return {name: parts for name, parts in found.items() if parts}


def _baselines(result: Mapping[str, Any]) -> dict[str, float]:
    """Bits per character by title, on the split of the held-out figures."""
    by_split = {record["split"]: record["baselines"] for record in result["evaluations"]}
    chosen = by_split.get("test") or by_split.get("validation") or {}
    return {
        baseline_title(name, baseline): baseline["bits_per_character"]
        for name, baseline in chosen.items()
    }
