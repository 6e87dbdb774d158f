"""All that a report says, in its order and in words; how it looks is for others to decide."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from rnnlab.experiments.records import Records, RunRecord
from rnnlab.experiments.statistics import LEVEL
from rnnlab.experiments.verdicts import ClaimVerdict, Verdict
from rnnlab.report import captions
from rnnlab.report.formatting import counted, listed, span
from rnnlab.report.protocol import ProtocolRows, base_settings, budget, machine, protocol
from rnnlab.report.tables import OutcomeTable, is_ranked, outcome_table

VERDICTS: tuple[Verdict, ...] = ("supported", "contradicted", "not shown")


@dataclass(frozen=True)
class Section:
    """What a report shows beside its own sections; both are taken as they are, not escaped."""

    title: str
    html: str
    markdown: str


@dataclass(frozen=True)
class Sample:
    """What a variant wrote."""

    number: int
    variant: str
    seed: int
    texts: tuple[tuple[str, str], ...]
    """Phrase, and how it went on."""


@dataclass(frozen=True)
class Unfinished:
    """Runs of a variant that have no figures, for one reason."""

    variant: str
    seeds: str
    status: str
    reason: str


@dataclass(frozen=True)
class Content:
    """A report."""

    title: str
    question: str
    extent: str
    """How many runs, and how they ended."""
    warning: str
    """What keeps the whole report from being taken seriously; empty where nothing does."""
    verdicts: Sequence[ClaimVerdict]
    tally: str
    """How many claims have which verdict."""
    illustrated: bool
    """Whether there is anything to draw."""
    table: OutcomeTable
    remarks: tuple[str, ...]
    """How to read the table."""
    samples: tuple[Sample, ...]
    samples_caption: str
    """What the samples are, or why there are none; empty where none were asked for."""
    unfinished: tuple[Unfinished, ...]
    protocol: ProtocolRows
    machine: ProtocolRows
    base_settings: list[tuple[str, str, bool]]
    command: str
    sections: Sequence[Section]


def gather(
    records: Records, verdicts: Sequence[ClaimVerdict], sections: Sequence[Section] = ()
) -> Content:
    """Bring records and verdicts into the order in which they are read."""
    plan = records.plan
    table = outcome_table(records)
    samples = tuple(_samples(records))
    finished = any(run.status == "finished" for run in records.runs)
    return Content(
        title=plan.settings.title or plan.name,
        question=plan.settings.question,
        extent=_extent(records),
        warning=_warning(records),
        verdicts=verdicts,
        tally=_tally(records, verdicts),
        illustrated=finished,
        table=table,
        remarks=tuple(_remarks(records, table, paired=bool(verdicts))),
        samples=samples,
        samples_caption=_samples_caption(samples, asked=finished and bool(plan.settings.phrases)),
        unfinished=tuple(_unfinished(records.runs)),
        protocol=protocol(records, verdicts),
        machine=machine(records),
        base_settings=base_settings(records),
        command=records.command,
        sections=sections,
    )


def _extent(records: Records) -> str:
    plan = records.plan
    statuses = Counter(run.status for run in records.runs)
    finished = statuses.pop("finished", 0)
    parts = [f"{finished:,} finished", *(f"{n:,} {status}" for status, n in statuses.items())]
    return (
        f"{counted(len(plan.variants), 'variant')}, {counted(len(plan.settings.seeds), 'seed')} "
        f"each; {counted(len(records.runs), 'run')}: {', '.join(parts)}"
    )


def _warning(records: Records) -> str:
    if "--quick" in records.command.split():
        extent = f"{counted(len(records.plan.settings.seeds), 'seed')}, {budget(records)}"
        return f"Quick version: {extent}, to see that it works; draw no conclusions."
    left = sum(not run.has_ended for run in records.runs)
    if left and not records.plan.settings.search:
        return (
            f"Interim: {left:,} of {counted(len(records.runs), 'run')} are still to be made. The "
            "5% are promised for the verdicts with all of them, looked at once."
        )
    if len(records.looks) > 1:  # no correction of the verdicts covers it
        first, *others = (f"{count}" for count in records.looks)
        return (
            f"Looked at more than once: verdicts were made with {first} seeds, then with "
            f"{listed(others)}. The 5% hold only for a number of seeds that is fixed beforehand."
        )
    return ""


def _tally(records: Records, verdicts: Sequence[ClaimVerdict]) -> str:
    what = "claim" if records.plan.settings.claim else "comparison"
    counts = Counter(claim.verdict for claim in verdicts)
    words = [f"{counts[verdict]} {verdict}" for verdict in VERDICTS if counts[verdict]]
    return f"{counted(len(verdicts), what)}: {', '.join(words)}." if verdicts else ""


def _remarks(records: Records, table: OutcomeTable, *, paired: bool) -> list[str]:
    settings = records.plan.settings
    timed = any(column.timed for column in table.columns)
    apart = timed and records.times_apart
    several = len(settings.seeds) > 1
    remarks = []
    over = [("over the seeds", several), ("of speed over the rounds of its measurement", apart)]
    if several or apart:
        where = listed([words for words, there in over if there])
        remarks.append(f"Means ± half a 95% t interval, {where}.")
    if not several:
        remarks.append("One seed: nothing is known of how much the figures vary with it.")
    ratios = [column.label for column in table.columns if column.is_ratio]
    if ratios and (several or apart):
        remarks.append(
            f"Of {listed(ratios)} the mean is geometric and the interval relative; "
            "×/÷ says by which factor it reaches up and down."
        )
    if paired and (several or apart):
        remarks.append(
            "Each interval is of one variant by itself, while verdicts compare pairs: variants "
            "whose intervals overlap may still be shown to differ."
        )
    if timed and not apart:
        remarks.append(captions.SHARED)
    if apart and not records.timings:
        remarks.append("Speed is measured when all runs have ended, and has not been yet.")
    remarks += _about_marks(records, table)
    if is_ranked(records):
        remarks.append(f"Rows stand in the order of {table.columns[0].label}, the best first.")
    if any(variant.reported for variant in records.plan.variants):
        source = f": {settings.source.rstrip('.')}" if settings.source else ""
        remarks.append(f"Figures that are called reported come from elsewhere{source}.")
    if any(title == "Baselines" for title, _ in table.groups):
        remarks.append("Baselines learn from the same training text and are measured on the same "
                       "held-out text.")  # fmt: skip
    return remarks


def _about_marks(records: Records, table: OutcomeTable) -> list[str]:
    """What bold means, and which variants it does not speak of."""
    if not table.has_best():
        return ["In no column is one variant shown to be better than every other: none is marked."]
    marks = (
        "Bold: the best of its column, marked only where paired t tests show it to be better than "
        f"every other variant; the marks have a level of {LEVEL:.0%} of their own, corrected for "
        "the number of variants and columns, that is no part of the claims'."
    )
    if all(run.status == "finished" for run in records.runs):
        return [marks]
    return [
        marks,
        "Variants with runs that did not finish are compared on the seeds they have, those without "
        "any figure not at all.",
    ]


def _samples(records: Records) -> list[Sample]:
    phrases = records.plan.settings.phrases
    samples = []
    for index, variant in enumerate(records.plan.variants, start=1):
        run = next((r for r in records.runs if r.variant == variant.name and r.texts), None)
        if run:
            texts = tuple(_after(phrase, t) for phrase, t in zip(phrases, run.texts, strict=False))
            samples.append(Sample(index, variant.name, run.seed, texts))
    return samples


def _samples_caption(samples: tuple[Sample, ...], *, asked: bool) -> str:
    if samples:
        return captions.SAMPLES
    return captions.NOT_KEPT if asked else ""


def _after(phrase: str, text: str) -> tuple[str, str]:
    """A text that begins with its phrase, in two; one that reads it otherwise, as a whole."""
    return (phrase, text[len(phrase) :]) if text.startswith(phrase) else ("", text)


def _unfinished(runs: Sequence[RunRecord]) -> list[Unfinished]:
    seeds: dict[tuple[str, str, str], list[int]] = {}
    for run in runs:
        if run.status != "finished":
            seeds.setdefault((run.variant, run.status, run.reason), []).append(run.seed)
    return [
        Unfinished(variant, span(own), status, reason)
        for (variant, status, reason), own in seeds.items()
    ]
