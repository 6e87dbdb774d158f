"""From settings to a model and a trainer, ready for the first step."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

import torch

from rnnlab.cells import find_cell, short_name
from rnnlab.cells.registry import pin
from rnnlab.config import Settings
from rnnlab.data.batches import Batches
from rnnlab.data.corpus import with_absolute_paths
from rnnlab.data.dataset import Dataset, load_dataset
from rnnlab.data.labelled_tokenizer import inner_kind
from rnnlab.data.streaming_limits import ProgressCallback, no_progress
from rnnlab.data.tokenizer import text_rule
from rnnlab.engines.thread_pace import ThreadPace
from rnnlab.errors import UsageError
from rnnlab.lm.compute import Compute
from rnnlab.lm.equal_parameters import with_equal_parameters
from rnnlab.lm.evaluate import ShareCallback, total_nats
from rnnlab.lm.model import LanguageModel
from rnnlab.lm.moments import evaluation_cost
from rnnlab.lm.ngram_joining import CountedNGrams, gate_slices
from rnnlab.lm.optimizers import peak_learning_rate
from rnnlab.lm.text_model import TextModel
from rnnlab.lm.train import Trainer
from rnnlab.runs.automatic import (
    Automatic,
    budget_seconds,
    choose_precision,
    choose_settings,
)
from rnnlab.runs.machine_speed import MachineSpeed, measure_speed
from rnnlab.runs.starting_model import SIZES, copy_weights, extended, fitting, token_places


@dataclass(frozen=True)
class Prepared:
    """Everything that is ready before the first step."""

    settings: Settings
    """Resolved."""
    dataset: Dataset
    model: TextModel
    trainer: Trainer
    why: str
    """Why this engine."""
    ngrams: CountedNGrams | None = None
    """The n-grams that join the network when training ends."""
    automatic: Automatic | None = None
    """If settings were chosen: which, and why."""
    base: TextModel | None = None
    """The model that training starts from."""
    matched: str = ""
    """How many parameters the hidden size gives that `match_parameters` asked for."""


def prepare(
    settings: Settings,
    watch: ProgressCallback = no_progress,
    given: Collection[str] | None = None,
    copy_of_start: Path | None = None,
) -> Prepared:
    """Load the text, make the model and the trainer; nothing is written. Raises as `train` does.

    watch: is told how much of a long text has been read. given: the names of settings that stay as
    they are; the others are chosen by `rnnlab.runs.automatic`. None: nothing is chosen.
    copy_of_start: where the model that training starts from is now.
    """
    automatic = None
    base = None
    settings = with_own_cell(settings)
    if path := settings.training.start_from:
        base = TextModel.load(copy_of_start or path, machine=settings.machine)
        settings = fitting(settings, base, given)
    if given is not None:
        settings = choose_precision(settings, given)
        given = {*given, *(SIZES if base else ())}
    compute = Compute.choose(settings.machine, settings.model.cell)
    settings = _located(settings)
    dataset = _load(settings, base, watch)
    matched = ""
    if settings.model.match_parameters:
        hidden, matched = with_equal_parameters(settings.model, dataset.tokenizer.size)
        settings = settings.with_changes(match_parameters="", hidden_size=hidden)
        given = None if given is None else {*given, "hidden_size"}
    train, size = dataset.splits["train"].all_ids, dataset.tokenizer.size
    if given is not None:

        def measure(settings: Settings) -> MachineSpeed:
            batches = _batches(settings, dataset)
            return measure_speed(settings, batches, size, compute, dataset.start)

        def cost(settings: Settings) -> float:
            return _evaluation_cost(settings, dataset)

        automatic = choose_settings(settings, given, len(train), size, measure, cost)
        settings = automatic.settings
    order, batches = settings.model.ngram_order, _batches(settings, dataset)
    ngrams = CountedNGrams.count(train, size, order, dataset.start) if order else None
    settings = resolve(settings, dataset, compute)
    seed = settings.training.seed
    model = LanguageModel(settings.model, size, seed, dataset.start).to(compute.device)
    if base:
        copy_weights(model, base.model, token_places(dataset.tokenizer, base.tokenizer))
    about = {"data": settings.data.model_dump(mode="json"), "corpus_sha256": dataset.corpus.sha256}
    if dataset.canaries:
        about["canaries"] = dataset.canaries.to_dict()
    rule = text_rule(settings.data, inner_kind(dataset.tokenizer))
    text_model = TextModel(model, dataset.tokenizer, rule, compute, about)
    pace = ThreadPace(adapts=compute.engine.any_threads)
    trainer = Trainer(
        model, compute, batches, settings.training,
        evaluate=_validation(text_model, dataset, settings, pace),
        evaluation_cost=_evaluation_cost(settings, dataset, model.recurrent_share),
        pace=pace,
    )  # fmt: skip
    return Prepared(
        settings, dataset, text_model, trainer, compute.why, ngrams, automatic, base, matched
    )


def with_own_cell(settings: Settings) -> Settings:
    """Return settings with the checksum of the cell's file; it is run and checked.

    Raises UsageError if it is not a cell, or not one that these settings fit.
    """
    settings = settings.with_changes(cell=pin(settings.model.cell))
    cell = find_cell(settings.model.cell)
    if settings.model.weight_dropout and "weight_hh" not in cell.weight_names:
        raise UsageError(
            f"weight_dropout needs a cell with weight_hh; {short_name(cell.name)} has "
            f"{', '.join(cell.weight_names)}"
        )
    return settings


def _load(settings: Settings, base: TextModel | None, watch: ProgressCallback) -> Dataset:
    """Load the text with the vocabulary of the model that training starts from, if there is one."""
    if base is None or settings.training.replace_vocabulary:
        return load_dataset(settings.data, watch=watch)
    tokenizer = base.tokenizer
    if settings.training.extend_vocabulary:
        tokenizer = extended(tokenizer, load_dataset(settings.data, watch=watch).tokenizer)
    return load_dataset(settings.data, tokenizer, watch=watch)


def _batches(settings: Settings, dataset: Dataset) -> Batches:
    """Return the training split as batches, without what a gate needs to learn."""
    if not settings.model.ngram_order:
        return dataset.batches(settings.data)
    tokens = len(dataset.splits["train"].all_ids)
    return dataset.batches(settings.data, gate_slices(tokens, dataset.start))


def _located(settings: Settings) -> Settings:
    """Make paths absolute: training may be resumed in another working directory."""
    data, start = settings.data, settings.training.start_from
    return settings.with_changes(
        corpus=with_absolute_paths(data.corpus),
        validation_corpus=with_absolute_paths(data.validation_corpus),
        test_corpus=with_absolute_paths(data.test_corpus),
        data_dir=str(Path(data.data_dir).resolve()) if data.data_dir else "",
        start_from=str(Path(start).resolve()) if start else "",
    )


def resolve(settings: Settings, dataset: Dataset, compute: Compute) -> Settings:
    """Replace every `auto`, and every 0 that stands for a default, by the value that is used."""
    training = settings.training
    corpus = settings.data.corpus
    if corpus == ("auto",):
        corpus = (dataset.corpus.name,)
    return settings.with_changes(
        corpus=corpus,
        validation_context=settings.validation_context,
        learning_rate=peak_learning_rate(training),
        max_seconds=budget_seconds(settings),
        engine=compute.engine.name,
        device=compute.device,
        threads=torch.get_num_threads(),
    )


def _evaluation_cost(settings: Settings, dataset: Dataset, recurrent_share: float = 1.0) -> float:
    """Return the work of one evaluation during training, in tokens trained on; 0: there is none."""
    if "validation" not in dataset.splits:
        return 0.0
    targets = len(dataset.splits["validation"].ids) - 1
    context = dataset.read_as(settings.validation_context)
    return evaluation_cost(targets, context, settings.data.batch_size, recurrent_share)


def _validation(
    model: TextModel, dataset: Dataset, settings: Settings, pace: ThreadPace
) -> Callable[[ShareCallback], float] | None:
    if "validation" not in dataset.splits:
        return None
    ids, context = dataset.splits["validation"].ids, settings.training.validation_context
    documents = dataset.state_resets("validation")

    def nats_per_token(progress: ShareCallback) -> float:
        compute = model.compute.with_threads(pace.threads)
        total = total_nats(model.model, compute, ids, context, progress, documents)
        return total / (len(ids) - 1)

    return nats_per_token
