"""A search as an experiment like any other: its trials are the variants; needs no torch."""

from dataclasses import replace
from pathlib import Path

from rnnlab.experiments.optuna_study import read_trials
from rnnlab.experiments.plan import Plan, PlannedRun
from rnnlab.experiments.settings import VariantSettings


def searched_plan(plan: Plan, folder: Path) -> Plan:
    """The plan of a search with what it has suggested so far: a variant a trial, in their order.

    Trials with the same settings are one variant, since they are one run; where names are the same
    only as they are rounded, the later one says which trial it is.
    """
    variants: list[VariantSettings] = []
    runs: dict[str, PlannedRun] = {}
    for trial in read_trials(plan, folder):
        if not trial.counts or (run := trial.run(plan)).id in runs:
            continue
        if any(variant.name == run.variant for variant in variants):
            run = replace(run, variant=f"{run.variant} (trial {trial.number})")
        variants.append(VariantSettings(name=run.variant, change=trial.change))
        runs[run.id] = run
    settings = plan.settings.model_copy(update={"seeds": plan.settings.seeds[:1]})
    return replace(plan, settings=settings, variants=tuple(variants), runs=tuple(runs.values()))
