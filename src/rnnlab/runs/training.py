"""A training run from settings to a complete run directory."""

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from rnnlab.config import Settings
from rnnlab.data.corpus import check_readable_again
from rnnlab.engines.threads import using_threads
from rnnlab.errors import (
    CorpusError,
    DivergenceError,
    OutOfMemoryError,
    RunDirectoryError,
    as_out_of_memory,
)
from rnnlab.lm.cell_file import CELL
from rnnlab.lm.model_folder import trust_model
from rnnlab.lm.train import Step
from rnnlab.runs.directory import check_new, lock_run_directory, make_directory, stem_of
from rnnlab.runs.effects import effective
from rnnlab.runs.files import state_files
from rnnlab.runs.given_texts import with_given_text_here
from rnnlab.runs.mirrors import Mirrors, check_mirrors
from rnnlab.runs.preparation import Prepared, prepare
from rnnlab.runs.resume import mend_settings, restore, settings_to_resume, with_cell_of_run
from rnnlab.runs.run import Run
from rnnlab.runs.starting_model import START
from rnnlab.runs.state_saver import SavedState, newest_state
from rnnlab.runs.watcher import Watcher, Watchers
from rnnlab.runs.writer import RunWriter
from rnnlab.signals import stopping_on_signals

StopWhen = Callable[[float, float], str]
"""Given the share of the budget that is used and the held-out bits per character, return why to
stop, or "" to go on."""


def train(
    settings: Settings,
    directory: str | Path | None = None,
    watchers: Iterable[Watcher] = (),
    stop_when: StopWhen | None = None,
    *,
    resume: bool = False,
    given: Collection[str] | None = None,
    trust_cell: bool = False,
) -> Run:
    """Train with `settings` and leave a complete run directory.

    resume: go on in `directory`, where training was interrupted or a smaller budget was used up.
    The result has the bits of a run that was never interrupted. `rnnlab.runs.resume` says which
    settings may differ from those before.
    given: names of settings that stay as they are in a new run; the others are chosen by
    `rnnlab.runs.automatic`. None: nothing is chosen.
    trust_cell: run the Python file of the cell that the run directory, or the model that training
    starts from, holds.
    watchers: are told what happens, after the mirrors in the settings.
    stop_when: called at the `num_evaluations` held-out evaluations. A run that it stops is not
    evaluated further.

    The first Ctrl-C ends training after the current step; the evaluations still follow. The first
    SIGTERM leaves them to a resume, since its sender waits only for seconds. A second signal raises
    KeyboardInterrupt, which says what is kept.

    Raises UsageError, CorpusError, UnavailableError or RunDirectoryError before training begins;
    later DivergenceError, OutOfMemoryError, or RunDirectoryError if the directory can no longer be
    written. The last saved state is kept.
    """
    check_mirrors(settings.machine.mirror)
    everyone = Watchers(Mirrors(), *watchers)
    with using_threads(settings.machine.threads):
        if resume:
            return _resume_run(settings, Path(directory or ""), everyone, stop_when, trust_cell)
        if trust_cell and (start := settings.training.start_from):
            trust_model(Path(start))
        return _new_run(settings, directory, everyone, stop_when, given)


def _new_run(
    settings: Settings,
    directory: str | Path | None,
    watchers: Watchers,
    stop_when: StopWhen | None,
    given: Collection[str] | None,
) -> Run:
    """Train from the first step on, in a new directory."""
    if directory is not None:
        check_new(Path(directory))
    ready = prepare(effective(settings), watchers.reading, given)
    path = make_directory(directory, stem_of(ready.settings))
    with lock_run_directory(path):
        check_new(path)  # again: another process may have begun there meanwhile
        writer = RunWriter(path, ready, watchers.line)
        with watchers, _saying_what_is_kept(writer):
            writer.begin()
            if ready.base:
                ready.base.save(path / START)
            watchers.begin(path, ready)
            return _train_to_the_end(writer, watchers, stop_when)


def _resume_run(
    settings: Settings,
    path: Path,
    watchers: Watchers,
    stop_when: StopWhen | None,
    trust_cell: bool,
) -> Run:
    """Train on from the newest state of a run directory."""
    before = settings_to_resume(path)
    settings = with_cell_of_run(settings, before, path, trust=trust_cell)
    with lock_run_directory(path, "make it writable, or go on in a copy"):
        state = newest_state(path)
        mend_settings(path, state, before)
        ready = _prepare_again(settings, before, state, path, watchers)
        writer = RunWriter(path, ready, watchers.line)
        with watchers, _saying_what_is_kept(writer):
            notices = restore(writer, state)
            watchers.begin(path, ready)
            watchers.resumed(notices)
            return _train_to_the_end(writer, watchers, stop_when)


def _prepare_again(
    settings: Settings, before: Settings, state: SavedState, path: Path, watchers: Watchers
) -> Prepared:
    """Prepare a run whose text was read before; `before`: its settings then."""
    settings = effective(settings, before)
    if settings.data.corpus == before.data.corpus:
        settings = with_given_text_here(settings, path)
        before = with_given_text_here(before, path)
    from_stdin = "-" in settings.data.corpus
    if settings.data.corpus == before.data.corpus and not from_stdin:
        check_readable_again(before.data.corpus)
    for names in settings.data.held_out_names.values():
        check_readable_again(names)
    try:
        start = path / START
        ready = prepare(settings, watchers.reading, copy_of_start=start if start.is_dir() else None)
    except CorpusError as error:
        if not from_stdin:
            raise
        again = f"the text of {path} came from standard input, so give it there again"
        raise CorpusError(f"{error}; {again}") from None
    same_engine = state.facts.about.flat().get("engine") == ready.settings.machine.engine
    return replace(ready, why="as before") if same_engine else ready


def _train_to_the_end(writer: RunWriter, watchers: Watchers, stop_when: StopWhen | None) -> Run:
    """Train, then evaluate and complete the run directory."""
    run = Run(writer.directory)
    given_up = _run_loop(writer, watchers, stop_when)
    writer.close()
    watchers.trained(run.result["training"])
    if writer.trainer.stop_reason != "SIGTERM":
        if not given_up:
            watchers.evaluating(writer.seconds_to_finish())
        run.model = writer.finish(None if given_up else watchers.measuring)
    return run


def _run_loop(writer: RunWriter, watchers: Watchers, stop_when: StopWhen | None) -> str:
    """Run the training loop; return why `stop_when` ended it, or ""."""
    trainer, given_up = writer.trainer, ""
    try:
        with stopping_on_signals(trainer.stop):
            for event in trainer.run():
                if isinstance(event, Step):
                    writer.step(event)
                    watchers.step(event)
                else:
                    bits, sample = writer.milestone(event)
                    watchers.milestone(event, bits, sample)
                    if stop_when and bits is not None and not event.is_early:
                        given_up = stop_when(min(1.0, trainer.progress), bits)
                        if given_up:
                            trainer.stop(given_up)
                if writer.states.due():
                    writer.save_state()
            writer.save_state()
    except DivergenceError as error:
        raise DivergenceError(f"{error}. {writer.diverged()}") from None
    return given_up


@contextmanager
def _saying_what_is_kept(writer: RunWriter) -> Iterator[None]:
    """Let interrupts, a full disk and a lack of memory say which training state is left."""
    try:
        yield
    except KeyboardInterrupt as interrupt:
        raise type(interrupt)(_kept(writer.directory)) from None
    except (MemoryError, RuntimeError) as error:
        if not (lack := as_out_of_memory(error)):
            raise
        raise OutOfMemoryError(f"{lack}. {_kept(writer.directory)}") from None
    except OSError as error:
        where = error.filename2 or error.filename or "standard output"  # all others have a name
        raise RunDirectoryError(
            f"{where}: {error.strerror or error}; training stopped at step "
            f"{writer.trainer.step:,}. {_kept(writer.directory)}"
        ) from None


def _kept(directory: Path) -> str:
    if not (states := state_files(directory)):
        return "No training state is left"
    trust = " --trust-cell" if (directory / CELL).is_file() else ""
    return (
        f"The training state of step {int(states[0].stem):,} is kept; go on with rnnlab train "
        f"--resume {directory}{trust}"
    )
