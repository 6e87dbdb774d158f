"""Evaluation records: a model's score on a text, next to what simple methods reach on it."""

import os
from collections.abc import Mapping, Sequence
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from rnnlab.config import CONTEXTS, TEXTS
from rnnlab.config.validation import format_value
from rnnlab.data.copies import find_copies
from rnnlab.data.corpus import check_readable_again
from rnnlab.data.dataset import Dataset, load_dataset
from rnnlab.data.encodings import usable_encoding
from rnnlab.data.streaming_limits import ProgressCallback, no_progress
from rnnlab.data.tokenizer import Ids
from rnnlab.errors import ChecksumError, CorpusError, RnnlabError, UsageError
from rnnlab.lm.baselines import Baselines
from rnnlab.lm.code_length import CodeLength, code_of_tokens, lead
from rnnlab.lm.evaluate import Evaluation, Score, perplexity
from rnnlab.lm.text_model import TextModel
from rnnlab.runs.loading import load_text_model
from rnnlab.runs.other_texts import allowed_contexts, data_settings, read_text

MAX_LEARNED = 4_000_000
"""How many tokens of a long training text dynamic evaluation takes its statistics from."""

Names = str | Path | Sequence[str | Path]
"""One name or several."""


def evaluate(
    model: TextModel | str | PathLike[str],
    texts: Names = (),
    *,
    splits: Names = (),
    contexts: Names = CONTEXTS,
    baselines: bool = True,
    dynamic: bool = False,
    errors: str = "strict",
    encoding: str = "utf-8",
    checkpoint: str = "best",
    corpus: Names = (),
    validation_corpus: Names = (),
    test_corpus: Names = (),
    watch: ProgressCallback = no_progress,
    keep: list[Evaluation] | None = None,
) -> tuple[list[Evaluation], list[str]]:
    """Measure how well a model predicts text; return the records, and notices for people.

    model: a loaded model, a run directory or a model folder.
    texts: corpora by name or path ("-": standard input), each evaluated on its own; without any,
    the held-out splits of the corpus that the model was trained on, or `splits` of it. One name
    may be given without a list; so may one split, context or corpus.
    baselines: also measure simple methods that learn from the model's training split; if that text
    is not available, they are left out with a notice.
    dynamic: also measure the model while it learns on through the text, in records of their own;
    see `rnnlab.lm.dynamic_evaluation`. It needs the model's training split.
    errors: of `texts`, bytes that are not in the encoding: "strict" stops, "replace" reads them as
    U+FFFD. encoding: of `texts`; "auto": detect it.
    corpus, validation_corpus, test_corpus: where the model's own texts are now, if they have
    moved; their checksum must be the same.
    watch: called with what is being measured, and the share that is done.
    keep: a list that each record is added to as soon as it is measured, which Ctrl-C does not undo.

    >>> records, notices = rnnlab.evaluate("runs/small", splits=["test"], contexts=["carried"])
    >>> records[0].bits_per_character < records[0].baselines["ngram"]["bits_per_character"]
    True

    Raises UsageError for a split that does not exist, CorpusError if a text cannot be read.
    """
    texts, splits, contexts = map(as_list, (texts, splits, contexts))
    moved_to = own_texts(corpus, validation_corpus, test_corpus)
    if texts and splits:
        raise UsageError("give texts or splits of the model's own corpus, not both")
    if errors != "strict" and not texts:
        raise UsageError(f"errors = {errors!r} has no effect without texts to evaluate")
    encoding = usable_encoding(encoding)
    if encoding != "utf-8" and not texts:
        raise UsageError(f"encoding = {encoding!r} has no effect without texts to evaluate")
    if not isinstance(model, TextModel):
        model = load_text_model(model, checkpoint)
    notices = model.checkpoint_notices(checkpoint)
    checkpoint = model.checkpoint or checkpoint
    dataset = None
    if baselines or dynamic or not texts:
        try:
            dataset = training_data(model, moved_to)
        except RnnlabError as error:
            if dynamic or not texts:
                ways = f"{say_where(model)}, or " if _names_its_text(model) else ""
                raise type(error)(
                    f"the model's own text is not available: {error}; {ways}evaluate another text "
                    "with --text"
                ) from None
            notices.append(f"baselines left out, the training text is not available: {error}")
    learned = dataset_baselines(dataset) if dataset and baselines else None
    records: list[Evaluation] = [] if keep is None else keep
    if dataset and not texts:
        chosen = _chosen_splits(dataset, splits)
        for name in chosen:
            part = dataset.splits[name]
            notices += truncation_notices(name, len(part.text), part.characters)
        evaluate_splits(
            model, dataset, chosen, contexts, checkpoint=checkpoint, baselines=learned,
            watch=watch, dynamic=dynamic, keep=records,
        )  # fmt: skip
    for name in texts:
        source, text, characters = read_text(name, errors, encoding, model)
        notices += truncation_notices(source.name, len(text), characters)
        notices += copy_notices(source.name, text, dataset)
        evaluate_texts(
            model, {"all": text}, contexts, sizes={"all": characters},
            corpus=source.name, corpus_sha256=source.sha256,
            checkpoint=checkpoint, baselines=learned, watch=watch,
            learn_on=_training_ids(dataset) if dataset and dynamic else None, keep=records,
        )  # fmt: skip
    return records, notices


def as_list(names: Names) -> list[str]:
    """Return names as a list, also a single one."""
    return [os.fspath(n) for n in ([names] if isinstance(names, str | os.PathLike) else names)]


def own_texts(corpus: Names, validation_corpus: Names, test_corpus: Names) -> dict[str, list[str]]:
    """Return the names of texts that have moved, by setting."""
    given = zip(TEXTS, map(as_list, (corpus, validation_corpus, test_corpus)), strict=True)
    return {setting: names for setting, names in given if names}


def say_where(model: TextModel) -> str:
    """Return the advice for texts that are not where they were."""
    flags = ["--corpus", *(f"--{s}-corpus" for s in data_settings(model).held_out_names)]
    return f"if it has moved, say where it is with {' or '.join(flags)}"


def training_data(model: TextModel, moved_to: Mapping[str, Sequence[str]] | None = None) -> Dataset:
    """Load the texts that a model was trained on, split as they were then.

    moved_to: where they are now, if they have moved, by setting.

    Raises CorpusError or UsageError if it is not available, ChecksumError if it has changed.
    """
    if not _names_its_text(model):
        raise CorpusError(
            "the model does not say which text it was trained on: its config.json has no corpus in "
            "data, or no corpus_sha256"
        )
    settings = data_settings(model)
    moved = {setting: tuple(names) for setting, names in (moved_to or {}).items()}
    for setting, names in moved.items():
        if not getattr(settings, setting):
            raise UsageError(
                f"{setting} = {format_value(names)}: the model was trained without a text of its "
                "own for that"
            )
    for setting in TEXTS:
        if setting not in moved:
            check_readable_again(getattr(settings, setting))
    settings = settings.model_copy(update=moved)
    dataset = load_dataset(settings, model.tokenizer)
    if dataset.corpus.sha256 != model.about.get("corpus_sha256"):
        raise ChecksumError(f"corpus {dataset.corpus.name!r} has changed since training")
    return dataset


def _names_its_text(model: TextModel) -> bool:
    return "corpus" in model.about.get("data", {}) and bool(model.about.get("corpus_sha256"))


def copy_notices(name: str, text: str, dataset: Dataset | None) -> list[str]:
    """Return a notice if a running text is so much like the training text that this decides."""
    if dataset is None or dataset.samples is not None:
        return []
    if not (found := find_copies(text, dataset.splits["train"].end)).decide:
        return []
    return [
        f"{name}: much of it stands in the model's training text ({found}); its figures show what "
        "was learned by heart"
    ]


def _chosen_splits(dataset: Dataset, asked: Sequence[str]) -> Sequence[str]:
    """Return the splits asked for, or else those held out; raise UsageError if there are none."""
    for name in asked:
        if name not in dataset.splits:
            raise UsageError(
                f"the model's corpus has no {name!r} split (choices: {', '.join(dataset.splits)})"
            )
    if not (chosen := asked or dataset.held_out):
        raise UsageError(
            "nothing was held out when this model was trained; give a text, or --split train"
        )
    return chosen


def truncation_notices(name: str, evaluated: int, characters: int) -> list[str]:
    """Return a notice if only the beginning of a text is evaluated."""
    if evaluated == characters:
        return []
    return [
        f"{name}: a long text, evaluated on its first {evaluated:,} of {characters:,} characters"
    ]


def evaluate_texts(
    model: TextModel,
    texts: Mapping[str, str],
    contexts: Sequence[str],
    *,
    sizes: Mapping[str, int],
    corpus: str,
    corpus_sha256: str,
    checkpoint: str,
    baselines: Baselines | None,
    watch: ProgressCallback = no_progress,
    documents: Mapping[str, Sequence[int]] | None = None,
    learn_on: Ids | None = None,
    keep: list[Evaluation] | None = None,
) -> list[Evaluation]:
    """Score every text (split -> text under the model's rule) under every context rule.

    sizes: the number of characters of each split; its text may be only the beginning of it.
    watch: called with what is being measured, and the share that is done.
    documents: of each split, the tokens before which the state is reset.
    learn_on: ids of the training text; each text is then also scored while the model learns on.
    keep: the list that records are added to.
    """
    records: list[Evaluation] = [] if keep is None else keep
    contexts = allowed_contexts(model, contexts)
    for split, text in texts.items():
        codes: dict[str, CodeLength] = {}
        if baselines and len(text) > 1:
            codes = baselines.codes(text, partial(watch, f"baselines, {split}"))
        resets = (documents or {}).get(split, ())
        record = partial(
            _record, model, text, codes, corpus=corpus, corpus_sha256=corpus_sha256, split=split,
            split_characters=sizes[split], checkpoint=checkpoint,
            baselines=baselines.records(codes) if baselines else {},
        )  # fmt: skip
        for context in contexts:
            progress = partial(watch, f"{split}, {context}")
            score = model.score_prepared(text, context, progress, resets)
            parts = model.parts_prepared(text, context, resets)
            records.append(record(score, parts, context=context))
        if learn_on is not None:
            progress = partial(watch, f"{split}, learning on")
            score = model.score_dynamic(text, learn_on, progress, resets)
            records.append(record(score, {}, context="carried", learns_on=True))
    return records


def _record(
    model: TextModel,
    text: str,
    codes: Mapping[str, CodeLength],
    score: Score,
    parts: Mapping[str, Score],
    **about: Any,
) -> Evaluation:
    """Return the record of a score and of those of the model's parts."""
    nats = score.nats / score.tokens
    return Evaluation(
        tokens=score.tokens,
        characters=score.characters,
        unknown_tokens=score.charges.unknown_tokens,
        unknown_characters=score.charges.unknown_characters,
        first_nats=score.charges.first_nats,
        spelling_nats=score.charges.spelling_nats,
        nats_per_token=nats,
        bits_per_character=score.bits_per_character,
        perplexity=perplexity(nats),
        parts={
            name: {
                "nats_per_token": part.nats / part.tokens,
                "bits_per_character": part.bits_per_character,
            }
            for name, part in parts.items()
        },
        leads=_leads(code_of_tokens(model.tokenizer, text, score.target_nats), codes),
        **about,
    )


def _leads(code: CodeLength, others: Mapping[str, CodeLength]) -> dict[str, dict[str, float]]:
    """Return the lead of a code over all others that an interval can be given for."""
    leads = {name: lead(code, other) for name, other in others.items()}
    return {name: found.to_dict() for name, found in leads.items() if found}


def evaluate_splits(
    model: TextModel,
    dataset: Dataset,
    names: Sequence[str],
    contexts: Sequence[str],
    *,
    checkpoint: str,
    baselines: Baselines | None,
    watch: ProgressCallback = no_progress,
    dynamic: bool = False,
    keep: list[Evaluation] | None = None,
) -> list[Evaluation]:
    """Score splits of a dataset by name, each under every context rule; see `evaluate`."""
    records: list[Evaluation] = [] if keep is None else keep
    learn_on = _training_ids(dataset) if dynamic else None
    for name in names:
        part = dataset.splits[name]
        evaluate_texts(
            model, {name: part.text}, contexts, sizes={name: part.characters},
            corpus=dataset.own_names.get(name, dataset.corpus.name),
            corpus_sha256=dataset.corpus.sha256, checkpoint=checkpoint, baselines=baselines,
            watch=watch, documents={name: dataset.state_resets(name)}, learn_on=learn_on,
            keep=records,
        )  # fmt: skip
    return records


def _training_ids(dataset: Dataset) -> Ids:
    """Return ids of the training split; of a long one, the last."""
    return dataset.splits["train"].all_ids[-MAX_LEARNED:].astype(np.int64)


def dataset_baselines(dataset: Dataset) -> Baselines:
    """Baselines that learn from the training split; the validation split chooses the n-gram."""
    validation = dataset.splits["validation"].text if "validation" in dataset.splits else ""
    return Baselines(dataset.splits["train"].end, validation, dataset.samples is not None)
