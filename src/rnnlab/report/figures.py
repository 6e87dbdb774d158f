"""The figures of the HTML page: learning curves, speed and quality, gradient flow, search."""

import math
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from markupsafe import Markup

from rnnlab.experiments.outcomes import OUTCOMES
from rnnlab.experiments.records import Points, Records, RunRecord
from rnnlab.experiments.settings import Range
from rnnlab.report import explanations
from rnnlab.report.curve_bands import Band, Summary, band, geometric_range, geometric_t_band, t_band
from rnnlab.report.formatting import setting
from rnnlab.report.line_plot import Level, Line, line_plot, line_swatch
from rnnlab.report.outcome_table import grouped, shown_ngram, summarised
from rnnlab.report.scales import Scale, scale_for, without_outliers
from rnnlab.report.scatter_plot import (
    Mean,
    Point,
    is_inside,
    marker_swatch,
    scatter_plot,
    slice_plot,
)
from rnnlab.report.search_section import SearchSection
from rnnlab.report.svg_plot import SERIES, Plot

EARLY = 0.05
"""Losses of this first share of training may lie outside of the axes."""

FAR_BITS, FAR_PERPLEXITY = 2.0, 10.0
"""How many times the median of all variants' largest figures the axes reach at most."""

STAGES = {"initial": "at initialisation", "trained": "after training"}


@dataclass(frozen=True)
class KeyEntry:
    """What a line or point stands for."""

    number: int
    name: str
    swatch: Markup


@dataclass(frozen=True)
class Illustration:
    """Plots side by side that share a caption and a key."""

    caption: str
    plots: list[Markup]
    key: list[KeyEntry]
    folded: bool = False
    """Whether it is of another than the first of several texts; the page shows it on demand."""


@dataclass(frozen=True)
class Figures:
    """All figures of a report."""

    curves: list[Illustration]
    about_curves: str
    gradient_flow: list[Illustration]
    about_flow: str
    speed: Illustration | None
    slices: list[Markup]
    """The outcome of a search against each of its settings."""
    about_slices: str
    texts: Illustration | None = None
    """Each comparison on each of several texts."""


def draw_figures(records: Records, search: SearchSection | None) -> Figures:
    """Draw all figures of the records, and those of a search."""
    curves = _on_each_text(records, learning_curves)
    flow = _on_each_text(records, gradient_flow)
    return Figures(
        curves,
        explanations.about_curves(records, panels=sum(not c.folded for c in curves))
        if curves
        else "",
        flow,
        explanations.about_flow(records) if flow else "",
        speed_and_quality(records),
        search_slices(search) if search else [],
        about_slices(search) if search else "",
    )


def _on_each_text(
    records: Records, draw: Callable[[Records, str], list[Illustration]]
) -> list[Illustration]:
    """Draw the records of each text apart, if there are several."""
    if not records.plan.texts:
        return draw(records, "")
    drawn = []
    for index, (name, on) in enumerate(records.on_texts.items()):
        for each in draw(on, f"-on-{index}"):
            drawn.append(replace(each, caption=f"{each.caption}; {name}", folded=index > 0))
    return drawn


def learning_curves(records: Records, ids: str = "") -> list[Illustration]:
    """Draw held-out bits per character, and training perplexity, over epochs; ids: see `svg`."""
    held_out = _bands(records, lambda run: run.curves.get("held_out", []), t_band)
    training = _bands(records, lambda run: run.curves.get("training", []), geometric_t_band)
    if not held_out and not training:
        return []
    ngram = shown_ngram(records)
    level = Level(ngram[1], f"{ngram[0]} {ngram[1]:.3f}") if ngram else None
    sides: list[Side] = []
    if held_out:
        bits = [*_late(held_out, FAR_BITS), *([level.value] if level else [])]
        sides.append((held_out, scale_for("held-out bits/character", bits), level))
    if training:
        values = _late(training, FAR_PERPLEXITY)
        sides.append((training, scale_for("training perplexity", values, log=True), None))
    return _illustrations(records, f"curves{ids}", "Learning curves", "epochs", sides)


def gradient_flow(records: Records, ids: str = "") -> list[Illustration]:
    """Draw the norm of dL_T/dh_(T-k) over k, before and after training."""
    stages = {s: _bands(records, partial(_log_norms, s), geometric_range) for s in STAGES}
    ends = [end for bands in stages.values() for each in bands.values()
            for end in (float(each.low.min()), float(each.high.max()))]  # fmt: skip
    sides: list[Side] = [
        (bands, scale_for(f"norm of dL(T)/dh(T−k), {STAGES[stage]}", ends, log=True), None)
        for stage, bands in stages.items()
        if bands
    ]
    return _illustrations(records, f"flow{ids}", "Gradient flow", "time steps back, k", sides)


def speed_and_quality(records: Records) -> Illustration | None:
    """Draw tokens a second against the first outcome that is not timed.

    Return None if one of them is not among the plan's outcomes, or has no figures.
    """
    outcomes = records.plan.settings.outcomes
    quality = next((OUTCOMES[name] for name in outcomes if not OUTCOMES[name].timed), None)
    if quality is None or "tokens_per_second" not in outcomes:
        return None
    points = []
    for group, members in enumerate(grouped(records.plan.variants).values()):
        for number, variant in members:
            x = _mean(records, variant.name, "tokens_per_second")
            y = _mean(records, variant.name, quality.name)
            if x and y:
                points.append(Point(number, variant.name, 1 + group % SERIES, x, y))
    if not points:
        return None
    speeds = without_outliers([point.x.mean for point in points], log=True)
    log = quality.is_ratio
    qualities = without_outliers([point.y.mean for point in points], log=log)
    across = scale_for("tokens/s", speeds, log=True, margin=0.06)
    up = scale_for(quality.label, qualities, log=log, margin=0.08)
    plot = scatter_plot("speed", across, up, points)
    key = [KeyEntry(p.number, p.name, marker_swatch(p.series)) for p in points]
    caption = explanations.about_speed(
        records, quality,
        intervals=any(p.x.low < p.x.high or p.y.low < p.y.high for p in points),
        hollow=any(not is_inside(p, across, up) for p in points),
    )  # fmt: skip
    return Illustration(caption, [plot], key)


def about_slices(search: SearchSection) -> str:
    """Return how to read the plots of a search."""
    y = _outcome_scale(search)
    values = [value for _, value in search.trials]
    return explanations.about_slices(
        hollow=any(not y.low <= value <= y.high for value in values),
        without_figure=bool(search.without_figure),
    )


def _outcome_scale(search: SearchSection) -> Scale:
    log = search.outcome.is_ratio
    shown = without_outliers([value for _, value in search.trials], log=log)
    return scale_for(search.outcome.label, shown, log=log, margin=0.08)


def search_slices(search: SearchSection) -> list[Markup]:
    """Draw a search's outcome against each of its settings."""
    y = _outcome_scale(search)
    plots = []
    for index, (name, span) in enumerate(search.space.items()):
        if span.choices:
            names = tuple(setting(choice) for choice in span.choices)
            x = Scale(name, -0.5, len(names) - 0.5, names=names)
        else:
            x = scale_for(name, span.bounds, log=span.log, margin=0.03)
        points = [(_place(change[name], span), value) for change, value in search.trials]
        without = [_place(change[name], span) for change in search.without_figure]
        plots.append(slice_plot(f"slice-{index}", x, y, points, without, search.best))
    return plots


Side = tuple[dict[str, Band], Scale, Level | None]
"""One of the plots of an illustration: bands by variant, the y axis, a level."""


def _illustrations(
    records: Records, name: str, what: str, x_label: str, sides: list[Side]
) -> list[Illustration]:
    """Draw an illustration for each panel, all with the same x axis from 0 to the last value.

    name: begins the ids of its plots. what: begins its caption.
    """
    if not sides:
        return []
    last = max(float(each.x[-1]) for bands, *_ in sides for each in bands.values())
    x = scale_for(x_label, [0, last], margin=0)
    empty = [Plot(x, y) for _, y, _ in sides]
    drawn = {variant for bands, *_ in sides for variant in bands}
    illustrations = []
    for index, (title, members) in enumerate(_panels(records, drawn)):
        plots = []
        for side, (bands, _, level) in enumerate(sides):
            lines = [Line(number, variant, series, bands[variant])
                     for number, variant, series in members if variant in bands]  # fmt: skip
            if lines:
                plots.append(line_plot(f"{name}-{index}-{side}", empty[side], lines, level))
        key = [KeyEntry(number, variant, line_swatch(series))
               for number, variant, series in members if variant in drawn]  # fmt: skip
        illustrations.append(Illustration(f"{what}{title}", plots, key))
    return illustrations


def _log_norms(stage: str, run: RunRecord) -> Points:
    """Return logarithms, without norms that are 0 even in floating point."""
    norms = run.gradient_flow.get(stage, [])
    return [(k, math.log(norm)) for k, norm in enumerate(norms) if norm > 0]


def _bands(
    records: Records, curve: Callable[[RunRecord], Points], summary: Summary
) -> dict[str, Band]:
    """Return bands of the runs that have finished, by variant."""
    found = {}
    for variant in records.plan.variants:
        runs = (r for r in records.runs if r.variant == variant.name and r.status == "finished")
        if made := band([curve(run) for run in runs], summary):
            found[variant.name] = made
    return found


def _late(bands: dict[str, Band], far: float) -> list[float]:
    """Return the means an axis should show: not of the first steps, and none that is far off."""
    start = EARLY * max(float(each.x[-1]) for each in bands.values())
    late = [each.middle[(each.x >= start) | (each.x == each.x[-1])] for each in bands.values()]
    limit = far * abs(float(np.median([means.max() for means in late])))
    return [float(mean) for means in late for mean in means if mean <= limit]


def _panels(
    records: Records, drawn: Collection[str]
) -> Iterator[tuple[str, list[tuple[int, str, int]]]]:
    """Cut groups into parts of about the same size that one plot can tell apart.

    Yield what its caption ends in, and (number, variant, series) of its lines: in front the
    reference, as series 0, if it is not one of the others.
    """
    names = [variant.name for variant in records.plan.variants]
    reference = (names.index(records.plan.reference) + 1, records.plan.reference, 0)
    for title, members in grouped(records.plan.variants).items():
        own = [(number, v.name) for number, v in members if v.name in drawn]
        parts = math.ceil(len(own) / SERIES)
        for part in range(parts):
            chosen = own[len(own) * part // parts : len(own) * (part + 1) // parts]
            lines = [(*member, series) for series, member in enumerate(chosen, start=1)]
            if reference[:2] not in chosen:
                lines.insert(0, reference)
            which = f", {part + 1} of {parts}" if parts > 1 else ""
            yield (f": {title}" if title else "") + which, lines


def _mean(records: Records, variant: str, outcome: str) -> Mean | None:
    """Return a mean and its interval on the outcome's own scale."""
    estimate = summarised(records.values(variant, outcome), OUTCOMES[outcome])
    if estimate is None:
        return None
    ends = (estimate.mean, *(estimate.interval or [estimate.mean] * 2))
    return Mean(*(OUTCOMES[outcome].unscaled(end) for end in ends))


def _place(value: Any, span: Range) -> float:
    """Return where a setting's value is on its axis."""
    return float(span.choices.index(value) if span.choices else value)
