"""How a run is resumed: its settings are found, and its trainer and files restored from a state."""

import math
from contextlib import suppress
from pathlib import Path

from rnnlab.cells.registry import is_pinned, pin
from rnnlab.config import EARLIER, Settings
from rnnlab.config.settings import read_toml
from rnnlab.console import counted
from rnnlab.errors import RunDirectoryError, RunEndedError, UsageError
from rnnlab.files import check_not_special, read_json, truncate_log, write_atomically
from rnnlab.lm.cell_file import check_cell, same_cell, trust_cell
from rnnlab.lm.train import NO_NEW_BEST
from rnnlab.lm.training_state import put_state
from rnnlab.runs.files import (
    CURVES,
    METRICS,
    RESULT,
    RUN_CONFIG,
    SAMPLES,
    read_metrics,
    settings_of_run,
    state_files,
)
from rnnlab.runs.identity import check_same_run, why_bits_may_differ
from rnnlab.runs.loading import larger_budget
from rnnlab.runs.metrics import LogFacts, check_log
from rnnlab.runs.state_saver import SavedState, foreign_state, newest_state
from rnnlab.runs.writer import RunWriter

MOVE_AWAY = "; move it away to go on without it"
"""Advice for a damaged log."""

WRITTEN_ANEW = "delete it, and --resume will write it again from the training state"
"""Advice for a damaged `RUN_CONFIG`."""

BUDGET_UNITS = {"num_epochs": "epochs", "max_tokens": "tokens", "max_seconds": "seconds"}


def settings_to_resume(directory: Path) -> Settings:
    """Return a run's settings from `RUN_CONFIG` or, if that is lost, from its newest state.

    Raises UsageError or RunDirectoryError if neither has them, ModelFolderError if this version of
    rnnlab did not write the state.
    """
    states = state_files(directory)
    if states and not (directory / RUN_CONFIG).exists():
        return Settings.from_flat(
            {**EARLIER, **newest_state(directory).facts.about.flat()}, str(states[0])
        )
    try:
        return settings_of_run(directory)
    except UsageError as error:
        if not states:
            raise
        raise UsageError(f"{error}; {WRITTEN_ANEW}") from None


def with_cell_of_run(
    settings: Settings, before: Settings, directory: Path, *, trust: bool
) -> Settings:
    """Return settings with the cell that a run was started with; `before`: those of the run.

    Its file may be run if the user names it again, or if they trust the copy in the directory.
    Raises UsageError if another one is named, UntrustedCodeError if none of both is the case.
    """
    was, given = before.model.cell, settings.model.cell
    if given != was and is_pinned(was):
        same_cell(pin(given), was, directory)
    if trust:
        trust_cell(directory, was)
    check_cell(directory, was, RunDirectoryError)
    return settings.with_changes(cell=was) if is_pinned(was) else settings


def mend_settings(directory: Path, state: SavedState, settings: Settings) -> None:
    """Write `RUN_CONFIG` if it is lost; raise RunDirectoryError if a part of it is."""
    file = directory / RUN_CONFIG
    if not file.exists():
        write_atomically(file, settings.to_toml().encode())
    check_settings(directory, state)


def check_settings(directory: Path, state: SavedState) -> None:
    """Raise RunDirectoryError if `RUN_CONFIG` has lost a setting; its default would be used."""
    file = directory / RUN_CONFIG
    there = read_toml(file)
    if lost := [name for name in state.facts.about.flat() if name not in there]:
        raise RunDirectoryError(f"{file}: damaged, it has no {lost[0]}; {WRITTEN_ANEW}")


def restore(writer: RunWriter, state: SavedState) -> list[str]:
    """Put a run's trainer and files back to where they were when a state was saved.

    Returns notices for people. Raises UsageError and ChecksumError as `check_same_run` does, and
    UsageError for another budget of which more is used up already,
    ModelFolderError if the state does not fit the model, RunEndedError if nothing is left to do.
    Nothing is written before all checks have passed.
    """
    directory, trainer, facts = writer.directory, writer.trainer, state.facts
    _check_logs(directory, facts.log)
    check_same_run(facts.about, writer.identity, directory)
    put_state(trainer, state.tensors, facts.trainer)
    trainer.update_progress()
    _check_budgets(writer)
    _check_not_ended(writer)
    try:
        writer.checkpoints.restore(state.tensors, evaluated=math.isfinite(trainer.best_nats))
    except ValueError as error:
        raise foreign_state(directory, str(error)) from None
    notices = [*state.notices, *_restore_logs(writer, state)]
    writer.states.restore(facts.saving)
    writer.resumed_at = [*facts.resumed_at, trainer.step]
    writer.bits_may_differ = list(facts.bits_may_differ)
    if why := why_bits_may_differ(facts.about, writer.identity):
        writer.bits_may_differ.append(f"from step {trainer.step:,} on {why}")
    for file in state.damaged:
        file.unlink()
    for name in (RESULT, CURVES):  # of an earlier end
        (directory / name).unlink(missing_ok=True)
    writer.write_settings()
    return [*notices, *writer.bits_may_differ]


def _check_logs(directory: Path, log: LogFacts) -> None:
    """Raise RunDirectoryError for damage in a log, which training would append to."""
    check_not_special(directory / SAMPLES, RunDirectoryError, MOVE_AWAY)
    try:
        read_metrics(directory)
        check_log(directory, log)
    except RunDirectoryError as error:
        raise RunDirectoryError(f"{error}{MOVE_AWAY}") from None


def _restore_logs(writer: RunWriter, state: SavedState) -> list[str]:
    """Cut off what was written to the logs after the state; return a notice for what they lack."""
    metrics, samples = writer.directory / METRICS, writer.directory / SAMPLES
    complete = {
        metrics: writer.log.restore(state.facts.log, min(1.0, writer.trainer.progress)),
        samples: truncate_log(samples, state.facts.samples_bytes),
    }
    return [
        f"{file} is shorter than it was when training was interrupted, so lines are missing in it"
        for file, is_complete in complete.items()
        if not is_complete
    ]


def _check_budgets(writer: RunWriter) -> None:
    """Raise UsageError if a budget was changed to one with which nothing is left to do."""
    file = writer.directory / RUN_CONFIG
    before = read_toml(file) if file.is_file() else {}
    for name, share in writer.trainer.shares_used().items():
        given = getattr(writer.settings.training, name)
        if share >= 1 and given != before.get(name, given):
            used = math.ceil(100 * share * given) / 100
            raise UsageError(
                f"{name} must be more than the {used:,.10g} {BUDGET_UNITS[name]} that were used, "
                f"not {given:g}"
            )


def _check_not_ended(writer: RunWriter) -> None:
    """Raise RunEndedError if training has ended here and everything that follows it is done."""
    trainer, training = writer.trainer, writer.settings.training
    if not _is_complete(writer.directory, trainer.step):
        return
    ended = f"{writer.directory} has ended"
    if trainer.progress >= 1:
        used = [name for name, share in trainer.shares_used().items() if share >= 1]
        given = [f"{name} = {getattr(training, name):g}" for name in used]
        raise RunEndedError(
            f"{ended}: its budget of {' and '.join(given)} is used up; give a larger one to go on, "
            f"such as {larger_budget(training, used)}"
        )
    if trainer.is_out_of_patience:
        raise RunEndedError(
            f"{ended}: {NO_NEW_BEST} {counted(trainer.since_best, 'evaluation')}; give a larger "
            "--patience to go on, or 0 to disable early stopping"
        )


def _is_complete(directory: Path, step: int) -> bool:
    """Whether everything that follows training has been done after this step."""
    with suppress(RunDirectoryError, KeyError, TypeError):
        result = read_json(directory / RESULT)
        return result["complete"] is True and result["training"]["steps"] == step
    return False
