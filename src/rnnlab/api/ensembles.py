"""Several models as one, as a function of the library."""

import os
from collections import Counter
from collections.abc import Iterable
from os import PathLike
from typing import Any

from rnnlab.api.models import load
from rnnlab.errors import UsageError
from rnnlab.lm.text_model import TextModel
from rnnlab.runs.ensemble import ensemble as join_models
from rnnlab.runs.evaluation import Names, own_texts


def ensemble(
    models: Iterable[TextModel | str | PathLike[str]],
    *,
    checkpoint: str = "best",
    corpus: Names = (),
    validation_corpus: Names = (),
    test_corpus: Names = (),
    **machine: Any,
) -> TextModel:
    """Join models of the same text, such as of several seeds, into one; see `runs.ensemble`.

    models: loaded models, run directories or model folders, at least two. checkpoint: of run
    directories. corpus, validation_corpus, test_corpus: where their texts are now, if they have
    moved. machine: engine, device, precision, threads, for models that are not loaded yet.

    >>> seeds = [rnnlab.train(corpus="python-reference", corpus_limit=30_000, hidden_size=8, seed=s,
    ...                       num_epochs=1, run_dir=f"runs/s{s}", quiet=True) for s in (1, 2)]
    >>> both = rnnlab.ensemble([run.directory for run in seeds])
    >>> both.model.settings.hidden_size
    16
    >>> both.save("models/both")

    Raises UsageError if they do not fit together or one is given twice, CorpusError or
    ChecksumError if an n-gram model joins them and their text is not available.
    """
    models = list(models)
    paths = [os.path.realpath(m) for m in models if not isinstance(m, TextModel)]
    if twice := [path for path, count in Counter(paths).items() if count > 1]:
        raise UsageError(f"{twice[0]} is given twice; the members of an ensemble are different")
    loaded = [m if isinstance(m, TextModel) else load(m, checkpoint, **machine) for m in models]
    return join_models(loaded, own_texts(corpus, validation_corpus, test_corpus))
