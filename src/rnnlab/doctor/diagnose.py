"""Diagnose a run: collect the evidence, then apply every rule to it."""

from collections.abc import Callable, Generator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TypeVar, cast

from rnnlab.console import counted
from rnnlab.data.dataset import Dataset
from rnnlab.doctor.activity import weight_facts
from rnnlab.doctor.diagnosis import Diagnosis, Finding, MissingEvidence
from rnnlab.doctor.evidence import COPIED, Evidence
from rnnlab.doctor.history import History, read_history
from rnnlab.doctor.rules_activity import dead_units, saturated_gates
from rnnlab.doctor.rules_budget import training_too_short
from rnnlab.doctor.rules_curve import batch_too_large, clipping, diverged, overfitting
from rnnlab.doctor.rules_learning import learning_rate_too_low, stuck_at_unigram
from rnnlab.doctor.rules_regularization import regularization_too_strong
from rnnlab.doctor.rules_text import held_out_copies
from rnnlab.doctor.text_levels import text_levels
from rnnlab.engines.threads import using_threads
from rnnlab.errors import (
    CorpusError,
    ModelFolderError,
    RunDirectoryError,
    UntrustedCodeError,
    UsageError,
)
from rnnlab.lm.model_folder import trust_model
from rnnlab.lm.text_model import TextModel
from rnnlab.runs.checksums import WEIGHTS, check_belongs, known
from rnnlab.runs.evaluation import Names, own_texts, say_where, training_data
from rnnlab.runs.files import RESULT, RUN_CONFIG
from rnnlab.runs.loading import load_text_model, what_is_intact
from rnnlab.runs.metrics import check_log
from rnnlab.runs.resume import check_settings
from rnnlab.runs.run import Run
from rnnlab.runs.state_saver import newest_state

T = TypeVar("T")

RULES: dict[str, Callable[[Evidence], Finding | None]] = {
    "diverged": diverged,
    "stuck at the unigram level": stuck_at_unigram,
    "clipping every step": clipping,
    "saturated gates": saturated_gates,
    "dead units": dead_units,
    "overfitting": overfitting,
    "regularization too strong": regularization_too_strong,
    "learning rate too low": learning_rate_too_low,
    "batch too large for the text": batch_too_large,
    COPIED: held_out_copies,
    "training too short": training_too_short,
}
"""By illness. "diverged" comes first: after a divergence the rest of the curve is not judged."""


def diagnose(
    run: Run | str | Path,
    corpus: Names = (),
    validation_corpus: Names = (),
    test_corpus: Names = (),
    *,
    trust_cell: bool = False,
) -> Diagnosis:
    """Say what is wrong with a run, what shows it and what to try; see docs/reference/doctor.md.

    The run may be finished, interrupted, or still going. Rules about gates and units read the
    training text with the last weights; if text or weights are not available, those rules are left
    out and the diagnosis says why.

    corpus, validation_corpus, test_corpus: where the texts of the run are now, if they have moved;
    their checksum must be the same. trust_cell: run the Python file of the run's own cell, if it
    has one; without, the rules about gates and units are left out.

    >>> [finding.illness for finding in rnnlab.diagnose("runs/small").findings]
    ['training too short']

    Raises UsageError if there is no run directory, RunDirectoryError or ModelFolderError if a file
    in it is damaged.
    """
    run = run if isinstance(run, Run) else Run.open(run)
    if trust_cell:
        trust_model(run.directory, "last")
    moved_to = own_texts(corpus, validation_corpus, test_corpus)
    return _diagnose(run, lambda model: training_data(model, moved_to))


def diagnose_trained(directory: Path, dataset: Dataset) -> Diagnosis:
    """Diagnose a run that has just ended, whose text need not be read again; see `diagnose`."""
    return _diagnose(Run(directory), lambda _: dataset)


def _diagnose(run: Run, text_of: Callable[[TextModel], Dataset]) -> Diagnosis:
    return _end_of(diagnose_in_parts(run, text_of))


def evidence_of(run: Run) -> Evidence:
    """Return what the rules look at; raises as `diagnose`."""
    return _end_of(_evidence_in_parts(run, training_data))


def _end_of(parts: Generator[None, None, T]) -> T:
    while True:
        try:
            next(parts)
        except StopIteration as end:
            return cast(T, end.value)


def diagnose_in_parts(
    run: Run, text_of: Callable[[TextModel], Dataset] = training_data
) -> Generator[None, None, Diagnosis]:
    """Diagnose a run, and yield after each piece of work, so that others may compute.

    text_of: gives the training text of the model. Raises as `diagnose`.
    """
    return examine(run.directory, (yield from _evidence_in_parts(run, text_of)))


def _evidence_in_parts(
    run: Run, text_of: Callable[[TextModel], Dataset]
) -> Generator[None, None, Evidence]:
    settings = run.settings
    _check_state(run.directory)
    history = read_history(run.directory, settings)
    yield
    try:
        model = _last_model(run, history.stopped_by)
        yield
        _check_weights(run)
        yield
        dataset = text_of(model)
        yield
    except MissingEvidence as why:
        return Evidence(history, why, why)
    except (CorpusError, UsageError) as error:
        lost = MissingEvidence(f"the training text is not available: {error}; {say_where(model)}")
        return Evidence(history, lost, lost)
    ids = dataset.splits["train"].all_ids
    levels = text_levels(ids, model.tokenizer.size, dataset.copies)
    yield
    with using_threads(1):  # many small operations, for which threads wait longer than they work
        weights = weight_facts(model.model, settings.training.seed, ids)
    return Evidence(history, levels, weights)


def examine(directory: Path, evidence: Evidence) -> Diagnosis:
    """Apply every rule; if the evidence for a rule is missing, leave it out and keep the reason."""
    findings = list[Finding]()
    looked_at, not_asked = list[str](), dict[str, str]()
    for illness, rule in RULES.items():
        try:
            finding = rule(evidence)
        except MissingEvidence as why:
            not_asked[illness] = str(why)
            continue
        looked_at.append(illness)
        if finding:
            findings.append(finding)
            evidence = replace(evidence, found=(*evidence.found, illness))
    state = describe_history(evidence.history)
    notices = evidence.history.notices
    return Diagnosis(str(directory), state, tuple(findings), tuple(looked_at), not_asked, notices)


def describe_history(history: History) -> str:
    """Describe how far the run got, and what ended it."""
    steps, epochs = counted(history.steps, "step"), counted(history.epochs, "epoch")
    done = f"{steps}, {epochs}, {history.progress:.0%} of the budget"
    if not history.stopped_by:
        return f"{done}; no result yet: it is still going, or was killed"
    return f"{done}; ended by {history.stopped_by}"


def _check_weights(run: Run) -> None:
    """Raise RunDirectoryError if the weights are not those that result.json was written with."""
    result = run.result if (run.directory / RESULT).is_file() else {}
    for name in WEIGHTS:
        file = run.directory / name
        try:
            if name in known(result) and file.parent.is_dir() and not file.exists():
                raise RunDirectoryError(f"{file} is gone")
            check_belongs(run.directory, name, result)
        except RunDirectoryError as error:
            ways = what_is_intact(run.directory, file.parent.name)
            raise RunDirectoryError(f"{error}{ways}") from None


def _check_state(directory: Path) -> None:
    """Compare settings and log with the training state, if there is one that this version wrote."""
    try:
        state = newest_state(directory)
    except RunDirectoryError:
        return
    with suppress(ModelFolderError):
        check_settings(directory, state)
        check_log(directory, state.facts.log)


def _last_model(run: Run, stopped_by: str) -> TextModel:
    """Load a run's last weights; after a divergence they may be NaN, which is not damage."""
    folder = run.directory / "checkpoint" / "last"
    if not (folder / "config.json").is_file():
        raise MissingEvidence(
            f"{folder} is gone" if stopped_by else "no checkpoint has been saved yet"
        )
    try:
        model = load_text_model(run.directory, "last")
    except UntrustedCodeError:
        raise MissingEvidence(
            "its cell is Python code, which is only run with --trust-cell"
        ) from None
    except ModelFolderError as error:
        if stopped_by != "divergence":
            raise
        raise MissingEvidence(f"the last weights cannot be used: {error}") from None
    if model.network.settings != run.settings.model:
        raise RunDirectoryError(
            f"{run.directory / RUN_CONFIG} was changed since: its model is not the one in {folder}"
        )
    return model
