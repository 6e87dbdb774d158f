"""Makes a model of rnnlab from a checkpoint of another program and its vocabulary."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from rnnlab.config import ComputeSettings, DataSettings
from rnnlab.data.labelled_tokenizer import inner_kind
from rnnlab.data.samples import start_of_samples
from rnnlab.data.tokenizer import Tokenizer, text_rule
from rnnlab.errors import ForeignFileError
from rnnlab.interop.checkpoints import read_checkpoint
from rnnlab.interop.huggingface_folder import (
    CONFIG,
    TOKENIZER,
    WEIGHTS,
    read_huggingface_folder,
)
from rnnlab.interop.recognition import Array, Recognised, recognise
from rnnlab.interop.vocabularies import Vocabulary, read_vocabulary
from rnnlab.lm.compute import Compute
from rnnlab.lm.stored_network import StoredNetwork
from rnnlab.lm.text_model import TextModel

IMPORTED = "imported"
"""The key of config.json that says which file a model comes from, and how it was read."""

NEVER = -1e4
"""The output bias of a token that the checkpoint lacks: its probability is zero in float32."""

BY_TOKEN = {"embedding.weight": 0, "output.weight": 0, "output.bias": 0}
"""The axis of tokens in each weight; with one-hot input also the columns of weight_ih_l0."""


def import_network(
    file: Path,
    vocabulary: Path,
    *,
    unknown: str = "",
    nonlinearity: str = "tanh",
    preprocessing: str = "none",
    machine: ComputeSettings | None = None,
) -> TextModel:
    """Return the model of a checkpoint.

    unknown: see `read_vocabulary`. nonlinearity: see `recognise`. preprocessing: the text rule that
    the other program applies before it looks its tokens up.

    Raises ForeignFileError if a file is not what it should be, or if they do not fit together.
    """
    data = DataSettings.from_dict({"preprocessing": preprocessing})
    words = read_vocabulary(vocabulary, unknown)
    found = recognise(file, read_checkpoint(file), nonlinearity)
    if found.vocabulary_size != words.num_rows:
        raise ForeignFileError(
            f"{file} has {found.vocabulary_size} tokens, {vocabulary} has {words.num_rows}"
        )
    tokenizer = words.tokenizer
    network = StoredNetwork(found.settings, tokenizer.size, None, _by_our_ids(found, words))
    return _model(file, network, tokenizer, data, [*found.notes, *words.notes], machine)


def import_folder(folder: Path, machine: ComputeSettings | None = None) -> TextModel:
    """Return the model of a folder that was exported to huggingface, maybe trained on since.

    Raises ForeignFileError if it is another folder, or damaged.
    """
    read = read_huggingface_folder(folder)
    file = folder / WEIGHTS
    found = recognise(file, read_checkpoint(file), read.nonlinearity)
    if (found.settings.cell, found.vocabulary_size) != (read.cell, read.tokenizer.size):
        raise ForeignFileError(
            f"{file} holds a {found.settings.cell} of {found.vocabulary_size} tokens; {CONFIG} and "
            f"{TOKENIZER} say {read.cell} and {read.tokenizer.size}"
        )
    start = start_of_samples(read.tokenizer) if read.data.unit != "text" else None
    network = StoredNetwork(found.settings, read.tokenizer.size, start, found.arrays)
    return _model(file, network, read.tokenizer, read.data, [*found.notes, *read.notes], machine)


def _model(
    file: Path,
    network: StoredNetwork,
    tokenizer: Tokenizer,
    data: DataSettings,
    notes: list[str],
    machine: ComputeSettings | None,
) -> TextModel:
    with file.open("rb") as stream:
        checksum = hashlib.file_digest(stream, "sha256").hexdigest()
    about: dict[str, Any] = {
        "data": {"preprocessing": data.preprocessing},
        IMPORTED: {"file": file.name, "sha256": checksum, "notes": notes},
    }
    if data.unit != "text":
        about["data"]["unit"] = data.unit
    compute = Compute.choose(machine or ComputeSettings(), network.settings.cell)
    rule = text_rule(data, inner_kind(tokenizer))
    model = TextModel(network, tokenizer, rule, compute, about)
    if compute.engine.needs_torch:
        _ = model.model
    return model


def _by_our_ids(found: Recognised, words: Vocabulary) -> dict[str, Array]:
    """Return the weights with a row for each of our tokens; one that is new gets the mean."""
    axes = dict(BY_TOKEN)
    if found.settings.input == "one-hot":
        axes["recurrent.weight_ih_l0"] = 1
    arrays, new = dict(found.arrays), words.rows < 0
    for name in axes.keys() & arrays.keys():
        array, axis = arrays[name], axes[name]
        mean = array.mean(axis, keepdims=True)
        extended = np.concatenate([array, mean], axis)  # row -1 is the mean
        arrays[name] = np.ascontiguousarray(extended.take(words.rows, axis))
    arrays["output.bias"][new] = NEVER
    return arrays
