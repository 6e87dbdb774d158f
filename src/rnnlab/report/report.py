"""All that a report says, in the order in which it is read."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from rnnlab.console import counted
from rnnlab.experiments.comparison import ClaimVerdict, Verdict
from rnnlab.experiments.evidence import text_word
from rnnlab.experiments.records import Records, RunRecord
from rnnlab.report import explanations
from rnnlab.report.formatting import span
from rnnlab.report.outcome_table import OutcomeTable, outcome_table
from rnnlab.report.protocol_section import ProtocolRows, base_settings, machine, protocol
from rnnlab.report.search_section import SearchSection, search_section
from rnnlab.report.texts_section import TextsSection, texts_section

VERDICTS: tuple[Verdict, ...] = ("supported", "contradicted", "not shown")


@dataclass(frozen=True)
class Sample:
    """How a variant continues the phrases."""

    number: int
    variant: str
    seed: int
    texts: tuple[tuple[str, str], ...]
    """(phrase, continuation); the phrase is empty if the model read it differently."""

    @property
    def lines(self) -> list[str]:
        """Each phrase with its continuation."""
        return [phrase + continuation for phrase, continuation in self.texts]


@dataclass(frozen=True)
class UnfinishedRuns:
    """Runs of one variant that have no figures, all for the same reason."""

    variant: str
    seeds: str
    status: str
    reason: str


@dataclass(frozen=True)
class Report:
    """A report without its figures; both templates show all of it."""

    title: str
    question: str
    extent: str
    """How many runs there are, and how they ended."""
    warning: str
    """Why no conclusions should be drawn from the whole report; empty if there is no reason."""
    verdicts: Sequence[ClaimVerdict]
    tally: str
    """How many claims have which verdict."""
    table: OutcomeTable
    remarks: list[str]
    """How to read the table."""
    has_figures: bool
    texts: TextsSection | None
    search: SearchSection | None
    samples: list[Sample]
    about_samples: str
    """What the samples are, or why there are none; empty if none were asked for."""
    unfinished: list[UnfinishedRuns]
    protocol: ProtocolRows
    machine: ProtocolRows
    settings: list[tuple[str, str, bool]]
    """Settings that all runs share: name, value, whether the experiment's file names it."""
    command: str

    @property
    def settings_lines(self) -> list[str]:
        """The shared settings, first those that the experiment's file names."""
        lines = {named: [f"{n} = {v}" for n, v, own in self.settings if own == named]
                 for named in (True, False)}  # fmt: skip
        return [*lines[True], "", *lines[False]]


def make_report(records: Records, verdicts: Sequence[ClaimVerdict]) -> Report:
    """Gather all that a report says about the records."""
    plan, table = records.plan, outcome_table(records)
    asked_verdicts, verdicts = verdicts, tested(records, verdicts)
    untested = len(asked_verdicts) - len(verdicts)
    samples = _samples(records)
    finished = any(run.status == "finished" for run in records.runs)
    asked = finished and bool(plan.settings.phrases)
    return Report(
        title=plan.settings.title or plan.name,
        question=plan.settings.question,
        extent=_extent(records),
        warning=explanations.warning(records),
        verdicts=verdicts,
        tally=_tally(records, verdicts),
        table=table,
        remarks=explanations.table_remarks(
            records, table, paired=bool(verdicts), untested=untested
        ),
        has_figures=finished,
        texts=texts_section(records, verdicts),
        search=search_section(records) if plan.settings.search else None,
        samples=samples,
        about_samples=explanations.SAMPLES if samples else explanations.NOT_KEPT if asked else "",
        unfinished=_unfinished(records.runs),
        protocol=protocol(records, verdicts),
        machine=machine(records),
        settings=base_settings(records),
        command=records.command,
    )


def tested(records: Records, verdicts: Sequence[ClaimVerdict]) -> Sequence[ClaimVerdict]:
    """Leave out the claims of which one seed cannot show anything."""
    if len(records.plan.settings.seeds) > 1:
        return verdicts
    return [claim for claim in verdicts if any(each.interval for each in claim.compared)]


def _extent(records: Records) -> str:
    plan = records.plan
    statuses = Counter(run.status for run in records.runs)
    finished = statuses.pop("finished", 0)
    parts = [f"{finished:,} finished", *(f"{n:,} {status}" for status, n in statuses.items())]
    texts = f"{counted(len(plan.texts), text_word(plan))}, " if plan.texts else ""
    return (
        f"{counted(len(plan.variants), 'variant')}, {texts}"
        f"{counted(len(plan.settings.seeds), 'seed')} each; {counted(len(records.runs), 'run')}: "
        f"{', '.join(parts)}"
    )


def _tally(records: Records, verdicts: Sequence[ClaimVerdict]) -> str:
    what = "claim" if records.plan.settings.claim else "comparison"
    counts = Counter(claim.verdict for claim in verdicts)
    words = [f"{counts[verdict]} {verdict}" for verdict in VERDICTS if counts[verdict]]
    return f"{counted(len(verdicts), what)}: {', '.join(words)}." if verdicts else ""


def _samples(records: Records) -> list[Sample]:
    """Samples of each variant's first seed that has any."""
    phrases = records.plan.settings.phrases
    samples = []
    for number, variant in enumerate(records.plan.variants, start=1):
        run = next((r for r in records.runs if r.variant == variant.name and r.texts), None)
        if run:
            pairs = zip(phrases, run.texts, strict=False)
            texts = tuple((p, t[len(p) :]) if t.startswith(p) else ("", t) for p, t in pairs)
            samples.append(Sample(number, variant.name, run.seed, texts))
    return samples


def _unfinished(runs: Sequence[RunRecord]) -> list[UnfinishedRuns]:
    seeds: dict[tuple[str, str, str], list[int]] = {}
    for run in runs:
        if run.status != "finished":
            variant = f"{run.variant}, {run.text}" if run.text else run.variant
            seeds.setdefault((variant, run.status, run.reason), []).append(run.seed)
    return [
        UnfinishedRuns(variant, span(own), status, reason)
        for (variant, status, reason), own in seeds.items()
    ]
