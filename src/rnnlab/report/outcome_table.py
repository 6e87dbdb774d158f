"""The table of outcomes: a row for each variant, a column for each outcome, the best in bold."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from rnnlab.data.splits import is_held_out
from rnnlab.experiments.feasibility import decisive_differences
from rnnlab.experiments.outcomes import OUTCOMES, Outcome
from rnnlab.experiments.records import Records
from rnnlab.experiments.settings import VariantSettings
from rnnlab.experiments.statistics import LEVEL, Alternative, Estimate, estimate_mean, t_test
from rnnlab.experiments.wording import largest_shown
from rnnlab.lm.baseline_titles import PARTS
from rnnlab.report.formatting import assigned, factor_words, number

HELD_OUT = ("held_out_bits_per_character", "best_held_out_bits_per_character")
"""The outcomes that baselines have a figure for."""

Numbered = tuple[int, VariantSettings]
"""A variant and its number, which is the same all over the report."""


@dataclass(frozen=True)
class Cell:
    """A figure in words."""

    mean: str
    spread: str = ""
    """± half a 95% interval; empty for a single value."""
    notes: tuple[str, ...] = ()
    best: bool = False


@dataclass(frozen=True)
class OutcomeRow:
    """A variant, a part of one, or a baseline."""

    name: str
    cells: tuple[Cell | None, ...]
    number: int = 0
    """0 for a baseline and for a part."""
    change: str = ""
    """What the variant changes; empty if its name was made from that."""
    note: str = ""
    is_part: bool = False
    """Whether this is what a part of the variant above reaches alone."""
    is_text: bool = False
    """Whether this is the variant above on one of several texts."""
    runs: str = ""
    """How many runs finished, if not all did."""


@dataclass(frozen=True)
class OutcomeTable:
    """Rows by group, in the order of the plan or, if ranked, best first; baselines come last."""

    columns: tuple[Outcome, ...]
    groups: tuple[tuple[str, tuple[OutcomeRow, ...]], ...]

    @property
    def rows(self) -> list[OutcomeRow]:
        """The rows of all groups."""
        return [row for _, rows in self.groups for row in rows]

    @property
    def has_parts(self) -> bool:
        """Whether an n-gram model joins the network of any variant."""
        return any(row.is_part for row in self.rows)

    def of_parts(self) -> "OutcomeTable":
        """Return the variants that an n-gram model joins and their parts, held-out figures only."""
        kept = [place for place, column in enumerate(self.columns) if column.name in HELD_OUT]
        rows, variant = list[OutcomeRow](), None
        for row in self.rows:
            if row.is_part:
                rows += [row] if variant is None else [variant, row]
            if not row.is_text:
                variant = None if row.is_part else row
        cut = (replace(row, cells=tuple(row.cells[place] for place in kept)) for row in rows)
        return OutcomeTable(tuple(self.columns[place] for place in kept), (("", tuple(cut)),))

    @property
    def has_best(self) -> bool:
        """Whether any figure is shown to be the best of its column."""
        return any(cell and cell.best for row in self.rows for cell in row.cells)


def outcome_table(records: Records) -> OutcomeTable:
    """Make the table of a plan's outcomes."""
    plan = records.plan
    columns = shown_outcomes(records)
    best = {column: shown_best(records, column) for column in columns}

    def row(number: int, variant: VariantSettings) -> OutcomeRow:
        cells = (_cell(records, variant, c, best=best[c] == variant.name) for c in columns)
        change = assigned(variant.change) if plan.settings.variant else ""
        runs = _unfinished(records, variant.name)
        return OutcomeRow(variant.name, tuple(cells), number, change, variant.note, runs=runs)

    def with_parts(number: int, variant: VariantSettings) -> list[OutcomeRow]:
        parts = _part_rows(records, variant.name, columns)
        return [row(number, variant), *parts, *_text_rows(records, variant, columns)]

    groups = [
        (
            title,
            tuple(r for member in _in_order(records, members) for r in with_parts(*member)),
        )
        for title, members in grouped(plan.variants).items()
    ]
    baselines = tuple(
        OutcomeRow(name, tuple(Cell(figure) if c.name in HELD_OUT else None for c in columns))
        for name, figure in baseline_figures(records).items()
    )
    if baselines and any(column.name in HELD_OUT for column in columns):
        groups.append(("Baselines", baselines))
    return OutcomeTable(columns, tuple(groups))


def shown_outcomes(records: Records) -> tuple[Outcome, ...]:
    """Return the outcomes that the file asks for, then the others that its claims test."""
    plan = records.plan
    tested = [each.outcome for claim in plan.claims for each in claim.comparison]
    return tuple(OUTCOMES[name] for name in dict.fromkeys([*plan.settings.outcomes, *tested]))


def grouped(variants: tuple[VariantSettings, ...]) -> dict[str, list[Numbered]]:
    """Return variants by group, both in the order of the file."""
    groups: dict[str, list[Numbered]] = {}
    for index, variant in enumerate(variants, start=1):
        groups.setdefault(variant.group, []).append((index, variant))
    return groups


def is_ranked(records: Records) -> bool:
    """Whether rows are sorted by the first outcome: if nobody wrote the variants in an order."""
    return bool(records.plan.settings.random or records.plan.settings.search)


def summarised(values: Mapping[int, float], outcome: Outcome) -> Estimate | None:
    """Return mean and t interval on the scale of `Outcome.scaled`; None without usable values."""
    scaled = outcome.scaled(values)
    return estimate_mean(list(scaled.values())) if scaled else None


def shown_best(records: Records, outcome: Outcome) -> str | None:
    """Return the variant whose outcome is shown to be the best of all; None if there is none.

    Paired t tests against every other variant over the seeds that both have; all of them must give
    p <= LEVEL / (number of others and of columns): that bounds the chance of any false mark in the
    table by LEVEL, though the best is chosen from among many (Bonferroni). A variant that lacks
    figures is not marked. If another has too few to be compared, none is marked; one without any
    figures is not compared. None is marked if figures are not comparable, as those per token of
    different tokens.
    """
    plan = records.plan
    data = [plan.variant_settings(variant.name).data for variant in plan.variants]
    if any(decisive_differences(outcome.name, data[0], other) for other in data):
        return None
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
    level = LEVEL / ((len(plan.variants) - 1) * len(shown_outcomes(records)))
    for other in scaled.values():
        differences = [best[seed] - other[seed] for seed in best.keys() & other.keys()]
        if len(differences) < 2 or 2 * t_test(differences, alternative=better) > level:
            return None
    return name


def baseline_figures(records: Records) -> dict[str, str]:
    """Return held-out bits per character by method; a range if runs have different texts."""
    found: dict[str, set[float]] = {}
    for run in records.runs:
        for name, bits in run.baselines.items():
            found.setdefault(name, set()).add(bits)
    ends = {name: (number(min(bits), 3), number(max(bits), 3)) for name, bits in found.items()}
    return {n: low if low == high else f"{low} to {high}" for n, (low, high) in ends.items()}


def shown_ngram(records: Records) -> tuple[str, float] | None:
    """Return name and figure of the n-gram for the plots; None if it has no single figure there.

    Learning curves are of the validation split, baselines of the test split if there is one.
    """
    figures = {n: bits for n, bits in baseline_figures(records).items() if "-gram" in n}
    if len(figures) != 1 or any(
        is_held_out(run.settings.data, "test") for run in records.plan.runs
    ):
        return None
    ((name, figure),) = figures.items()
    return None if " " in figure else (name, float(figure))


def _in_order(records: Records, members: list[Numbered]) -> list[Numbered]:
    """Sort ranked rows, the best first and those without a figure last."""
    if not is_ranked(records):
        return members
    outcome = OUTCOMES[records.plan.settings.outcomes[0]]
    sign = 1 if outcome.better == "lower" else -1

    def rank(member: Numbered) -> float:
        estimate = summarised(records.values(member[1].name, outcome.name), outcome)
        return sign * estimate.mean if estimate else math.inf

    return sorted(members, key=rank)


def _cell(
    records: Records, variant: VariantSettings, outcome: Outcome, *, best: bool
) -> Cell | None:
    estimate = summarised(records.values(variant.name, outcome.name), outcome)
    reported = variant.reported.get(outcome.name)
    notes = []
    if estimate and estimate.count < _planned(records, outcome):
        notes.append(f"n = {estimate.count}")
    if reported is not None:
        given = len(repr(reported).partition(".")[2])  # decimals
        notes.append(f"reported {number(reported, min(outcome.digits, given))}")
    if estimate is None:
        return Cell("", notes=tuple(notes)) if notes else None
    mean = outcome.unscaled(estimate.mean)
    spread = ""
    if estimate.half is not None and abs(mean) < largest_shown(outcome.digits)[0]:
        half = outcome.unscaled(estimate.half)
        spread = factor_words(half) if outcome.is_ratio else f"± {number(half, outcome.digits)}"
    return Cell(number(mean, outcome.digits), spread, tuple(notes), best)


def _part_rows(
    records: Records, variant: str, columns: tuple[Outcome, ...]
) -> Iterator[OutcomeRow]:
    """Yield a row for each part of a variant that an n-gram model joins."""
    for part, title in PARTS.items():
        cells = []
        for column in columns:
            found = summarised(records.part_values(variant, column.name, part), column)
            cells.append(_figure(found, column) if found else None)
        if any(cells):
            yield OutcomeRow(f"its {title} alone", tuple(cells), is_part=True)


def _text_rows(
    records: Records, variant: VariantSettings, columns: tuple[Outcome, ...]
) -> Iterator[OutcomeRow]:
    """Yield a row for each of several texts."""
    plain = variant.model_copy(update={"reported": {}})
    for name, on in records.on_texts.items():
        cells = tuple(_cell(on, plain, column, best=False) for column in columns)
        yield OutcomeRow(name, cells, is_text=True)


def _figure(estimate: Estimate, outcome: Outcome) -> Cell:
    half = "" if estimate.half is None else f"± {number(estimate.half, outcome.digits)}"
    return Cell(number(estimate.mean, outcome.digits), half)


def _planned(records: Records, outcome: Outcome) -> int:
    """Return how many values of an outcome a variant has if nothing is missing."""
    if outcome.timed and records.timed_separately:
        return len(records.rounds)
    return len(records.plan.settings.seeds)


def _unfinished(records: Records, variant: str) -> str:
    statuses = Counter(run.status for run in records.runs if run.variant == variant)
    finished = statuses.pop("finished", 0)
    if not statuses:
        return ""
    others = ", ".join(f"{count} {status}" for status, count in statuses.items())
    what = "runs" if records.plan.texts else "seeds"
    return f"{finished} of {finished + statuses.total()} {what} finished; {others}"
