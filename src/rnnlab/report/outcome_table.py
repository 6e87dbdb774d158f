"""The table of outcomes: a row a variant, a column an outcome, the best where it is shown."""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from rnnlab.experiments.outcomes import OUTCOMES, Outcome
from rnnlab.experiments.records import Records
from rnnlab.experiments.settings import VariantSettings
from rnnlab.experiments.statistics import LEVEL, Alternative, Estimate, estimate_mean, t_test
from rnnlab.experiments.wording import largest_shown
from rnnlab.report.formatting import assigned, factor_words, number

LARGEST = 700.0
"""Natural logarithm of the largest figure that is shown."""

HELD_OUT = ("held_out_bits_per_character", "best_held_out_bits_per_character")
"""The outcomes that baselines have a figure for."""


@dataclass(frozen=True)
class Cell:
    """A figure, in words."""

    mean: str
    spread: str = ""
    """± half a 95% interval; nothing where one value says nothing of it."""
    notes: tuple[str, ...] = ()
    best: bool = False


@dataclass(frozen=True)
class OutcomeRow:
    """A variant, or a baseline."""

    name: str
    cells: tuple[Cell | None, ...]
    number: int = 0
    """The variant's, all over the report; 0 for a baseline."""
    change: str = ""
    note: str = ""
    runs: str = ""
    """Which runs are missing in its figures, if any."""


@dataclass(frozen=True)
class OutcomeTable:
    """Rows by group, in the plan's order, those of a search or of draws best first; baselines last.

    A variant whose name was made from its changes does not repeat them.
    """

    columns: tuple[Outcome, ...]
    groups: tuple[tuple[str, tuple[OutcomeRow, ...]], ...]

    @property
    def rows(self) -> list[OutcomeRow]:
        """The rows of all groups."""
        return [row for _, rows in self.groups for row in rows]

    @property
    def has_best(self) -> bool:
        """Whether any figure is shown to be the best of its column."""
        return any(cell and cell.best for row in self.rows for cell in row.cells)


def grouped(variants: tuple[VariantSettings, ...]) -> dict[str, list[tuple[int, VariantSettings]]]:
    """Variants with their numbers, by group, both in the order of the file."""
    groups: dict[str, list[tuple[int, VariantSettings]]] = {}
    for index, variant in enumerate(variants, start=1):
        groups.setdefault(variant.group, []).append((index, variant))
    return groups


def outcome_table(records: Records) -> OutcomeTable:
    """Make the table of a plan's outcomes."""
    plan = records.plan
    columns = tuple(OUTCOMES[name] for name in plan.settings.outcomes)
    best = {column.name: shown_best(records, column) for column in columns}
    generated = not plan.settings.variant
    groups = [
        (
            title,
            tuple(
                OutcomeRow(
                    variant.name,
                    tuple(
                        _cell(records, variant, column, best=best[column.name] == variant.name)
                        for column in columns
                    ),
                    index, "" if generated else assigned(variant.change), variant.note,
                    _runs(records, variant.name),
                )
                for index, variant in _in_order(records, members)
            ),
        )
        for title, members in grouped(plan.variants).items()
    ]  # fmt: skip
    rows = tuple(
        OutcomeRow(name, tuple(Cell(figure) if c.name in HELD_OUT else None for c in columns))
        for name, figure in baseline_figures(records).items()
    )
    if rows and any(column.name in HELD_OUT for column in columns):
        groups.append(("Baselines", rows))
    return OutcomeTable(columns, tuple(groups))


def is_ranked(records: Records) -> bool:
    """Whether rows stand in the order of the first outcome: those that nobody put in any."""
    return bool(records.plan.settings.random or records.plan.settings.search)


def summarised(values: Mapping[int, float], outcome: Outcome) -> Estimate | None:
    """Mean and t interval over seeds, of the logarithms where the outcome is compared by ratio."""
    scaled = outcome.scaled(values)
    return estimate_mean(list(scaled.values())) if scaled else None


def shown_best(records: Records, outcome: Outcome) -> str | None:
    """The variant whose outcome is shown to be the best of all, if any.

    Paired t tests against every other variant over the seeds that both have; all of them must give
    p <= LEVEL / (number of others and of columns): that bounds the chance of any false mark in the
    table by LEVEL, though the best is chosen from among many (Bonferroni). A variant that lacks
    figures is not marked, and where another has too few to be compared, none is; one that has none
    at all is not compared.
    """
    plan = records.plan
    scaled = {v.name: outcome.scaled(records.values(v.name, outcome.name)) for v in plan.variants}
    scaled = {name: values for name, values in scaled.items() if values}
    if len(scaled) < 2:
        return None
    sign = 1 if outcome.better == "lower" else -1
    better: Alternative = "less" if outcome.better == "lower" else "greater"
    name = min(scaled, key=lambda n: sign * sum(scaled[n].values()) / len(scaled[n]))
    best = scaled.pop(name)
    if len(best) < _planned(records, outcome):
        return None
    level = LEVEL / ((len(plan.variants) - 1) * len(plan.settings.outcomes))
    for other in scaled.values():
        differences = [best[seed] - other[seed] for seed in best.keys() & other.keys()]
        if len(differences) < 2:
            return None
        if 2 * t_test(differences, alternative=better) > level:
            return None
    return name


def baseline_figures(records: Records) -> dict[str, str]:
    """Held-out bits per character by method; a range where runs were measured on other text."""
    found: dict[str, set[float]] = {}
    for run in records.runs:
        for name, bits in run.baselines.items():
            found.setdefault(name, set()).add(bits)
    ends = {name: (number(min(bits), 3), number(max(bits), 3)) for name, bits in found.items()}
    return {n: low if low == high else f"{low} to {high}" for n, (low, high) in ends.items()}


def _in_order(
    records: Records, members: list[tuple[int, VariantSettings]]
) -> list[tuple[int, VariantSettings]]:
    """Best first where rows are ranked, those without a figure last."""
    if not is_ranked(records):
        return members
    outcome = OUTCOMES[records.plan.settings.outcomes[0]]
    sign = 1 if outcome.better == "lower" else -1

    def rank(member: tuple[int, VariantSettings]) -> float:
        estimate = summarised(records.values(member[1].name, outcome.name), outcome)
        return sign * estimate.mean if estimate else math.inf

    return sorted(members, key=rank)


def shown_ngram(records: Records) -> tuple[str, float] | None:
    """An n-gram's name and figure, where it is one and of the split that learning curves are of.

    That is the validation split; baselines are measured on the test split, where there is one.
    """
    figures = {n: bits for n, bits in baseline_figures(records).items() if n.endswith("-gram")}
    if len(figures) != 1 or any(run.settings.data.split[2] for run in records.plan.runs):
        return None
    ((name, figure),) = figures.items()
    return None if " " in figure else (name, float(figure))


def _cell(
    records: Records, variant: VariantSettings, outcome: Outcome, *, best: bool
) -> Cell | None:
    values = records.values(variant.name, outcome.name)
    estimate = summarised(values, outcome)
    reported = variant.reported.get(outcome.name)
    notes = []
    if estimate and estimate.count < _planned(records, outcome):
        notes.append(f"n = {estimate.count}")
    if reported is not None:
        notes.append(f"reported {number(reported, _decimals(reported, outcome.digits))}")
    if estimate is None:
        return Cell("", notes=tuple(notes)) if notes else None
    value = outcome.unscaled(estimate.mean)
    mean = number(value, outcome.digits)
    spread = ""
    if estimate.half is not None and abs(value) < largest_shown(outcome.digits)[0]:
        half = outcome.unscaled(estimate.half)
        spread = factor_words(half) if outcome.is_ratio else f"± {number(half, outcome.digits)}"
    return Cell(mean, spread, tuple(notes), best)


def _decimals(value: float, most: int) -> int:
    """As many as the value was given with, but no more than `most`."""
    return min(most, len(repr(value).partition(".")[2]))


def _planned(records: Records, outcome: Outcome) -> int:
    if outcome.timed and records.timed_separately:
        return len(records.rounds)
    return len(records.plan.settings.seeds)


def _runs(records: Records, variant: str) -> str:
    statuses = Counter(run.status for run in records.runs if run.variant == variant)
    finished = statuses.pop("finished", 0)
    if not statuses:
        return ""
    others = ", ".join(f"{count} {status}" for status, count in statuses.items())
    return f"{finished} of {finished + statuses.total()} seeds finished; {others}"
