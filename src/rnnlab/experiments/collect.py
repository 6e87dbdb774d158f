"""From an experiment's folder to its records; needs no torch."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from rnnlab.experiments.archive import Archive
from rnnlab.experiments.plan import Plan, PlannedRun
from rnnlab.experiments.records import Points, Records, RunRecord, Timing
from rnnlab.experiments.store import Store
from rnnlab.runs.files import ENVIRONMENT, RESULT, read_json, read_metrics

TIMING = "timing.json"

CURVES = {
    "train": ("training", "nats_per_token"),
    "held-out": ("held_out", "bits_per_character"),
}
"""Curve and figure of each kind of line in metrics.jsonl."""


def collect(plan: Plan, store: Store, archive: Archive, command: str = "") -> Records:
    """Read what there is of a plan's runs: from the archive, or else from run directories.

    Raises RunDirectoryError for a file that is damaged or written by a newer version.
    """
    runs = [_record(run, store, archive.runs) for run in plan.runs]
    looks = list(archive.looks)
    seeds = len(plan.settings.seeds)
    if all(run.has_ended for run in runs) and looks[-1:] != [seeds]:
        looks.append(seeds)
    measured = read_timing(store)
    ids = measured.get("ids", {})
    current = {name for name, timing_id in plan.timing_ids.items() if ids.get(name) == timing_id}
    timings = [Timing(**each) for each in measured.get("timings", [])]
    return Records(
        plan,
        runs,
        [each for each in timings if each.variant in current],
        measured.get("environment", {}),
        command or archive.command,
        looks,
    )


def read_timing(store: Store) -> dict[str, Any]:
    """Content of timing.json; empty where there is none. Raises as `collect` does."""
    file = store.folder / TIMING
    return read_json(file) if file.is_file() else {}


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
