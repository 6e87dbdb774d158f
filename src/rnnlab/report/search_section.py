"""What a report says of a search: the best settings, which settings mattered, and how."""

import math
from typing import Any

import tomli_w
from markupsafe import Markup

from rnnlab.config import Settings
from rnnlab.experiments.optuna_study import importances, search_settings
from rnnlab.experiments.outcomes import OUTCOMES, Outcome
from rnnlab.experiments.records import Records
from rnnlab.experiments.settings import Range
from rnnlab.report.content import Section
from rnnlab.report.formatting import number, setting
from rnnlab.report.markdown import escaped
from rnnlab.report.plot_frame import linear, logarithmic, near
from rnnlab.report.slice_plot import slice_plot

ENOUGH = 20
"""Finished trials below which importances would be noise."""

SLICES = (
    "Every point is a trial that finished, the diamond the best; a hollow one lies beyond the "
    "axis. A stroke at the upper edge is one that ended early, by pruning or divergence, or has "
    "not ended, and so has no figure."
)


def search_sections(records: Records) -> list[Section]:
    """The section of a search; none while no trial has finished."""
    plan = records.plan
    search = search_settings(plan)
    outcome = OUTCOMES[search.outcome]
    changes = {variant.name: variant.change for variant in plan.variants}
    figures: list[tuple[dict[str, Any], float]] = []
    without: list[dict[str, Any]] = []
    for run in records.runs:
        value = run.outcomes.get(outcome.name) if run.status == "finished" else None
        if value is None or not math.isfinite(value):
            without.append(changes[run.variant])
        else:
            figures.append((changes[run.variant], value))
    if not figures:
        return []
    sign = 1 if outcome.better == "lower" else -1
    best = min(range(len(figures)), key=lambda index: sign * figures[index][1])
    change, value = figures[best]
    sentence = _sentence(outcome, value, len(figures))
    settings = best_settings(plan.base, change, plan.settings.seeds[0])
    rows = _importances(search.settings, importances(search, figures), len(figures))
    ratio = outcome.is_ratio
    scale = (logarithmic if ratio else linear)(
        outcome.label, near([value for _, value in figures], log=ratio), 0.08
    )
    plots = [
        slice_plot(
            f"slice-{index}", name, span, scale,
            [(change[name], value) for change, value in figures],
            [change[name] for change in without], best,
        )
        for index, (name, span) in enumerate(search.settings.items())
    ]  # fmt: skip
    return [Section("Search", _html(sentence, settings, rows, plots),
                    _markdown(sentence, settings, rows))]  # fmt: skip


def best_settings(base: Settings, change: dict[str, Any], seed: int) -> str:
    """Settings as TOML for `rnnlab train --config`, without those that have their default."""
    settings = base.changed("best trial", **change, seed=seed)
    default = Settings()
    return tomli_w.dumps(
        {
            name: value
            for group in Settings.groups
            for name, value in getattr(settings, group).model_dump(mode="json").items()
            if value != getattr(default, group).model_dump(mode="json")[name]
        }
    )


def _sentence(outcome: Outcome, value: float, finished: int) -> str:
    return (
        f"The best of {finished:,} finished trials: {number(value, outcome.digits)} "
        f"({outcome.label}). It was chosen by this very figure, which flatters it: with another "
        "seed, or on another text, it will look a little worse. Run it with several seeds before "
        "anything is concluded from it."
    )


TrialRow = tuple[str, str, str]
"""Setting, its range, its importance."""


def _importances(
    space: dict[str, Range], shares: dict[str, float], finished: int
) -> list[TrialRow]:
    """Most important first; importances only where there are enough trials for them."""
    if finished < ENOUGH:
        return [(name, _range(span), "") for name, span in space.items()]
    order = sorted(space, key=lambda name: -shares[name])
    return [(name, _range(space[name]), f"{100 * shares[name]:.0f}%") for name in order]


def _range(span: Range) -> str:
    if span.choices:
        return ", ".join(setting(choice) for choice in span.choices)
    low, high = span.bounds
    return f"{setting(low)} to {setting(high)}{', logarithmic' if span.log else ''}"


def _caption(rows: list[TrialRow]) -> str:
    if rows[0][2]:
        return (
            "Importance: what a setting has to do with being among the best tenth of the finished "
            "trials (PED-ANOVA), a share of 100%; rough, where that tenth is a handful."
        )
    return f"Importances are not shown for fewer than {ENOUGH} finished trials."


def _html(sentence: str, settings: str, rows: list[TrialRow], plots: list[Markup]) -> str:
    body = Markup("\n").join(
        Markup('<tr><th scope="row">{}</th><td>{}</td><td>{}</td></tr>').format(*row)
        for row in rows
    )
    section = Markup(
        '<p class="how">{sentence}</p>\n'
        "<h3>The best settings, for <code>rnnlab train --config</code></h3>\n"
        '<pre class="command"><code>{settings}</code></pre>\n'
        "<h3>What mattered</h3>\n"
        '<figure class="table"><figcaption>{caption}</figcaption>\n'
        '<table><thead><tr><th scope="col">Setting</th><th scope="col">Searched</th>'
        '<th scope="col">Importance</th></tr></thead>\n<tbody>{body}</tbody></table></figure>\n'
        "<figure><figcaption>{slices}</figcaption>\n"
        '<div class="plots">{plots}</div></figure>'
    ).format(
        sentence=sentence,
        settings=settings.strip(),
        caption=_caption(rows),
        body=body,
        slices=SLICES,
        plots=Markup("\n").join(plots),
    )
    return str(section)


def _markdown(sentence: str, settings: str, rows: list[TrialRow]) -> str:
    lines = [
        escaped(sentence),
        "",
        "The best settings, for `rnnlab train --config`:",
        "",
        "```toml",
        settings.strip(),
        "```",
        "",
        escaped(_caption(rows)),
        "",
        "| setting | searched | importance |",
        "|---|---|---|",
        *(f"| {' | '.join(escaped(cell) for cell in row)} |" for row in rows),
    ]
    return "\n".join(lines)
