"""From an experiment's folder to its records; needs no torch.

A run that has ended stays as it is, so its record is made from its directory once and then kept in
records.json: small enough to stay beside a report, while runs/ is not.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from rnnlab.data.files import write_atomically
from rnnlab.errors import RunDirectoryError
from rnnlab.lab.experiment.plan import Plan, PlannedRun
from rnnlab.lab.experiment.records import Points, Records, RunRecord, Timing
from rnnlab.lab.experiment.store import Store
from rnnlab.lab.run_files import ENVIRONMENT, RESULT, read_json, read_metrics

ARCHIVE = "records.json"
ARCHIVE_FORMAT = 1
TIMING = "timing.json"

CURVES = {
    "train": ("training", "nats_per_token"),
    "held-out": ("held_out", "bits_per_character"),
}
"""Curve and figure of each kind of line in metrics.jsonl."""


def collect(plan: Plan, store: Store, command: str = "") -> Records:
    """Read what there is of a plan's runs.

    Raises RunDirectoryError for a file that is damaged or written by a newer version.
    """
    archived, kept_command = read_archive(store.folder)
    runs = [_record(run, store, archived) for run in plan.runs]
    timing = store.folder / TIMING
    measured = read_json(timing) if timing.is_file() else {}
    variants = {variant.name for variant in plan.variants}
    timings = [Timing(**each) for each in measured.get("timings", [])]
    return Records(
        plan,
        runs,
        [each for each in timings if each.variant in variants],
        measured.get("environment", {}),
        command or kept_command,
    )


def write_archive(records: Records, folder: Path) -> Path:
    """Write records.json: every run that has ended."""
    file = folder / ARCHIVE
    ended = [run for run in records.runs if run.status not in ("missing", "failed")]
    content = {
        "format": ARCHIVE_FORMAT,
        "command": records.command,
        "runs": [vars(run) for run in ended],
    }
    write_atomically(file, json.dumps(content, allow_nan=False).encode())
    return file


def read_archive(folder: Path) -> tuple[dict[str, RunRecord], str]:
    """Read records.json: records by run id, and the command; empty where there is none."""
    file = folder / ARCHIVE
    if not file.is_file():
        return {}, ""
    content = read_json(file)
    if content.get("format") != ARCHIVE_FORMAT:
        raise RunDirectoryError(
            f"{file}: format {content.get('format')!r} is not known; this version of rnnlab reads "
            f"format {ARCHIVE_FORMAT}. The file is kept as it is"
        )
    try:
        runs = [RunRecord(**run) for run in content["runs"]]
        return {run.id: replace(run, curves=_pairs(run.curves)) for run in runs}, content["command"]
    except (KeyError, TypeError) as error:
        raise RunDirectoryError(f"{file}: no records to read: {error!r}") from None


def _pairs(curves: Mapping[str, Points]) -> dict[str, Points]:
    """JSON has no pairs, only lists."""
    return {name: [(x, y) for x, y in points] for name, points in curves.items()}


def _record(run: PlannedRun, store: Store, archived: Mapping[str, RunRecord]) -> RunRecord:
    if run.id in archived:
        return replace(archived[run.id], variant=run.variant, seed=run.seed)
    outcome = store.outcome(run.id)
    if outcome is None:
        failure = store.failure(run.id)
        return RunRecord(run.id, run.variant, run.seed, "failed" if failure else "missing", failure)
    directory = store.directory(run.id)
    result = read_json(directory / RESULT)
    return RunRecord(
        run.id,
        run.variant,
        run.seed,
        outcome["status"],
        outcome["reason"],
        outcome["outcomes"],
        _curves(directory, result),
        _baselines(result),
        {when: [_brief(n) for n in norms] for when, norms in outcome["gradient_flow"].items()},
        outcome["texts"],
        _data(result),
        read_json(directory / ENVIRONMENT),
    )


def _curves(directory: Path, result: Mapping[str, Any]) -> dict[str, Points]:
    """Curves over epochs: a step is the same share of one all through a run."""
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
            point = (_brief(line["step"] * per_step), _brief(line[figure]))
            curves.setdefault(curve, []).append(point)
    return curves


def _data(result: Mapping[str, Any]) -> dict[str, Any]:
    """Which text a run was of."""
    checksums = {record["corpus_sha256"] for record in result["evaluations"]}
    return {"corpus_sha256": ", ".join(sorted(checksums)), "tokens": result["data"]["tokens"]}


def _brief(value: float) -> float:
    """Six digits: enough to draw, half as much to keep."""
    return float(f"{value:.6g}")


def _baselines(result: Mapping[str, Any]) -> dict[str, float]:
    """Of the split that held-out figures are of; an n-gram is named with its order."""
    beside = {record["split"]: record["baselines"] for record in result["evaluations"]}
    chosen = beside.get("test") or beside.get("validation") or {}
    return {
        f"{baseline['order']}-gram" if name == "ngram" else name: baseline["bits_per_character"]
        for name, baseline in chosen.items()
    }
