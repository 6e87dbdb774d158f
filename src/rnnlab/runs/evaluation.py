"""Evaluation records: a model's score on a text, beside what simple methods reach on it."""

from collections.abc import Mapping, Sequence
from functools import partial

from rnnlab.data.dataset import Dataset
from rnnlab.data.streaming import ProgressCallback, no_progress
from rnnlab.lm.baselines import Baselines
from rnnlab.lm.evaluate import Evaluation, perplexity
from rnnlab.lm.text_model import TextModel


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
) -> list[Evaluation]:
    """Score every text (split -> text under the model's rule) under every context rule.

    sizes: the characters of each split, of which the text may be only the beginning. watch: told
    what is being measured, and how far that is.
    """
    records = []
    for split, text in texts.items():
        beside = {}
        if baselines and len(text) > 1:
            beside = baselines.score(text, partial(watch, f"baselines, {split}"))
        for context in contexts:
            score = model.score(text, context, partial(watch, f"{split}, {context}"))
            nats = score.nats / score.tokens
            records.append(
                Evaluation(
                    corpus=corpus,
                    corpus_sha256=corpus_sha256,
                    split=split,
                    split_characters=sizes[split],
                    context=context,
                    tokens=score.tokens,
                    characters=score.characters,
                    unknown_tokens=score.unknown_tokens,
                    nats_per_token=nats,
                    bits_per_character=score.bits_per_character,
                    perplexity=perplexity(nats),
                    checkpoint=checkpoint,
                    baselines=beside,
                )
            )
    return records


def evaluate_splits(
    model: TextModel,
    dataset: Dataset,
    names: Sequence[str],
    contexts: Sequence[str],
    *,
    checkpoint: str,
    baselines: Baselines | None,
    watch: ProgressCallback = no_progress,
) -> list[Evaluation]:
    """Score splits of a dataset by name, each under every context rule."""
    return evaluate_texts(
        model,
        {name: dataset.splits[name].text for name in names},
        contexts,
        sizes={name: dataset.splits[name].characters for name in names},
        corpus=dataset.corpus.name,
        corpus_sha256=dataset.corpus.sha256,
        checkpoint=checkpoint,
        baselines=baselines,
        watch=watch,
    )


def dataset_baselines(dataset: Dataset) -> Baselines:
    """Baselines that learn from the training split; the validation split chooses the n-gram."""
    validation = dataset.splits["validation"].text if "validation" in dataset.splits else ""
    return Baselines(dataset.splits["train"].end, validation)
