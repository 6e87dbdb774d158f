"""Texts that a model did not come with, read as its own was."""

from collections.abc import Iterable, Sequence
from itertools import chain

from rnnlab.config import EARLIER, DataSettings
from rnnlab.data.corpus import open_corpus
from rnnlab.data.labelled_samples import Joined, lines_or_records, read_samples
from rnnlab.data.labelled_tokenizer import labels_of
from rnnlab.data.prepared_text import read_beginning
from rnnlab.data.samples import as_text
from rnnlab.data.texts import Source
from rnnlab.errors import UsageError
from rnnlab.lm.text_model import TextModel


def read_text(name: str, errors: str, encoding: str, model: TextModel) -> tuple[Source, str, int]:
    """Return the source of a text, the text as the model reads it, and its characters."""
    if model.network.start is None:
        return read_beginning(name, errors, model.preprocessing, encoding=encoding)
    corpus = open_corpus([name], errors=errors, encoding=encoding)
    joined = Joined(labels_of(model.tokenizer))

    def samples(part: Source, pieces: Iterable[str]) -> Iterable[str]:
        data = lines_or_records(part.name, data_settings(model))
        if joined.has_labels and not data.label_column:
            raise UsageError(
                f"the samples of this model have labels; {part.origin} must be a table with a "
                f"column {data_settings(model).label_column!r}"
            )
        return map(joined, read_samples(part, pieces, data, model.preprocessing))

    text = as_text(chain.from_iterable(map(samples, corpus.parts, corpus.documents())))
    return corpus.source, text, len(text)


def data_settings(model: TextModel) -> DataSettings:
    """Return how a model's own text was read."""
    return DataSettings.from_dict({**EARLIER, **model.about["data"]})


def allowed_contexts(model: TextModel, contexts: Sequence[str]) -> Sequence[str]:
    """Return the context rules that fit the model; raise UsageError if none does."""
    if model.network.start is None:
        return contexts
    if contexts and "carried" not in contexts:
        raise UsageError(
            f"context {contexts[0]!r} would cut samples; for a model of samples it is 'carried'"
        )
    return [context for context in contexts if context == "carried"]
