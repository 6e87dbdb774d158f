"""What is told of one experiment; apart from its routes, since it draws on the report."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rnnlab.config import read_toml
from rnnlab.errors import UsageError
from rnnlab.experiments.archive import ARCHIVE, collect_records, read_archive
from rnnlab.experiments.comparison import ClaimVerdict
from rnnlab.experiments.folder import FILE, open_existing
from rnnlab.experiments.outcomes import OUTCOMES
from rnnlab.experiments.records import RunRecord
from rnnlab.experiments.verdicts import judge_claims
from rnnlab.report.report import make_report


def details(folder: Path) -> tuple[dict[str, Any], bool]:
    """Return the record of an experiment, and whether all of its runs have ended.

    Claims, their sentences and the remarks are those of the report. If the plan cannot be read, as
    in a copied folder whose cells lie elsewhere, `plan_error` says why, and the runs are those of
    records.json. Raises UsageError if there are none either, RunDirectoryError if one of its files
    is damaged.
    """
    try:
        plan = open_existing(folder)
    except UsageError as error:
        if found := _without_plan(folder):
            return {**found, "plan_error": str(error).replace(f"{folder}{os.sep}", "")}, False
        raise
    records = collect_records(plan, folder)
    plan = records.plan  # of a search, with a variant for each trial
    report = make_report(records, judge_claims(records))
    found = {
        "plan_error": None,
        "title": report.title,
        "question": report.question,
        "extent": report.extent,
        "tally": report.tally,
        "warning": report.warning,
        "command": report.command,
        "reference": plan.reference,
        "timed_separately": records.timed_separately,
        "settings": {name: value for name, value, is_named in report.settings if is_named},
        "claims": [_claim(claim) for claim in report.verdicts],
        "outcomes": [_outcome(name) for name in plan.settings.outcomes],
        "variants": [_changed(one.name, one.change) for one in plan.variants],
        "texts": [_changed(text.name, text.change) for text in plan.texts],
        "runs": [_run(run) for run in records.runs],
    }
    return found, all(run.has_ended for run in records.runs)


def _without_plan(folder: Path) -> dict[str, Any]:
    """Return what records.json has, with no claims: those need the plan; nothing if it has none."""
    archive = read_archive(folder)
    if not archive.runs:
        return {}
    runs = list(archive.runs.values())
    content = read_toml(folder / FILE)
    return {
        "title": str(content.get("title", folder.name)),
        "question": str(content.get("question", "")),
        "extent": f"{len(runs):,} runs in {ARCHIVE}",
        "tally": "",
        "warning": "",
        "command": archive.command,
        "reference": "",
        "timed_separately": False,
        "settings": {},
        "claims": [],
        "outcomes": [_outcome(name) for name in OUTCOMES if any(name in r.outcomes for r in runs)],
        "variants": [_changed(name, {}) for name in dict.fromkeys(run.variant for run in runs)],
        "texts": [_changed(name, {}) for name in dict.fromkeys(r.text for r in runs) if name],
        "runs": [_run(run) for run in runs],
    }


def _claim(claim: ClaimVerdict) -> dict[str, Any]:
    return {
        "text": claim.text, "note": claim.note, "about": claim.about, "verdict": claim.verdict,
        "sentences": [each.sentence for each in claim.compared],
    }  # fmt: skip


def _outcome(name: str) -> dict[str, Any]:
    outcome = OUTCOMES[name]
    return {
        "name": name, "label": outcome.label, "better": outcome.better, "digits": outcome.digits,
        "timed": outcome.timed, "by_ratio": outcome.is_ratio,
    }  # fmt: skip


def _changed(name: str, change: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": name, "change": dict(change)}


def _run(run: RunRecord) -> dict[str, Any]:
    return {
        "id": run.id, "variant": run.variant, "text": run.text, "seed": run.seed,
        "status": run.status, "reason": run.reason, "outcomes": run.outcomes,
    }  # fmt: skip
