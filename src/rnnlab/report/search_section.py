"""What a report says about a search: the best settings, and how much each setting mattered."""

import math
from dataclasses import dataclass
from typing import Any

import tomli_w

from rnnlab.config import Settings
from rnnlab.console import counted
from rnnlab.experiments.outcomes import OUTCOMES, Outcome
from rnnlab.experiments.records import Records
from rnnlab.experiments.settings import Range
from rnnlab.report.formatting import number, setting

ENOUGH = 20
"""With fewer finished trials, importances would be noise."""


@dataclass(frozen=True)
class SearchSection:
    """A search with at least one finished trial."""

    summary: str
    best_settings: list[str]
    """TOML for `rnnlab train --config`, by line; settings with their default are left out."""
    settings: list[tuple[str, str, str]]
    """Name, searched values and importance; most important first, importance empty if unknown."""
    about_importances: str
    outcome: Outcome
    space: dict[str, Range]
    trials: list[tuple[dict[str, Any], float]]
    """Settings and figure of every trial with a finite figure."""
    without_figure: list[dict[str, Any]]
    """Settings of the other trials."""
    best: int
    """Index of the best of `trials`."""


def search_section(records: Records) -> SearchSection | None:
    """Summarise a search; None while no trial has a finite figure."""
    from rnnlab.experiments.optuna_study import importances, search_settings

    plan = records.plan
    search = search_settings(plan)
    outcome = OUTCOMES[search.outcome]
    changes = {variant.name: variant.change for variant in plan.variants}
    trials: list[tuple[dict[str, Any], float]] = []
    without_figure: list[dict[str, Any]] = []
    for run in records.runs:
        value = run.outcomes.get(outcome.name) if run.status == "finished" else None
        if value is None or not math.isfinite(value):
            without_figure.append(changes[run.variant])
        else:
            trials.append((changes[run.variant], value))
    if not trials:
        return None
    sign = 1 if outcome.better == "lower" else -1
    best = min(range(len(trials)), key=lambda index: sign * trials[index][1])
    change, value = trials[best]
    settings = [(name, _range(values), "") for name, values in search.settings.items()]
    about = f"Importances are not shown for fewer than {ENOUGH} finished trials."
    if len(trials) >= ENOUGH:
        shares = importances(search, trials)
        settings = [(name, words, f"{100 * shares[name]:.0f}%") for name, words, _ in
                    sorted(settings, key=lambda row: -shares[row[0]])]  # fmt: skip
        about = (
            "Importance: how much a setting decides whether a trial is among the best tenth of the "
            "finished ones (PED-ANOVA), as a share of 100%; rough if that tenth is a handful."
        )
    return SearchSection(
        summary=(
            f"The best of {counted(len(trials), 'finished trial')}: "
            f"{number(value, outcome.digits)} ({outcome.label}). It was chosen by this very "
            "figure, which flatters it: with another seed, or on another text, it will be a little "
            "worse. Run it with several seeds before you conclude anything from it."
        ),
        best_settings=_best_settings(plan.base, change, plan.settings.seeds[0]),
        settings=settings,
        about_importances=about,
        outcome=outcome,
        space=search.settings,
        trials=trials,
        without_figure=without_figure,
        best=best,
    )


def _best_settings(base: Settings, change: dict[str, Any], seed: int) -> list[str]:
    settings = base.with_changes("best trial", **change, seed=seed).flat()
    default = Settings().flat()
    changed = {name: value for name, value in settings.items() if value != default[name]}
    return tomli_w.dumps(changed).splitlines()


def _range(span: Range) -> str:
    if span.choices:
        return ", ".join(setting(choice) for choice in span.choices)
    low, high = span.bounds
    return f"{setting(low)} to {setting(high)}{', logarithmic' if span.log else ''}"
