"""The plots of a report: learning curves, speed against quality, gradient flow."""

import math
from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import partial

import numpy as np
from markupsafe import Markup

from rnnlab.experiments.outcomes import OUTCOMES
from rnnlab.experiments.records import Points, Records, RunRecord
from rnnlab.experiments.settings import VariantSettings
from rnnlab.report.bands import (
    Band,
    Summary,
    band,
    geometric_range,
    geometric_t_band,
    t_band,
)
from rnnlab.report.line_plot import Line, Rule, line_plot, line_swatch
from rnnlab.report.plot_frame import linear, logarithmic, near
from rnnlab.report.scatter_plot import Mean, Point, marker_swatch, scatter_plot
from rnnlab.report.svg import SERIES
from rnnlab.report.tables import grouped, shown_ngram, summarised

EARLY = 0.05
"""Share of training whose losses may lie outside of the axes."""

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
    """Plots side by side that share a key."""

    title: str
    plots: tuple[Markup, ...]
    key: tuple[KeyEntry, ...]


@dataclass(frozen=True)
class Panel:
    """Variants of a group, as many as one plot tells apart; in front the reference, as series 0."""

    title: str
    members: tuple[tuple[int, VariantSettings, int], ...]
    """Number, variant, series."""

    def lines(self, bands: dict[str, Band]) -> list[Line]:
        """What there is to be drawn of them."""
        return [
            Line(number, variant.name, series, bands[variant.name])
            for number, variant, series in self.members
            if variant.name in bands
        ]

    def key(self, drawn: AbstractSet[str]) -> tuple[KeyEntry, ...]:
        """What their lines look like."""
        return tuple(
            KeyEntry(number, variant.name, line_swatch(series))
            for number, variant, series in self.members
            if variant.name in drawn
        )


def learning_curves(records: Records) -> list[Illustration]:
    """Held-out bits per character, and training perplexity, over epochs."""
    held_out = _bands(records, partial(_curve, "held_out"), t_band)
    training = _bands(records, partial(_curve, "training"), geometric_t_band)
    drawn = held_out.keys() | training.keys()
    if not drawn:
        return []
    ends = [float(each.x[-1]) for bands in (held_out, training) for each in bands.values()]
    epochs = linear("epochs", [0, max(ends)], margin=0)
    ngram = shown_ngram(records)
    rule = Rule(ngram[1], f"{ngram[0]} {ngram[1]:.3f}") if ngram else None
    sides = []
    if held_out:
        bits = [*_late(held_out, FAR_BITS), *([rule.value] if rule else [])]
        sides.append((held_out, linear("held-out bits/character", bits), rule))
    if training:
        scale = logarithmic("training perplexity", _late(training, FAR_PERPLEXITY))
        sides.append((training, scale, None))
    return [
        Illustration(
            panel.title,
            tuple(
                line_plot(f"curves-{index}-{side}", epochs, y, lines, beside)
                for side, (bands, y, beside) in enumerate(sides)
                if (lines := panel.lines(bands))
            ),
            panel.key(drawn),
        )
        for index, panel in enumerate(_panels(records, drawn))
    ]


def gradient_flow(records: Records) -> list[Illustration]:
    """The norm of dL_T/dh_(T-k) over k, before and after training."""
    stages = {s: _bands(records, partial(_log_norms, s), geometric_range) for s in STAGES}
    found = [each for bands in stages.values() for each in bands.values()]
    if not found:
        return []
    drawn = stages["initial"].keys() | stages["trained"].keys()
    steps = linear("time steps back, k", [0, max(float(each.x[-1]) for each in found)], margin=0)
    ends = [float(end) for each in found for end in (each.low.min(), each.high.max())]
    return [
        Illustration(
            panel.title,
            tuple(
                line_plot(
                    f"flow-{index}-{stage}",
                    steps,
                    logarithmic(f"norm of dL(T)/dh(T−k), {STAGES[stage]}", ends),
                    lines,
                )
                for stage, bands in stages.items()
                if (lines := panel.lines(bands))
            ),
            panel.key(drawn),
        )
        for index, panel in enumerate(_panels(records, drawn))
    ]


def speed_and_quality(records: Records) -> Illustration | None:
    """Tokens a second against the first outcome that is no speed.

    None where either is not among the plan's outcomes, or has no figures.
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
    ratio = quality.is_ratio
    scale = logarithmic if ratio else linear
    plot = scatter_plot(
        "speed",
        logarithmic("tokens/s", near([point.x.mean for point in points], log=True)),
        scale(quality.label, near([point.y.mean for point in points], log=ratio), margin=0.08),
        points,
    )
    key = tuple(KeyEntry(p.number, p.name, marker_swatch(p.series)) for p in points)
    return Illustration("", (plot,), key)


def _curve(name: str, run: RunRecord) -> Points:
    return run.curves.get(name, [])


def _log_norms(stage: str, run: RunRecord) -> Points:
    """Logarithms, without those that have vanished even for floating point."""
    norms = run.gradient_flow.get(stage, [])
    return [(k, math.log(norm)) for k, norm in enumerate(norms) if norm > 0]


def _bands(
    records: Records, curve: Callable[[RunRecord], Points], summary: Summary
) -> dict[str, Band]:
    """By variant, of the runs that have finished."""
    found = {}
    for variant in records.plan.variants:
        runs = (r for r in records.runs if r.variant == variant.name and r.status == "finished")
        if made := band([curve(run) for run in runs], summary):
            found[variant.name] = made
    return found


def _late(bands: dict[str, Band], far: float) -> list[float]:
    """Means that an axis is made for: not of the first steps, not those that are far off."""
    start = EARLY * max(float(each.x[-1]) for each in bands.values())
    late = [each.middle[(each.x >= start) | (each.x == each.x[-1])] for each in bands.values()]
    limit = far * abs(float(np.median([means.max() for means in late])))
    return [float(mean) for means in late for mean in means if mean <= limit]


def _panels(records: Records, drawn: AbstractSet[str]) -> Iterator[Panel]:
    """Cut groups into parts that one plot tells apart, of about the same size."""
    numbered = enumerate(records.plan.variants, start=1)
    reference = next((n, v, 0) for n, v in numbered if v.name == records.plan.reference)
    for title, members in grouped(records.plan.variants).items():
        own = [member for member in members if member[1].name in drawn]
        parts = math.ceil(len(own) / SERIES)
        for part in range(parts):
            chosen = own[len(own) * part // parts : len(own) * (part + 1) // parts]
            lines = [(number, variant, i) for i, (number, variant) in enumerate(chosen, start=1)]
            if reference[1] not in [variant for _, variant in chosen]:
                lines.insert(0, reference)
            which = f"{part + 1} of {parts}" if parts > 1 else ""
            yield Panel(", ".join(filter(None, (title, which))), tuple(lines))


def _mean(records: Records, variant: str, outcome: str) -> Mean | None:
    """A mean and its interval, on the outcome's own scale."""
    estimate = summarised(records.values(variant, outcome), OUTCOMES[outcome])
    if estimate is None:
        return None
    ends = (estimate.mean, *(estimate.interval or [estimate.mean] * 2))
    return Mean(*(OUTCOMES[outcome].unscaled(end) for end in ends))
