"""The figures of a comparison, each defined once, and what must be equal for it to be compared."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from rnnlab.comparison.groups import Group
from rnnlab.experiments.outcomes import Outcome
from rnnlab.experiments.statistics import estimate_mean
from rnnlab.lm.code_length import Lead

Needs = Literal["text", "tokens", "validation"]
"""What must be equal: the text that is predicted, what a token is, the text of the curves."""

BITS = "held_out_bits_per_character"

NEEDS: dict[str, tuple[Needs, ...]] = {
    BITS: ("text",),
    "held_out_perplexity": ("text", "tokens"),
    "validation_bits_per_character": ("validation",),
    "training_perplexity": ("tokens",),
}
"""Of the figures that have any."""

FIGURES: dict[str, Outcome] = {
    outcome.name: outcome
    for outcome in (
        Outcome(BITS, "held-out bits/character"),
        Outcome("held_out_perplexity", "held-out perplexity", "ratio"),
        Outcome("validation_bits_per_character", "best validation bits/character"),
        Outcome("training_perplexity", "training perplexity", "ratio"),
        Outcome("parameters", "parameters", digits=0),
        Outcome("tokens_trained", "tokens trained on", digits=0),
        Outcome("epochs", "epochs", digits=2),
        Outcome("training_seconds", "training [s]", "ratio", digits=1, timed=True),
        Outcome("tokens_per_second", "tokens/s", "ratio", "higher", 0, timed=True),
    )
}
"""By name, with the outcome that says how it is averaged and written. Perplexity is of tokens."""


@dataclass(frozen=True)
class Value:
    """A figure of a group."""

    mean: float
    """Of the runs: arithmetic, or geometric if compared by ratio."""
    low: float | None = None
    """Of the 95% interval: over seeds, or, of a single model, over texts of the same kind."""
    high: float | None = None


@dataclass(frozen=True)
class FigureRow:
    """One figure of all groups."""

    name: str
    label: str
    digits: int
    values: tuple[Value | None, ...]
    """In the order of the groups; None: not known."""
    is_ratio: bool = False


def figure_rows(
    groups: Sequence[Group], equal: Mapping[Needs, bool], over_text: Mapping[str, Lead]
) -> tuple[FigureRow, ...]:
    """Return the figures that can be compared and that at least one group has.

    equal: what is the same in all. over_text: by name of a group of one model, its bits per
    character with their interval over the text.
    """
    rows = list[FigureRow]()
    for name, outcome in FIGURES.items():
        if all(equal[need] for need in NEEDS.get(name, ())):
            values = tuple(_value(group, outcome, over_text) for group in groups)
            rows.append(FigureRow(name, outcome.label, outcome.digits, values, outcome.is_ratio))
        if name == BITS and equal["text"]:
            rows += _baseline_rows(groups)
    return tuple(row for row in rows if any(row.values))


def _value(group: Group, outcome: Outcome, over_text: Mapping[str, Lead]) -> Value | None:
    found = {number: member.figures[outcome.name] for number, member in enumerate(group.members)
             if outcome.name in member.figures}  # fmt: skip
    scaled = list(outcome.scaled(found).values())
    if not scaled:
        return None
    if outcome.name == BITS and len(group.members) == 1:
        lead = over_text.get(group.name)
        return Value(scaled[0], *((lead.low, lead.high) if lead else ()))
    if len({*found.values()}) == 1:  # also of several seeds, such as their parameters
        return Value(next(iter(found.values())))
    estimate = estimate_mean(scaled)
    ends = () if estimate.interval is None else map(outcome.unscaled, estimate.interval)
    return Value(outcome.unscaled(estimate.mean), *ends)


def _baseline_rows(groups: Sequence[Group]) -> list[FigureRow]:
    """Return what simple methods reach on the same text: a row for each."""

    titles = dict.fromkeys(t for group in groups for m in group.members for t in m.baselines)
    rows = []
    for title in titles:
        found = [next((m.baselines[title] for m in g.members if title in m.baselines), None)
                 for g in groups]  # fmt: skip
        values = tuple(None if bits is None else Value(bits) for bits in found)
        rows.append(FigureRow("baseline", title, 3, values))
    return rows
