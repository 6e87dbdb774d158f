"""The model folder: config.json, model.safetensors, tokenizer.json.

No pickle is read or written.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor

from rnnlab.config import EARLIER, ModelSettings, SettingsGroup
from rnnlab.data.tokenizer import Tokenizer, tokenizer_from_json
from rnnlab.errors import ModelFolderError, UsageError, message_of
from rnnlab.files import make_folder, read_json, sealed, write_json
from rnnlab.lm.model import LanguageModel
from rnnlab.lm.tensor_file import MODEL_CONFIG, Shapes, read_tensors, write_tensors

Group = TypeVar("Group", bound=SettingsGroup)

FORMAT = 1
WEIGHTS, TOKENIZER = "model.safetensors", "tokenizer.json"


def save_model(
    folder: Path,
    model: LanguageModel,
    tokenizer: Tokenizer,
    about: dict[str, Any],
    weights: Mapping[str, Tensor] | None = None,
) -> None:
    """Write a model folder; `about` goes into config.json (text rule, training data).

    weights: written instead of the model's own, by parameter name.
    """
    make_folder(folder)
    config = {
        "format": FORMAT,
        "model_type": "rnnlab",
        "vocabulary_size": model.vocabulary_size,
        "model": model.settings.model_dump(mode="json"),
        **about,
    }
    save_weights(folder, weights or dict(model.named_parameters()))
    write_json(folder / TOKENIZER, sealed(tokenizer.to_json()))
    write_json(folder / MODEL_CONFIG, sealed(config))  # last: if it is there, so are the others


def save_weights(folder: Path, weights: Mapping[str, Tensor]) -> None:
    """Replace the weights in a model folder; `weights` are by parameter name."""
    write_tensors(folder / WEIGHTS, weights)


def load_model(folder: Path) -> tuple[LanguageModel, Tokenizer, dict[str, Any]]:
    """Read a model folder: the model, its tokenizer, and the content of config.json.

    Raises ModelFolderError, which names the file and what is wrong with it.
    """
    config = read_json(folder / MODEL_CONFIG, ModelFolderError)
    if config.get("format") != FORMAT:
        raise ModelFolderError(
            f"{folder / MODEL_CONFIG}: format {config.get('format')!r} is not known; this version "
            f"of rnnlab reads format {FORMAT}"
        )
    settings = settings_in(config, "model", ModelSettings, folder / MODEL_CONFIG)
    file = folder / TOKENIZER
    content = read_json(file, ModelFolderError)
    try:
        tokenizer = tokenizer_from_json(content)
    except Exception as error:  # the tokenizers library raises bare Exception
        raise ModelFolderError(f"{file}: not a tokenizer: {message_of(error)}") from None
    if tokenizer.size != config.get("vocabulary_size"):
        raise ModelFolderError(
            f"{folder}: {TOKENIZER} has {tokenizer.size} tokens, "
            f"{MODEL_CONFIG} says {config.get('vocabulary_size')!r}"
        )
    file = folder / WEIGHTS
    tensors, _ = read_tensors(file, _shapes(settings, tokenizer.size))
    model = LanguageModel(settings, tokenizer.size, seed=0)  # not of the caller's random numbers
    for name, parameter in model.named_parameters():
        if not tensors[name].isfinite().all():
            raise ModelFolderError(f"{file}: damaged, {name} holds NaN or infinite numbers")
        parameter.data.copy_(tensors[name])
    return model, tokenizer, config


def settings_in(content: Mapping[str, Any], key: str, group: type[Group], file: Path) -> Group:
    """Read settings from a JSON object; raises ModelFolderError, which names the file."""
    values = content.get(key)
    if not isinstance(values, dict):
        raise ModelFolderError(f"{file}: no {key} settings: must be a JSON object")
    try:
        missing = {n: value for n, value in EARLIER.items() if n in group.model_fields}
        return group.from_dict(missing | values)
    except UsageError as error:
        raise ModelFolderError(f"{file}: no {key} settings: {error}") from None


def _shapes(settings: ModelSettings, vocabulary_size: int) -> Shapes:
    """Return the shapes of such a model's weights without allocating them."""
    plain = settings.model_copy(update={"init": "torch"})
    with torch.device("meta"):
        model = LanguageModel(plain, vocabulary_size)
    return {name: tuple(parameter.shape) for name, parameter in model.named_parameters()}


def find_model(path: Path, checkpoint: str = "best") -> tuple[Path, str]:
    """Return the model folder in a run directory, and its checkpoint, best or last.

    For a model folder: `path` itself and "". `checkpoint` is best or last; the last one is taken if
    a run has no best one, because nothing was held out or nothing has been evaluated yet.

    Raises UsageError if there is neither a run nor a model, ModelFolderError if a folder has lost
    its settings.
    """
    if (path / MODEL_CONFIG).is_file():
        return path, ""
    for name in (checkpoint, "last"):
        folder = path / "checkpoint" / name
        if (folder / MODEL_CONFIG).is_file():
            return folder, name
        if folder.exists():
            other = "; --checkpoint last reads the last weights" if name == "best" else ""
            raise ModelFolderError(f"{folder}: damaged, it has no file {MODEL_CONFIG}{other}")
    reason = (
        "has no checkpoint yet" if (path / "config.toml").is_file() else "is not a run directory"
    )
    if not path.exists():
        reason = "does not exist"
    raise UsageError(f"model {str(path)!r} {reason}; give a run directory or a model folder")
