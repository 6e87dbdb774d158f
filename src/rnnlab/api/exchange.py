"""Models for other programs and from them, as functions of the library."""

from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rnnlab.api.models import load
from rnnlab.config import ComputeSettings
from rnnlab.errors import ForeignFileError, UntrustedCodeError, UsageError, unknown
from rnnlab.interop.huggingface_folder import CONFIG
from rnnlab.lm.text_model import TextModel

if TYPE_CHECKING:
    from rnnlab.interop.exporting import Exported


def export_model(
    model: TextModel | str | PathLike[str],
    output: str | PathLike[str],
    to: str | None = None,
    *,
    checkpoint: str = "best",
    weights: str = "float16",
) -> "Exported":
    """Write a model in the form of another program; return its path, and what it leaves out.

    model: a loaded model, a run directory or a model folder. output: a new file (onnx, page) or
    folder. to: "onnx", a graph that any runtime of ONNX computes; "huggingface", a folder that
    transformers reads after `import rnnlab.huggingface`; "torch", one Python file of plain torch.nn
    with its weights and vocabulary; "page", one HTML file that writes in any browser; None: page
    for a name that ends in .html, and onnx otherwise. checkpoint: of a run directory. weights: of a
    page, "float16" or "int8".

    >>> rnnlab.export_model("runs/small", "exported", to="torch").left_out
    ('the n-gram model of order 10: these are the logits of the network alone',)

    Raises UsageError for an unknown form, for an `output` that exists, for a cell or a tokenizer
    that the form lacks, or for a model that is too large for a page; UnavailableError if the
    package onnx is not installed.
    """
    from rnnlab.interop.exporting import export_to
    from rnnlab.report.page.stored_weights import WEIGHTS

    to = to or ("page" if Path(output).suffix.lower() == ".html" else "onnx")
    if weights not in WEIGHTS:
        raise unknown("weights", weights, WEIGHTS)
    if weights != WEIGHTS[0] and to != "page":
        raise UsageError(f"weights {weights!r} are for a page; {to} has float32")
    try:
        loaded = model if isinstance(model, TextModel) else load(model, checkpoint)
    except UntrustedCodeError as error:
        raise UsageError(f"{model} has a cell of its own, {error.cell}, which {to} lacks") from None
    name = "A model" if isinstance(model, TextModel) else Path(model).absolute().name

    def page(*given: Any) -> list[str]:
        from rnnlab.report.page.writing import write_page

        return write_page(*given, weights=weights, name=name)

    return export_to(loaded, Path(output), to, {"page": page})


def import_model(
    file: str | PathLike[str],
    vocabulary: str | PathLike[str] | None = None,
    *,
    unknown: str = "",
    nonlinearity: str = "tanh",
    preprocessing: str = "none",
    **machine: Any,
) -> TextModel:
    """Make a model from a checkpoint of PyTorch; save it with `.save(FOLDER)`.

    file: safetensors, or written by torch.save: nn.RNN, nn.GRU or nn.LSTM, nn.Linear and maybe
    nn.Embedding under any names, or d2l's written-out LSTM or RNN. Nothing in it is run. Or a
    folder that was exported to huggingface, which needs nothing else. vocabulary: a JSON file with
    a list of characters or an object with their ids, a text with one a line, or the tokenizer.json
    of a model folder. unknown: the token that stands for others; "": <unk>, if there is one.
    nonlinearity: of an nn.RNN, "tanh" or "relu". preprocessing: the text rule of the other program.
    machine: engine, device, precision, threads.

    >>> model = rnnlab.import_model("exported/model.safetensors", "exported/tokenizer.json")
    >>> model.network.settings.cell
    'lstm'

    Raises ForeignFileError if a file is not what it should be or holds more than such a network,
    UsageError for an option that does not fit.
    """
    from rnnlab.interop.importing import import_folder, import_network

    compute = ComputeSettings.from_dict(machine, "import_model")
    if Path(file).is_dir():
        if not (Path(file) / CONFIG).is_file():
            raise ForeignFileError(
                f"{file} is a folder without {CONFIG}; give a file, or a folder for transformers"
            )
        if vocabulary or unknown or (nonlinearity, preprocessing) != ("tanh", "none"):
            raise UsageError(
                f"{file} is a folder, which says itself what its tokens are; leave vocabulary, "
                "unknown, nonlinearity and preprocessing out"
            )
        return import_folder(Path(file), compute)
    if vocabulary is None:
        missing = "does not say what its tokens are; give a vocabulary"
        raise UsageError(f"{file} {missing if Path(file).exists() else 'does not exist'}")
    return import_network(
        Path(file), Path(vocabulary), unknown=unknown, nonlinearity=nonlinearity,
        preprocessing=preprocessing, machine=compute,
    )  # fmt: skip
