"""What is told of one experiment; apart from its routes, since it draws on the report."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rnnlab.experiments.archive import collect_records
from rnnlab.experiments.comparison import ClaimVerdict
from rnnlab.experiments.folder import open_existing
from rnnlab.experiments.outcomes import OUTCOMES
from rnnlab.experiments.records import RunRecord
from rnnlab.experiments.verdicts import judge_claims
from rnnlab.report.report import make_report


def details(folder: Path) -> tuple[dict[str, Any], bool]:
    """Return the record of an experiment, and whether all of its runs have ended.

    Claims, their sentences and the remarks are those of the report. Raises UsageError if the
    experiment's file is wrong, RunDirectoryError if one of its files is damaged.
    """
    plan = open_existing(folder)
    records = collect_records(plan, folder)
    plan = records.plan  # of a search, with a variant for each trial
    report = make_report(records, judge_claims(records))
    found = {
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
