"""A model as a folder for transformers, in which rnnlab.huggingface computes it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors.numpy import save

from rnnlab import __version__
from rnnlab.cells import CELLS, short_name
from rnnlab.config import DataSettings
from rnnlab.data.base_tokenizer import UNKNOWN
from rnnlab.data.labelled_tokenizer import labels_of
from rnnlab.data.tokenizer import Tokenizer, WordTokenizer
from rnnlab.errors import ForeignFileError, UsageError
from rnnlab.files import read_json, write_atomically, write_json
from rnnlab.interop.fast_tokenizers import (
    KINDS,
    PAD,
    fast_tokenizer,
    kind_of,
    read_fast_tokenizer,
)
from rnnlab.lm.stored_network import StoredNetwork

MODEL_TYPE = "rnnlab"

CONFIG, WEIGHTS, TOKENIZER = "config.json", "model.safetensors", "tokenizer.json"
TOKENIZER_CONFIG, GENERATION = "tokenizer_config.json", "generation_config.json"


def write_huggingface_folder(
    folder: Path,
    network: StoredNetwork,
    tokenizer: Tokenizer,
    rule: str,
    data: dict[str, Any],
    left_out: list[str],
) -> None:
    """Write configuration, weights and tokenizer; raise UsageError for a cell not in CELLS.

    rule: what is done with a text first. data: the setting that it comes from, and the unit of
    samples, for who reads the model back.
    """
    settings, V, start = network.settings, network.vocabulary_size, network.start
    if settings.cell not in CELLS:
        raise UsageError(
            f"rnnlab.huggingface has no cell {short_name(settings.cell)!r}; it has "
            f"{', '.join(CELLS)}"
        )
    begin = int(tokenizer.start_ids()[-1]) if start is None else start
    ids: dict[str, Any] = {"bos_token_id": begin, "eos_token_id": start, "pad_token_id": V}
    config: dict[str, Any] = {
        "architectures": ["RnnlabForCausalLM"],
        "model_type": MODEL_TYPE,
        "cell": settings.cell,
        "vocab_size": V,
        "hidden_size": settings.hidden_size,
        "num_hidden_layers": settings.num_layers,
        "embedding_size": 0 if settings.input == "one-hot" else settings.embedding_size,
        "tie_word_embeddings": settings.tie_weights,
        "start_token_id": start,
        "dtype": "float32",
        "tokenizer": kind_of(tokenizer),
        "data": data,
        "left_out": left_out,
        "rnnlab": __version__,
    }
    if labels_of(tokenizer):
        config["labels"] = tokenizer.to_json()["labels"]
    about = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "pad_token": PAD,
        "padding_side": "left",  # what is written follows the text
        "split_special_tokens": True,
        "clean_up_tokenization_spaces": False,
        "model_input_names": ["input_ids", "attention_mask"],
    }
    if tokenizer.unknown_id is not None:
        about["unk_token"] = UNKNOWN
        ids["suppress_tokens"] = [tokenizer.unknown_id]
    fast = fast_tokenizer(tokenizer, rule, start)
    write_atomically(folder / WEIGHTS, save(dict(network.arrays), {"format": "pt"}))
    write_atomically(folder / TOKENIZER, fast.to_str(pretty=True).encode())
    write_json(folder / TOKENIZER_CONFIG, about)
    write_json(folder / GENERATION, {"_from_model_config": False, **ids})
    write_json(folder / CONFIG, config)


@dataclass(frozen=True)
class Read:
    """What a folder says of its model, apart from the weights."""

    cell: str
    tokenizer: Tokenizer
    data: DataSettings
    notes: list[str]

    @property
    def nonlinearity(self) -> str:
        """What the weights of a simple network do not tell."""
        return "relu" if self.cell == "rnn-relu" else "tanh"


def read_huggingface_folder(folder: Path) -> Read:
    """Read what `write_huggingface_folder` has written, or transformers after it.

    Raises ForeignFileError for other folders and for files that are damaged.
    """
    file = folder / CONFIG
    config = read_json(file, ForeignFileError)
    if config.get("model_type") != MODEL_TYPE:
        raise ForeignFileError(
            f"{file}: a model of the type {config.get('model_type')!r}; of folders only those that "
            "rnnlab export --to huggingface has written can be read"
        )
    if "format" in config:
        raise ForeignFileError(f"{folder}: a model folder of rnnlab already; use it as it is")
    cell, kind = config.get("cell"), config.get("tokenizer")
    if cell not in CELLS or kind not in KINDS:
        wrong = f"tokenizer {kind!r}" if cell in CELLS else f"cell {cell!r}"
        choices = KINDS if cell in CELLS else CELLS
        raise ForeignFileError(f"{file}: the {wrong} is not known; known are {', '.join(choices)}")
    data, labels = config.get("data") or {}, config.get("labels") or {}
    if not (isinstance(data, dict) and isinstance(labels, dict)) or not all(
        type(count) is int for count in labels.values()
    ):
        raise ForeignFileError(
            f"{file}: damaged, data must be settings, and labels numbers of samples by label"
        )
    try:
        settings = DataSettings.from_dict(data)
    except UsageError as error:
        raise ForeignFileError(f"{file}: damaged: {error}") from None
    tokenizer = read_fast_tokenizer(folder / TOKENIZER, kind, labels)
    has_ngram = any("n-gram" in str(part) for part in config.get("left_out") or ())
    notes = ["the n-gram model was left out when it was exported"] if has_ngram else []
    if issubclass(KINDS[kind], WordTokenizer):
        notes.append("the spelling of unknown words is learned from the known ones")
    return Read(cell, tokenizer, settings, notes)
