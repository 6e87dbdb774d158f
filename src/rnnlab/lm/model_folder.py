"""The model folder: config.json, model.safetensors, tokenizer.json, maybe more.

With an n-gram model ngram.safetensors, with a cell of the user's own cell.py. No pickle is read or
written.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from rnnlab.config import EARLIER, MAX_ORDER, ModelSettings, SettingsGroup
from rnnlab.data.samples import start_of_samples
from rnnlab.data.tokenizer import Tokenizer, tokenizer_from_json
from rnnlab.errors import ModelFolderError, UsageError, message_of
from rnnlab.files import make_folder, read_json, sealed, write_json
from rnnlab.lm.cell_file import check_cell, trust_cell, write_cell
from rnnlab.lm.ngram_file import read_ngram, remove_ngram, write_ngram
from rnnlab.lm.ngram_mixture import NGramMixture
from rnnlab.lm.stored_network import StoredNetwork, parameter_shapes
from rnnlab.lm.tensor_file import (
    MODEL_CONFIG,
    Arrays,
    Described,
    arrays_of,
    read_arrays,
    write_arrays,
)

if TYPE_CHECKING:
    from torch import Tensor

    from rnnlab.lm.model import LanguageModel

Group = TypeVar("Group", bound=SettingsGroup)

FORMAT = 1
JOINED = "ngram"
"""The key of config.json that says that an n-gram model joins the network, and its order."""
MEMBERS = "members"
"""The key of config.json that says how many networks an ensemble has."""
WEIGHTS, TOKENIZER = "model.safetensors", "tokenizer.json"


def save_model(
    folder: Path,
    model: LanguageModel | StoredNetwork,
    tokenizer: Tokenizer,
    about: dict[str, Any],
    weights: Mapping[str, Tensor] | None = None,
    mixture: NGramMixture | None = None,
) -> None:
    """Write a model folder; `about` goes into config.json (text rule, training data).

    weights: written instead of the model's own, by parameter name. mixture: an n-gram model that
    joins the network.
    """
    make_folder(folder)
    config = {
        "format": FORMAT,
        "model_type": "rnnlab",
        "vocabulary_size": model.vocabulary_size,
        "model": model.settings.model_dump(mode="json"),
        **about,
    }
    config.pop(JOINED, None)
    if mixture is not None:
        config[JOINED] = {"order": len(mixture.table.orders)}
    arrays = arrays_of(weights) if weights else weights_of(model)
    write_arrays(folder / WEIGHTS, arrays)
    write_json(folder / TOKENIZER, sealed(tokenizer.to_json()))
    write_cell(folder, model.settings.cell)
    if mixture is not None:
        write_ngram(folder, mixture, tokenizer, arrays)
    write_json(folder / MODEL_CONFIG, sealed(config))  # last: if it is there, so are the others
    if mixture is None:
        remove_ngram(folder)


def save_weights(folder: Path, weights: Mapping[str, Tensor]) -> None:
    """Replace the weights in a model folder; `weights` are by parameter name."""
    write_arrays(folder / WEIGHTS, arrays_of(weights))


def weights_of(model: LanguageModel | StoredNetwork) -> Arrays:
    """Return the weights of a model by parameter name."""
    if isinstance(model, StoredNetwork):
        return model.arrays
    return arrays_of(dict(model.named_parameters()))


def load_network(folder: Path) -> tuple[StoredNetwork, Tokenizer, dict[str, Any]]:
    """Read a model folder: the network, its tokenizer, and the content of config.json.

    Raises ModelFolderError, which names the file and what is wrong with it, UntrustedCodeError for
    a cell whose code the user has not asked to run.
    """
    config = read_json(folder / MODEL_CONFIG, ModelFolderError)
    if config.get("format") != FORMAT:
        raise ModelFolderError(
            f"{folder / MODEL_CONFIG}: format {config.get('format')!r} is not known; this version "
            f"of rnnlab reads format {FORMAT}"
        )
    settings = settings_in(config, "model", ModelSettings, folder / MODEL_CONFIG)
    check_cell(folder, settings.cell)
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
    shapes = parameter_shapes(settings, tokenizer.size)
    expected = {name: Described(shape, "F32") for name, shape in shapes}

    def check(found: Mapping[str, Described]) -> None:
        if odd := sorted(found.keys() ^ expected.keys()):
            raise ModelFolderError(f"{file}: the parameters are not those of {MODEL_CONFIG}: {odd}")
        for name, wanted in expected.items():
            if found[name] != wanted:
                raise ModelFolderError(
                    f"{file}: {name} is {found[name]}, {MODEL_CONFIG} says {wanted}"
                )

    arrays, _ = read_arrays(file, check)
    for name in expected:
        if not np.isfinite(arrays[name]).all():
            raise ModelFolderError(f"{file}: damaged, {name} holds NaN or infinite numbers")
    network = StoredNetwork(settings, tokenizer.size, _start(config, tokenizer), arrays)
    return network, tokenizer, config


def trust_model(path: Path, checkpoint: str = "best") -> None:
    """Let the Python file of a model's cell be run, if it has one. Raises as `load_network`."""
    folder, _ = find_model(path, checkpoint)
    content = read_json(folder / MODEL_CONFIG, ModelFolderError)
    trust_cell(folder, settings_in(content, "model", ModelSettings, folder / MODEL_CONFIG).cell)


def load_mixture(
    folder: Path, config: Mapping[str, Any], tokenizer: Tokenizer, network: StoredNetwork
) -> NGramMixture | None:
    """Read the n-gram part of a model folder; None if its config.json names none.

    Raises ModelFolderError, which names the file and what is wrong with it.
    """
    if JOINED not in config:
        return None
    about = config[JOINED]
    order = about.get("order") if isinstance(about, dict) else about
    if isinstance(order, bool) or not isinstance(order, int) or not 1 <= order <= MAX_ORDER:
        raise ModelFolderError(
            f"{folder / MODEL_CONFIG}: the order of {JOINED} must be 1 to {MAX_ORDER}, not "
            f"{order!r}"
        )
    return read_ngram(folder, order, tokenizer, network.arrays, network.start)


def _start(config: Mapping[str, Any], tokenizer: Tokenizer) -> int | None:
    data = config.get("data")
    is_of_samples = isinstance(data, dict) and data.get("unit", "text") != "text"
    return start_of_samples(tokenizer) if is_of_samples else None


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
            raise ModelFolderError(f"{folder}: damaged, it has no file {MODEL_CONFIG}")
    reason = (
        "has no checkpoint yet" if (path / "config.toml").is_file() else "is not a run directory"
    )
    if not path.exists():
        reason = "does not exist"
    raise UsageError(f"model {str(path)!r} {reason}; give a run directory or a model folder")
