"""A training run from settings to a complete run directory."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import torch

from rnnlab.config import DEFAULT_SECONDS, Settings
from rnnlab.data.corpus import check_kept, is_text_file
from rnnlab.data.dataset import Dataset, load_dataset
from rnnlab.data.streaming import ProgressCallback, no_progress
from rnnlab.display.training import Display
from rnnlab.engines import choose_engine
from rnnlab.errors import CorpusError, DivergenceError, OutOfMemoryError, lack_of_memory
from rnnlab.lm.device import set_up
from rnnlab.lm.evaluate import ShareCallback, total_nats
from rnnlab.lm.model import LanguageModel
from rnnlab.lm.optimizers import peak_learning_rate
from rnnlab.lm.text_model import TextModel
from rnnlab.lm.train import Step, Trainer
from rnnlab.runs.mirrors import Mirrors, check_mirrors
from rnnlab.runs.resume import mend_settings, settings_to_resume
from rnnlab.runs.run import Run, check_new, make_directory, owned
from rnnlab.runs.saved_state import SavedState, newest_state
from rnnlab.runs.writer import RunWriter
from rnnlab.signals import stopping_on_signals

StopWhen = Callable[[float, float], str]
"""Of the share of the budget that is used and the held-out bits per character: why to end, or ''.
"""


def train(
    settings: Settings,
    directory: str | Path | None = None,
    display: Display | None = None,
    stop_when: StopWhen | None = None,
    *,
    resume: bool = False,
) -> Run:
    """Train as `settings` say and leave a complete run directory.

    resume: go on in `directory`, where training was interrupted or a smaller budget used up; what
    comes out has the bits of a run never interrupted. See `lab.resume` for what settings may differ
    from those before.

    stop_when: asked at every held-out evaluation; a run that it ends is not evaluated any further.

    A first Ctrl-C ends training after the current step, and all that follows training is still
    done; after SIGTERM it is left for a resume, since whoever sends that waits only seconds. A
    second one raises KeyboardInterrupt, which says what is kept.

    Raises UsageError, CorpusError, UnavailableError or RunDirectoryError before anything is
    trained; DivergenceError, or RunDirectoryError where the directory can no longer be written,
    or OutOfMemoryError, with what was saved last kept.
    """
    display = display or Display(quiet=True)
    with ExitStack() as stack:
        state = None
        if resume:
            path = Path(directory or "")
            before = settings_to_resume(path)
            stack.enter_context(owned(path, "make it writable, or go on in a copy"))
            state = newest_state(path)
            mend_settings(path, state, before)
            if settings.data.corpus == before.data.corpus and "-" not in before.data.corpus:
                check_kept(before.data.corpus)
        elif directory is not None:
            check_new(Path(directory))
        stack.enter_context(display)
        try:
            ready = prepare(settings, display.reading)
        except CorpusError as error:
            if not resume or "-" not in settings.data.corpus:
                raise
            again = f"the text of {path} came from standard input, so give it there again"
            raise CorpusError(f"{error}; {again}") from None
        if not resume:
            path = make_directory(directory, ready.settings)
            stack.enter_context(owned(path))
            check_new(path)  # again, since another process may have begun there meanwhile
        run = Run(path)
        mirrors = Mirrors(path, ready.settings)
        writer = RunWriter(path, ready.model, ready.dataset, ready.settings, mirrors)
        try:
            if state:
                notices = writer.go_on(ready.trainer, state)
            else:
                writer.begin(ready.trainer)
            why = "as before" if state and _same_engine(state, ready.settings) else ready.why
            display.begin(ready.dataset, ready.model, ready.settings, why, path)
            if state:
                display.resume(ready.trainer.step, min(1.0, ready.trainer.progress), notices)
            stack.enter_context(mirrors.beginning_at(ready.trainer.step))
            given_up = _fit(ready.trainer, writer, display, stop_when)
            writer.close(ready.trainer)
            display.trained(run.result["training"], path)
            if ready.trainer.stop_reason != "SIGTERM":
                watch = None if given_up else display.measuring
                run.model = writer.finish(ready.trainer, watch)
        except KeyboardInterrupt as interrupt:
            raise type(interrupt)(writer.kept()) from None
        except (MemoryError, RuntimeError) as error:
            if not (lack := lack_of_memory(error)):
                raise
            raise OutOfMemoryError(f"{lack}. {writer.kept()}") from None
        except OSError as error:
            raise writer.unwritable(error, ready.trainer.step) from None
    display.end(run.result, run.metrics, run.directory)
    return run


def _same_engine(state: SavedState, settings: Settings) -> bool:
    machine = state.facts["about"]["settings"]["machine"]
    return bool(machine["engine"] == settings.machine.engine)


def _fit(trainer: Trainer, writer: RunWriter, display: Display, stop_when: StopWhen | None) -> str:
    """Run the training loop; returns why `stop_when` ended it, or nothing."""
    given_up = ""
    progress = trainer.progress
    try:
        with stopping_on_signals(trainer.stop):
            for event in trainer.run():
                if isinstance(event, Step):
                    writer.step(event)
                    display.step(event)
                    progress = event.progress
                else:
                    sample = writer.milestone(event)
                    bits = writer.log.bits_per_character(event)
                    display.milestone(event, bits, sample)
                    if stop_when and bits is not None:
                        given_up = stop_when(progress, bits)
                        if given_up:
                            trainer.stop(given_up)
                if writer.states.due():
                    writer.save_state(trainer)
            writer.save_state(trainer)
    except DivergenceError as error:
        raise DivergenceError(f"{error}. {writer.diverged(trainer)}") from None
    return given_up


@dataclass(frozen=True)
class Prepared:
    """All that stands ready before the first step."""

    settings: Settings
    """Resolved."""
    dataset: Dataset
    model: TextModel
    trainer: Trainer
    why: str
    """Why this engine."""


def prepare(settings: Settings, watch: ProgressCallback = no_progress) -> Prepared:
    """Load the text, make model and trainer; nothing is written. Raises as `train` does.

    watch: told how far a long text is read.
    """
    machine = settings.machine
    check_mirrors(machine.mirror)
    device = set_up(machine)
    settings = _located(settings)
    engine, why = choose_engine(machine.engine, settings.model.cell, device, machine.precision)
    dataset = load_dataset(settings.data, watch=watch)
    batches = dataset.batches(settings.data)
    settings = resolve(settings, dataset, engine.name, device)
    torch.manual_seed(settings.training.seed)
    model = LanguageModel(settings.model, dataset.tokenizer.size).to(device)
    about = {"data": settings.data.model_dump(mode="json"), "corpus_sha256": dataset.corpus.sha256}
    text_model = TextModel(
        model, dataset.tokenizer, settings.data.preprocessing, engine, machine.precision, about
    )
    trainer = Trainer(
        model, engine, batches, settings.training,
        precision=machine.precision,
        evaluate=_validation(text_model, dataset, settings),
    )  # fmt: skip
    return Prepared(settings, dataset, text_model, trainer, why)


def _located(settings: Settings) -> Settings:
    """Name files and folders by full paths, which mean the same wherever training goes on."""
    data = settings.data
    return settings.changed(
        corpus=tuple(str(Path(c).resolve()) if is_text_file(c) else c for c in data.corpus),
        data_dir=str(Path(data.data_dir).resolve()) if data.data_dir else "",
    )


def resolve(settings: Settings, dataset: Dataset, engine: str, device: torch.device) -> Settings:
    """Replace every `auto` and every 0 that stands for a default by what it came to."""
    training = settings.training
    corpus = settings.data.corpus
    if corpus == ("auto",):
        corpus = (dataset.corpus.name,)
    no_budget = not (training.num_epochs or training.max_tokens or training.max_seconds)
    return settings.changed(
        corpus=corpus,
        learning_rate=peak_learning_rate(training),
        max_seconds=DEFAULT_SECONDS if no_budget else training.max_seconds,
        engine=engine,
        device=device.type,
        threads=torch.get_num_threads(),
    )


def _validation(
    model: TextModel, dataset: Dataset, settings: Settings
) -> Callable[[ShareCallback], float] | None:
    if "validation" not in dataset.splits:
        return None
    ids, context = dataset.splits["validation"].ids, settings.training.validation_context

    def nats_per_token(progress: ShareCallback) -> float:
        total = total_nats(model.model, model.engine, ids, context, model.precision, progress)
        return total / (len(ids) - 1)

    return nats_per_token
