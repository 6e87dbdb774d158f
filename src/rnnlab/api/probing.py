"""Looking inside a network, as a function of the library."""

from collections.abc import Iterable, Mapping
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rnnlab.api.models import load
from rnnlab.data.streaming_limits import ProgressCallback, no_progress
from rnnlab.lm.text_model import TextModel
from rnnlab.probes import PORTRAIT
from rnnlab.runs.evaluation import Names, own_texts

if TYPE_CHECKING:
    from rnnlab.report.probe_page import Probed


def probe(
    model: TextModel | str | PathLike[str],
    text: str | None = None,
    *,
    file: str | PathLike[str] = "",
    what: str | Iterable[str] = PORTRAIT,
    after: Iterable[str] = (),
    patterns: Mapping[str, str] | None = None,
    label_files: Mapping[str, str | Path] | None = None,
    checkpoint: str = "best",
    corpus: Names = (),
    validation_corpus: Names = (),
    test_corpus: Names = (),
    watch: ProgressCallback = no_progress,
    **machine: Any,
) -> "Probed":
    """Look inside a network while it reads a text; in a notebook the result shows itself.

    model: a loaded model, a run directory or a model folder. text: what it reads; file: the same,
    by path or name of a corpus. Default: the last of its held-out splits.
    what: names of probes, see `rnnlab.probes`; default: a portrait, in which a probe that is not
    possible is left out with the reason. A probe that is named is an error then.
    after, patterns, label_files: features of your own that units may follow; see `FeatureSettings`.
    checkpoint: of a run directory. corpus, validation_corpus, test_corpus: where the model's own
    texts are now, if they have moved. watch: called with a probe and the share of it that is done.
    machine: engine, device, precision, threads, for a model that is not loaded yet.

    The result has `to_html`, `to_json`, `save_npz`, `save_figures`, and `compared_with` for another
    network that read the same text.

    >>> found = rnnlab.probe("runs/small", "The index of the first item", what="surprise")
    >>> len(found["surprise"].bits)
    26

    Raises UsageError for an unknown probe or one that the model does not allow, CorpusError for a
    text that is too short.
    """
    from rnnlab.probes.feature_settings import FeatureSettings
    from rnnlab.probes.portrait import MOST_TOKENS, run_probes
    from rnnlab.probes.subject import Subject
    from rnnlab.report.probe_page import Probed  # imports scipy and matplotlib

    names = [what] if isinstance(what, str) else list(what)
    path = None if isinstance(model, TextModel) else model
    loaded = model if isinstance(model, TextModel) else load(model, checkpoint, **machine)
    moved_to = own_texts(corpus, validation_corpus, test_corpus)
    subject = Subject.of(loaded, path, text, str(file), moved_to)
    features = FeatureSettings(tuple(after), patterns or {}, label_files or {})
    is_portrait = names == list(PORTRAIT)
    results, left_out = run_probes(subject, names, features, watch, strict=not is_portrait)
    read = min(len(subject.reading), MOST_TOKENS)
    about = f"{subject.text}, {read:,} tokens"
    notices = loaded.checkpoint_notices(checkpoint)
    return Probed(subject.name, about, results, left_out, subject.reading.text, notices)
