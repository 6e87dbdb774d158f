"""A run that somebody else has handed in: what it says of itself, and what the doctor says of it.

Nothing is trained or measured anew, and no code of a run is executed.
"""

import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rnnlab.comparison.held_out import figure_record
from rnnlab.doctor.diagnose import diagnose
from rnnlab.doctor.diagnosis import Diagnosis
from rnnlab.errors import RnnlabError, RunDirectoryError
from rnnlab.files import read_json
from rnnlab.lm.baseline_titles import baseline_title
from rnnlab.lm.code_length import Lead
from rnnlab.runs.checksums import WEIGHTS, known
from rnnlab.runs.effects import effective
from rnnlab.runs.files import RESULT, RUN_CONFIG, settings_of_run

DEEPEST = 5
"""Folders are looked into so many levels below the given one."""

OF_THE_TEXT = (
    "unit", "column", "label_column", "encoding", "errors", "preprocessing", "corpus_limit",
    "canaries", "split", "fold", "split_order", "split_seed", "split_at",
)  # fmt: skip
"""Settings that decide, with the corpus, which text is held out."""

BASELINE = "ngram"


@dataclass(frozen=True)
class HeldOut:
    """What a run has recorded of its held-out text."""

    text: str
    """In words, such as `timemachine, test split`."""
    key: str
    """The same for the same text."""
    context: str
    checkpoint: str
    characters: int
    bits_per_character: float
    """Infinite if some character was impossible."""
    perplexity: float
    baseline: str
    """What the n-gram is called; "" without one."""
    baseline_bits: float
    """NaN without one."""
    lead: Lead | None
    """Over the n-gram; above 0: the run is ahead."""

    @property
    def is_ahead(self) -> bool:
        """Whether the run is ahead of the n-gram."""
        return self.bits_per_character < self.baseline_bits


@dataclass(frozen=True)
class HandedIn:
    """A run."""

    student: str
    """The folder that it lies in, just below the given one."""
    name: str
    """Where it is below that folder; "" if it is that folder."""
    path: Path
    own: Mapping[str, Any]
    """Its settings by name, where those without effect have their defaults."""
    held_out: HeldOut | None
    """None: nothing was held out, or not evaluated."""
    training_perplexity: float | None
    seconds: float | None
    weights: str
    """SHA-256 of its last weights; "" if it is not known."""
    end: str
    """Why it is not a run like any other: it diverged, or has not ended; or ""."""
    finding: str
    """Of the doctor, in brief."""
    notices: tuple[str, ...]
    """What the doctor says of its files."""

    @property
    def title(self) -> str:
        """Student and run."""
        return f"{self.student}/{self.name}" if self.name else self.student

    @property
    def seed(self) -> int:
        """The seed."""
        return int(self.own["seed"])


def find_runs(folder: Path) -> Iterator[Path]:
    """Yield the run directories below a folder in their order; links are not followed."""
    for place, folders, files in os.walk(folder):
        here = Path(place)
        depth = len(here.relative_to(folder).parts)
        if RUN_CONFIG in files and depth:
            folders.clear()
            yield here
            continue
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        if depth >= DEEPEST:
            folders.clear()


def read_handed_in(path: Path, folder: Path) -> HandedIn:
    """Read a run below a folder, and ask the doctor.

    Raises RnnlabError if its settings or its result cannot be read; what the doctor cannot read is
    told in `finding`.
    """
    student, *below = path.relative_to(folder).parts
    own = effective(settings_of_run(path)).flat()
    result = read_json(path / RESULT) if (path / RESULT).is_file() else {}
    try:
        training = dict(result.get("training", {}))
        found = HandedIn(
            student, "/".join(below), path, own, _held_out(result, own),
            _number(training.get("perplexity")), _number(training.get("seconds")),
            str(known(result).get(WEIGHTS[0], "")), _end(training), "", (),
        )  # fmt: skip
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise RunDirectoryError(f"{path / RESULT}: damaged, not what a run writes") from error
    finding, notices = _diagnosed(path)
    return HandedIn(**{**vars(found), "finding": finding, "notices": notices})


def _end(training: Mapping[str, Any]) -> str:
    if not training:
        return "has not ended"
    return "diverged" if training["stopped_by"] == "divergence" else ""


def _held_out(result: Mapping[str, Any], own: Mapping[str, Any]) -> HeldOut | None:
    record = figure_record(result.get("evaluations", []))
    if record is None:
        return None
    ngram = record.get("baselines", {}).get(BASELINE)
    lead = record.get("leads", {}).get(BASELINE)
    text = f"{Path(record['corpus']).name}, {record['split']} split"
    decides = [own[name] for name in OF_THE_TEXT]
    key = repr([record["corpus_sha256"], record["split"], record["characters"], decides])
    return HeldOut(
        text, key, str(record["context"]), str(record["checkpoint"]), int(record["characters"]),
        _figure(record["bits_per_character"]), _figure(record["perplexity"]),
        baseline_title(BASELINE, ngram) if ngram else "",
        _figure(ngram["bits_per_character"]) if ngram else math.nan,
        Lead(*(float(lead[end]) for end in ("bits_per_character", "low", "high")))
        if lead else None,
    )  # fmt: skip


def _figure(value: Any) -> float:
    """Return a figure of a record, in which None stands for infinite."""
    return math.inf if value is None else float(value)


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def _diagnosed(path: Path) -> tuple[str, tuple[str, ...]]:
    try:
        found = diagnose(path)
    except RnnlabError as error:
        return f"not examined: {str(error).replace(f'{path}{os.sep}', '')}", ()
    return _in_brief(found), found.notices


def _in_brief(found: Diagnosis) -> str:
    if found.findings:
        return "; ".join(each.title for each in found.findings)
    number, all_rules = len(found.looked_at), len(found.looked_at) + len(found.not_asked)
    return (
        "healthy" if number == all_rules else f"nothing found, {number} of {all_rules} looked for"
    )
