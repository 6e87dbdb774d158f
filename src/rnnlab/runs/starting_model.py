"""The model that training starts from: its sizes and vocabulary are kept, its weights go on.

A run keeps a copy of it in its folder `start`, so that it can be resumed without the original.
"""

from collections.abc import Collection

import torch

from rnnlab.config import Settings
from rnnlab.config.validation import format_value
from rnnlab.data.labelled_tokenizer import labels_of
from rnnlab.data.tokenizer import CharTokenizer, Tokenizer, WordTokenizer
from rnnlab.errors import UsageError
from rnnlab.lm.model import LanguageModel
from rnnlab.lm.text_model import TextModel

START = "start"
"""The folder in a run directory."""

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
