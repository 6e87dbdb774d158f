"""The runs of a class next to each other: ranked on the same held-out text only."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rnnlab.comparison.groups import decisive
from rnnlab.comparison.handed_in import DEEPEST, HandedIn, HeldOut, find_runs, read_handed_in
from rnnlab.console import counted, listed
from rnnlab.data.streaming_limits import ProgressCallback, no_progress
from rnnlab.errors import RnnlabError, UsageError
from rnnlab.experiments.folder import FILE
from rnnlab.experiments.statistics import Estimate, estimate_mean
from rnnlab.runs.files import RUN_CONFIG


@dataclass(frozen=True)
class ClassRow:
    """A run in the table of its text."""

    run: HandedIn
    place: int
    """From 1, runs of equal figures have the same; 0: it is not ranked."""
    change: Mapping[str, Any]
    """Its settings that differ from the most usual ones on this text; the seed is not one."""


@dataclass(frozen=True)
class Spread:
    """Runs of equal settings and different seeds."""

    change: Mapping[str, Any]
    """As in `ClassRow`."""
    runs: tuple[HandedIn, ...]
    estimate: Estimate
    """Of bits per character, with a t interval over seeds."""
    biased: int
    """Runs of these settings that diverged or have not ended, and are left out."""


@dataclass(frozen=True)
class ClassText:
    """The runs of one held-out text, the best first; or those without one."""

    held_out: HeldOut | None
    """Of the first run; None: nothing was held out."""
    usual: Mapping[str, Any]
    """The most usual settings."""
    rows: tuple[ClassRow, ...]
    spreads: tuple[Spread, ...]

    @property
    def students(self) -> list[str]:
        """Those who have a run here."""
        return sorted({row.run.student for row in self.rows})

    @property
    def ahead(self) -> list[str]:
        """The students with a run that is ahead of the n-gram."""
        held_out = ((row.run.student, row.run.held_out) for row in self.rows)
        return sorted({student for student, own in held_out if own and own.is_ahead})


@dataclass(frozen=True)
class ClassOverview:
    """All runs of a class."""

    name: str
    """Of the folder."""
    texts: tuple[ClassText, ...]
    """Those with most runs first, what has nothing held out last."""
    warnings: tuple[str, ...]
    unread: Mapping[str, str]
    """Why runs could not be read, by student and run."""

    @property
    def runs(self) -> list[HandedIn]:
        """All that could be read."""
        return [row.run for text in self.texts for row in text.rows]

    @property
    def extent(self) -> str:
        """How many students, runs and texts there are."""
        students = len({run.student for run in self.runs})
        texts = len([text for text in self.texts if text.held_out])
        return ", ".join(
            (
                counted(students, "student"), counted(len(self.runs), "run"),
                counted(texts, "held-out text"),
            )
        )  # fmt: skip


def read_class(folder: Path, watch: ProgressCallback = no_progress) -> ClassOverview:
    """Read all runs below a folder, each in a folder of its student, and ask the doctor about each.

    watch: is told each run, and the share of all that is read.

    Raises UsageError if it is not a folder, is a run itself, or has no run in it.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder} {'is not a folder' if folder.exists() else 'does not exist'}")
    if (folder / RUN_CONFIG).is_file():
        raise UsageError(
            f"{folder} is a run directory; give the folder in which the folders of students are, "
            "or --template lab-report"
        )
    paths = list(find_runs(folder))
    if not paths:
        raise UsageError(
            f"{folder} is neither the folder of an experiment, it has no {FILE}, nor that of a "
            f"class: no folder in it, up to {DEEPEST} levels deep, is a run directory"
        )
    runs, unread = list[HandedIn](), dict[str, str]()
    for number, path in enumerate(paths):
        title = path.relative_to(folder).as_posix()
        watch(title, number / len(paths))
        try:
            runs.append(read_handed_in(path, folder))
        except RnnlabError as error:
            unread[title] = str(error).replace(str(path), title)
    return class_overview(folder.resolve().name, runs, unread)


def class_overview(
    name: str, runs: Sequence[HandedIn], unread: Mapping[str, str] | None = None
) -> ClassOverview:
    """Put runs that have been read next to each other."""
    by_text: dict[str, list[HandedIn]] = {}
    for run in runs:
        by_text.setdefault(run.held_out.key if run.held_out else "", []).append(run)
    ordered = sorted(by_text.items(), key=lambda item: (not item[0], -len(item[1])))
    texts = tuple(_text(own) for _, own in ordered)
    warnings = (*_copies(runs), *_training_only(by_text.get("", [])), *_edited(runs))
    return ClassOverview(name, texts, warnings, dict(unread or {}))


def _text(runs: Sequence[HandedIn]) -> ClassText:
    settings = [decisive(run.own) for run in runs]
    usual = {name: _most_usual([own[name] for own in settings]) for name in settings[0]}
    changes = [{n: v for n, v in own.items() if v != usual[n]} for own in settings]
    bits = [run.held_out.bits_per_character if run.held_out else math.nan for run in runs]
    rows = [
        ClassRow(run, 1 + sum(other < own for other in bits) if run.held_out else 0, change)
        for run, own, change in zip(runs, bits, changes, strict=True)
    ]
    rows.sort(key=lambda row: (row.place, row.run.title))
    return ClassText(runs[0].held_out, usual, tuple(rows), tuple(_spreads(rows)))


def _most_usual(values: Sequence[Any]) -> Any:
    """Return the value that most runs have; of equally many, the first."""
    counts = Counter(map(repr, values))
    most = max(counts.values())
    return next(value for value in values if counts[repr(value)] == most)


def _spreads(rows: Sequence[ClassRow]) -> list[Spread]:
    """Return the groups of equal settings with two seeds or more; a training counts once."""
    groups: dict[str, list[ClassRow]] = {}
    for row in rows:
        groups.setdefault(repr(row.change), []).append(row)
    found = []
    for own in groups.values():
        by_seed: dict[int, HandedIn] = {}
        for row in own:
            held_out = row.run.held_out
            if held_out and not row.run.end and math.isfinite(held_out.bits_per_character):
                by_seed.setdefault(row.run.seed, row.run)
        if len(by_seed) > 1:
            runs = tuple(by_seed[seed] for seed in sorted(by_seed))
            bits = [run.held_out.bits_per_character for run in runs if run.held_out]
            biased = sum(bool(row.run.end) for row in own)
            found.append(Spread(own[0].change, runs, estimate_mean(bits), biased))
    return sorted(found, key=lambda spread: spread.estimate.mean)


def _copies(runs: Sequence[HandedIn]) -> list[str]:
    """Warn of runs that have the same weights, to the last bit."""
    by_weights: dict[str, list[HandedIn]] = {}
    for run in runs:
        if run.weights:
            by_weights.setdefault(run.weights, []).append(run)
    return [_about_copies(own) for own in by_weights.values() if len(own) > 1]


def _about_copies(runs: Sequence[HandedIn]) -> str:
    names = listed([run.title for run in runs])
    start = f"{names} have the same weights, to the last bit"
    settings = {repr((decisive(run.own), run.seed)) for run in runs}
    if len(settings) > 1:
        return f"{start}, though their settings say otherwise: they are copies, and were edited."
    if len({run.seconds for run in runs}) < len(runs):
        return f"{start}, and took the same time, to the last digit: they are copies of one run."
    return (
        f"{start}. They have the same settings and the same seed, which gives the same weights on "
        "machines of one kind: one training, done more than once."
    )


def _training_only(runs: Sequence[HandedIn]) -> list[str]:
    """Warn of runs whose only figure is one of the training text."""
    own = [run.title for run in runs if run.training_perplexity is not None]
    if not own:
        return []
    have = "have" if len(own) > 1 else "has"
    return [
        f"{listed(own)} {have} a figure of the training text only: nothing was held out, or it was "
        "not evaluated. It says how much was learned by heart, and cannot be ranked."
    ]


def _edited(runs: Sequence[HandedIn]) -> list[str]:
    return [f"{run.title}: {notice}." for run in runs for notice in run.notices]
