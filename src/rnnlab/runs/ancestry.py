"""What a run says of the model that it started from, and of what has been forgotten."""

from pathlib import Path
from typing import Any

from rnnlab.data.labelled_tokenizer import labels_of
from rnnlab.errors import RnnlabError
from rnnlab.files import read_json
from rnnlab.lm.model_folder import weights_of
from rnnlab.lm.tensor_file import checksum
from rnnlab.lm.text_model import TextModel
from rnnlab.runs.evaluation import training_data
from rnnlab.runs.files import RESULT

ORIGIN = "start"
"""Key in result.json."""


def origin_of(path: str, base: TextModel) -> dict[str, Any]:
    """Return what a run says of the model that it starts from, with the ancestry of that one."""
    found = {
        "path": path,
        "weights_sha256": checksum(weights_of(base.network), ""),
        "corpus": base.about.get("data", {}).get("corpus"),
        "corpus_sha256": base.about.get("corpus_sha256"),
    }
    try:
        before = read_json(Path(path) / RESULT, RnnlabError).get(ORIGIN)
    except (RnnlabError, OSError):
        before = None
    return found | ({"before": before} if before else {})


def forgetting(base: TextModel, model: TextModel) -> dict[str, float]:
    """Return bits per character on the base's own held-out text, before and after training.

    Empty if that text is not at hand, nothing of it is held out, or its samples have other labels.
    """
    try:
        dataset = training_data(base)
    except RnnlabError:
        return {}
    if not dataset.held_out or (dataset.start is None) != (model.network.start is None):
        return {}
    if labels_of(base.tokenizer) != labels_of(model.tokenizer):
        return {}
    text = dataset.splits[dataset.held_out[-1]].text
    return {
        "bits_per_character_before": base.score_prepared(text).bits_per_character,
        "bits_per_character_after": model.score_prepared(text).bits_per_character,
    }
