"""The model that training starts from: its sizes are kept, and its weights go on.

So is its vocabulary, unless it is extended by the tokens of the new text or replaced by them. Then
tokens that both have keep their weights, and the others start at the mean of all.

A run keeps a copy of it in its folder `start`, so that it can be resumed without the original.
"""

from collections.abc import Collection

import numpy as np
import torch

from rnnlab.cells import short_name
from rnnlab.config import Settings
from rnnlab.config.validation import format_value
from rnnlab.data.labelled_tokenizer import labels_of
from rnnlab.data.tokenizer import CharTokenizer, Ids, Tokenizer, WordTokenizer
from rnnlab.errors import UsageError
from rnnlab.lm.model import LanguageModel
from rnnlab.lm.text_model import TextModel

START = "start"
"""The folder in a run directory."""

SIZES = ("cell", "num_layers", "hidden_size", "input", "embedding_size", "tie_weights")
"""Settings of the model that are those of the one it starts from."""

READING = ("tokenizer", "preprocessing")
"""Settings of the text that are those of the one it starts from."""

OF_TOKENS, OF_ONE_HOT = (
    ("embedding.weight", "output.weight", "output.bias"),
    "recurrent.weight_ih_l0",
)
"""Weights with a row, or a column, for each token."""


def fitting(settings: Settings, base: TextModel, given: Collection[str] | None) -> Settings:
    """Return settings with the sizes and the tokenizer of the model that training starts from.

    given: names of settings that must stay as they are; None: those that are not the default.

    Raises UsageError if one of them does not fit, or for a model of labelled samples whose
    vocabulary is not replaced.
    """
    path, replaced = settings.training.start_from, settings.training.replace_vocabulary
    if labels_of(base.tokenizer) and not replaced:
        raise UsageError(
            f"start_from: {path} has labels; training can start from it with replace_vocabulary"
        )
    theirs = {name: getattr(base.model.settings, name) for name in SIZES}
    data = base.about.get("data", {})
    if not replaced:
        theirs |= {name: data[name] for name in READING if name in data}
    mine, defaults = settings.flat(), Settings().flat()
    for name, value in theirs.items():
        fixed = mine[name] != defaults[name] if given is None else name in given
        if fixed and mine[name] != value:
            given_one, theirs_one = (
                short_name(each) if name == "cell" else each for each in (mine[name], value)
            )
            raise UsageError(
                f"{name} = {format_value(given_one)} does not fit start_from = {path!r}, which "
                f"has {format_value(theirs_one)}"
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


def token_places(tokenizer: Tokenizer, base: Tokenizer) -> Ids:
    """Return for each token the id of the same one in another vocabulary (V,); -1: it has none.

    Tokens are the same if they stand for the same characters, in UTF-8, or for the same label.
    """
    known = {token: i for i, token in enumerate(_tokens(base))}
    return np.array([known.get(token, -1) for token in _tokens(tokenizer)])


def _tokens(tokenizer: Tokenizer) -> list[tuple[bool, bytes]]:
    """Return whether each token is a label, and its name or its characters."""
    spelled, labels = tokenizer.spelled(), labels_of(tokenizer)
    parts = [t.encode() if isinstance(t, str) else t for t in spelled[: len(spelled) - len(labels)]]
    return [(False, part) for part in parts] + [(True, name.encode()) for name in labels]


@torch.no_grad()
def copy_weights(model: LanguageModel, base: LanguageModel, places: Ids) -> None:
    """Copy all weights; places: see `token_places`."""
    theirs, by_token = dict(base.named_parameters()), dict.fromkeys(OF_TOKENS, 0)
    if model.embedding is None:
        by_token[OF_ONE_HOT] = 1
    chosen = torch.from_numpy(np.where(places < 0, base.vocabulary_size, places))
    for name, parameter in model.named_parameters():
        own = theirs[name].cpu()
        if (dim := by_token.get(name)) is not None:
            own = torch.cat([own, own.mean(dim, keepdim=True)], dim).index_select(dim, chosen)
        parameter.copy_(own)
