"""Writes a model in the form of another program, and says what that form leaves out."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from rnnlab import __version__
from rnnlab.data.samples import SEPARATOR
from rnnlab.errors import UsageError, unknown
from rnnlab.files import check_path, make_folder, new_folder, write_atomically
from rnnlab.interop.fast_tokenizers import DOCUMENTS
from rnnlab.interop.huggingface_folder import write_huggingface_folder
from rnnlab.interop.onnx_graph import onnx_model
from rnnlab.interop.torch_module import write_torch_module
from rnnlab.lm.model_folder import weights_of
from rnnlab.lm.stored_network import StoredNetwork
from rnnlab.lm.text_model import TextModel


@dataclass(frozen=True)
class Exported:
    """What was written, and what of the model is not in it."""

    path: Path
    left_out: tuple[str, ...]


Write = Callable[[TextModel, StoredNetwork, Path], list[str]]
"""Writes a model to a path, and returns what is left out."""


def export_to(
    model: TextModel, output: Path, to: str, more: Mapping[str, Write] | None = None
) -> Exported:
    """Write a model as `to` says: one of TARGETS, or of `more`.

    Raises UsageError for an unknown form, if `output` exists, or for a cell that the form lacks.
    """
    targets = {**TARGETS, **(more or {})}
    if to not in targets:
        raise unknown("form", to, targets)
    check_path(output)
    if output.exists():
        raise UsageError(f"output {output} exists; choose another name, or delete it first")
    network = model.network
    if not isinstance(network, StoredNetwork):
        network = StoredNetwork(
            network.settings, network.vocabulary_size, network.start, weights_of(network)
        )
    return Exported(output, tuple(targets[to](model, network, output)))


def _write_onnx(model: TextModel, network: StoredNetwork, output: Path) -> list[str]:
    left_out = [
        "the tokenizer: ids go in, logits come out; the vocabulary is in the metadata",
        *_left_out(model),
    ]
    about = {
        "rnnlab": __version__,
        "left_out": "\n".join(left_out),
        "model": json.dumps(network.settings.model_dump(mode="json")),
        "preprocessing": model.preprocessing,
        "tokenizer": json.dumps(model.tokenizer.to_json()),
    }
    if network.start is not None:
        about["start_of_samples"] = str(network.start)
    content = onnx_model(network, about).SerializeToString()
    make_folder(output.absolute().parent)
    write_atomically(output, content)
    return left_out


def _write_torch(model: TextModel, network: StoredNetwork, output: Path) -> list[str]:
    left_out = list(_left_out(model))
    with new_folder(output) as folder:
        write_torch_module(folder, network, model.tokenizer, left_out or ["nothing"])
    return left_out


def _write_huggingface(model: TextModel, network: StoredNetwork, output: Path) -> list[str]:
    # The tokenizer applies the text rule, and the model resets its state.
    left_out, about = list(_ngram_left_out(model)), model.about.get("data", {})
    data = {key: about[key] for key in ("preprocessing", "unit") if key in about}
    rule = f"{model.preprocessing} {DOCUMENTS if model.of_documents else ''}"
    with new_folder(output) as folder:
        write_huggingface_folder(folder, network, model.tokenizer, rule, data, left_out)
    return left_out


TARGETS: Mapping[str, Write] = {
    "onnx": _write_onnx,
    "huggingface": _write_huggingface,
    "torch": _write_torch,
}


def _left_out(model: TextModel) -> Iterator[str]:
    """Yield what a network alone does not take along."""
    if model.preprocessing != "none":
        yield f"the text rule {model.preprocessing!r}: apply it before the tokenizer"
    yield from _ngram_left_out(model)
    if (start := model.network.start) is not None:
        yield (
            f"the reset of samples: set the state to zeros before each token {start} "
            f"({SEPARATOR!r}), with which a sample begins"
        )
    if model.of_documents:
        yield "the line breaks in documents: they are read and written as U+000B"


def _ngram_left_out(model: TextModel) -> Iterator[str]:
    """Yield what no form takes along."""
    if model.mixture is not None:
        yield (
            f"the n-gram model of order {len(model.mixture.table.orders)}: these are the logits "
            "of the network alone"
        )
