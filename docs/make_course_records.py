"""Write src/rnnlab/course/recorded.json from the experiments that chapters of the course show.

    python docs/make_course_records.py

tests/course/test_recorded.py checks that it is up to date.
"""

import json
from pathlib import Path
from typing import Any

from rnnlab.course.recorded import FILE
from rnnlab.experiments.archive import collect_records
from rnnlab.experiments.folder import open_existing
from rnnlab.experiments.verdicts import judge_claims

EXPERIMENTS = Path(__file__).parents[1] / "experiments"
NAMES = {"lab-report": "lab_report", "report-ideas": "report_ideas"}
"""The folder of each experiment."""

OUTCOMES = (
    "training_perplexity", "best_held_out_bits_per_character", "held_out_bits_per_character",
)  # fmt: skip


def summary(folder: Path) -> dict[str, Any]:
    """Return the figures and verdicts of an experiment that has been run."""
    plan = open_existing(folder)
    records = collect_records(plan, folder)
    assert all(run.status == "finished" for run in records.runs), f"{folder}: not complete"
    names = [variant.name for variant in plan.variants]
    return {
        "command": records.command,
        "reported": {v.name: dict(v.reported) for v in plan.variants if v.reported},
        "figures": {
            name: {
                outcome: [round(value, 4) for value in records.values(name, outcome).values()]
                for outcome in OUTCOMES
            }
            for name in names
        },
        "baselines": {
            name: round(value, 4) for name, value in records.runs[0].baselines.items()
        },
        "claims": [
            (claim.text, claim.verdict, [compared.sentence for compared in claim.compared])
            for claim in judge_claims(records)
        ],
    }  # fmt: skip


def content() -> str:
    """Return the whole file: a line for each variant and each claim."""
    found = {
        name: summary(EXPERIMENTS / folder)
        for name, folder in NAMES.items()
    }  # fmt: skip
    return json.dumps(found, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(content(), encoding="utf-8")
