"""The model that training starts from: its sizes and vocabulary are kept, its weights go on.

A run keeps a copy of it in its folder `start`, so that it can be resumed without the original, and
says in result.json where it came from and what has become of it on its own held-out text.
"""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import torch

from rnnlab.config import Settings
from rnnlab.config.validation import format_value
from rnnlab.data.labelled_tokenizer import labels_of
from rnnlab.data.tokenizer import CharTokenizer, Tokenizer, WordTokenizer
from rnnlab.errors import RnnlabError, UsageError
from rnnlab.files import read_json
from rnnlab.lm.model import LanguageModel
from rnnlab.lm.tensor_file import checksum
from rnnlab.lm.text_model import TextModel
from rnnlab.runs.evaluation import training_data
from rnnlab.runs.files import RESULT

START = "start"
"""The folder in a run directory."""

ORIGIN = "start"
"""Key in result.json."""

SIZES = ("cell", "num_layers", "hidden_size", "input", "embedding_size", "tie_weights")
"""Settings of the model that are those of the one it starts from."""

READING = ("tokenizer", "preprocessing")
"""Settings of the text that are those of the one it starts from."""


def fitting(settings: Settings, base: TextModel, given: Collection[str] | None) -> Settings:
    """Return settings with the sizes and the tokenizer of the model that training starts from.

    given: names of settings that must stay as they are; None: those that are not the default.

    Raises UsageError if one of them does not fit, or for a model of labelled samples.
    """
    path = settings.training.start_from
    if labels_of(base.tokenizer):
        raise UsageError(f"start_from: {path} has labels; training cannot start from it")
    theirs = {name: getattr(base.model.settings, name) for name in SIZES}
    data = base.about.get("data", {})
    theirs |= {name: data[name] for name in READING if name in data}
    mine, defaults = settings.flat(), Settings().flat()
    for name, value in theirs.items():
        fixed = mine[name] != defaults[name] if given is None else name in given
        if fixed and mine[name] != value:
            raise UsageError(
                f"{name} = {format_value(mine[name])} does not fit start_from = {path!r}, which "
                f"has {format_value(value)}"
            )
    return settings.with_changes(**theirs)


def extended(tokenizer: Tokenizer, learned: Tokenizer) -> Tokenizer:
    """Return a tokenizer with the tokens of two, those of the first with their ids.

    Raises UsageError for tokenizers whose tokens are not characters or words.
    """
    if isinstance(tokenizer, CharTokenizer) and isinstance(learned, CharTokenizer):
        known = set(tokenizer.characters)
        more = [c for c in learned.characters if c not in known]
        return CharTokenizer("".join([*tokenizer.characters, *more]))
    if isinstance(tokenizer, WordTokenizer) and isinstance(learned, WordTokenizer):
        words = set(tokenizer.words)
        more = [word for word in learned.words if word not in words]
        return WordTokenizer([*tokenizer.words, *more], tokenizer.rare)
    raise UsageError(f"extend_vocabulary needs characters or words, not {tokenizer!r}")


@torch.no_grad()
def copy_weights(model: LanguageModel, base: LanguageModel) -> None:
    """Copy all weights; those of tokens that only `model` has become the mean of the others."""
    theirs = dict(base.named_parameters())
    for name, parameter in model.named_parameters():
        own = theirs[name].to(parameter.device)
        for dim, size in enumerate(parameter.shape):  # of a one-hot input, tokens are columns
            more = size - own.shape[dim]
            mean = own.mean(dim, keepdim=True)
            own = torch.cat([own, mean.repeat_interleave(more, dim)], dim) if more else own
        parameter.copy_(own)


def origin_of(path: str, base: TextModel) -> dict[str, Any]:
    """Return what a run says of the model that it starts from, with the ancestry of that one."""
    found = {
        "path": path,
        "weights_sha256": checksum(
            {name: w.detach().cpu() for name, w in base.model.named_parameters()}, ""
        ),
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

    Empty if that text is not at hand, or nothing of it is held out.
    """
    try:
        dataset = training_data(base)
    except RnnlabError:
        return {}
    if not dataset.held_out or (dataset.start is None) != (model.model.start is None):
        return {}
    text = dataset.splits[dataset.held_out[-1]].text
    return {
        "bits_per_character_before": base.score_prepared(text).bits_per_character,
        "bits_per_character_after": model.score_prepared(text).bits_per_character,
    }
