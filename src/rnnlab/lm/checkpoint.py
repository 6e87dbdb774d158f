"""The model folder: config.json, model.safetensors, tokenizer.json.

No pickle is read or written.
"""

import json
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
from torch import Tensor

from rnnlab.config import ModelSettings
from rnnlab.data.files import write_atomically, write_json
from rnnlab.data.tokenizer import Tokenizer, tokenizer_from_json
from rnnlab.errors import ModelFolderError, UsageError
from rnnlab.lm.model import LanguageModel

FORMAT = 1
CONFIG, WEIGHTS, TOKENIZER = "config.json", "model.safetensors", "tokenizer.json"


def save_model(
    folder: Path, model: LanguageModel, tokenizer: Tokenizer, about: dict[str, Any]
) -> None:
    """Write a model folder; `about` is kept in config.json (text rule, where it was trained)."""
    folder.mkdir(parents=True, exist_ok=True)
    config = {
        "format": FORMAT,
        "model_type": "rnnlab",
        "vocabulary_size": model.vocabulary_size,
        "model": model.settings.model_dump(mode="json"),
        **about,
    }
    write_json(folder / CONFIG, config)
    write_json(folder / TOKENIZER, tokenizer.to_json())
    save_weights(folder, model)


def save_weights(folder: Path, model: LanguageModel) -> None:
    """Replace the weights in a model folder."""
    tensors = {name: p.detach().cpu().contiguous() for name, p in model.named_parameters()}
    write_atomically(folder / WEIGHTS, safetensors.torch.save(tensors, {"format": "pt"}))


def load_model(folder: Path) -> tuple[LanguageModel, Tokenizer, dict[str, Any]]:
    """Read a model folder: the model, its tokenizer, and all of config.json.

    Raises ModelFolderError that names the file and what is wrong with it.
    """
    config = _read_json(folder / CONFIG)
    if config.get("format") != FORMAT:
        raise ModelFolderError(
            f"{folder / CONFIG}: format {config.get('format')!r} is not known; this version of "
            f"rnnlab reads format {FORMAT}"
        )
    try:
        settings = ModelSettings(**config["model"])
    except (KeyError, TypeError, UsageError) as error:
        raise ModelFolderError(f"{folder / CONFIG}: no model settings: {error}") from None
    file = folder / TOKENIZER
    content = _read_json(file)
    try:
        tokenizer = tokenizer_from_json(content)
    except Exception as error:  # the tokenizers library raises bare Exception
        raise ModelFolderError(f"{file}: not a tokenizer: {error!r}") from None
    if tokenizer.size != config.get("vocabulary_size"):
        raise ModelFolderError(
            f"{folder}: {TOKENIZER} has {tokenizer.size} tokens, "
            f"{CONFIG} says {config.get('vocabulary_size')!r}"
        )
    model = LanguageModel(settings, tokenizer.size)
    _load_weights(folder / WEIGHTS, model)
    return model, tokenizer, config


def _load_weights(file: Path, model: LanguageModel) -> None:
    tensors = _read_tensors(file)
    expected = dict(model.named_parameters())
    if odd := sorted(tensors.keys() ^ expected.keys()):
        raise ModelFolderError(f"{file}: the parameters are not those of {CONFIG}: {odd}")
    for name, parameter in expected.items():
        found, wanted = tensors[name], parameter
        if found.shape != wanted.shape or found.dtype != wanted.dtype:
            raise ModelFolderError(
                f"{file}: {name} is {tuple(found.shape)} {found.dtype}, "
                f"{CONFIG} says {tuple(wanted.shape)} {wanted.dtype}"
            )
        if not found.isfinite().all():
            raise ModelFolderError(f"{file}: damaged, {name} holds NaN or infinite numbers")
        parameter.data.copy_(found)


def _read_tensors(file: Path) -> dict[str, Tensor]:
    try:
        return dict(safetensors.torch.load(file.read_bytes()))
    except OSError as error:
        raise ModelFolderError(f"{file}: cannot be read: {error.strerror}") from None
    except safetensors.SafetensorError as error:
        raise ModelFolderError(f"{file}: damaged, no safetensors file: {error}") from None


def _read_json(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_bytes())
    except OSError as error:
        raise ModelFolderError(f"{file}: cannot be read: {error.strerror}") from None
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ModelFolderError(f"{file}: damaged, no JSON: {error}") from None
    if not isinstance(content, dict):
        raise ModelFolderError(f"{file}: damaged, must hold a JSON object")
    return content


def find_model(path: Path, checkpoint: str = "best") -> Path:
    """Find the model folder in a run directory, or return `path` if it is a model folder itself.

    `checkpoint` is best or last; a run without a validation split has only a last one, which is
    then taken for best. Raises UsageError where there is neither run nor model.
    """
    if (path / CONFIG).is_file():
        return path
    for name in (checkpoint, "last"):
        if (path / "checkpoint" / name / CONFIG).is_file():
            return path / "checkpoint" / name
    reason = "has no checkpoint yet" if (path / "config.toml").is_file() else "is no run directory"
    if not path.exists():
        reason = "does not exist"
    raise UsageError(f"model {str(path)!r} {reason}; give a run directory or a model folder")
