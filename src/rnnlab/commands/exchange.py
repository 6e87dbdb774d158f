"""The commands that write models for other programs and read theirs."""

from pathlib import Path
from typing import Annotated, Literal

import tyro

import rnnlab
from rnnlab.commands.flags import OPTIONAL, Checkpoint, Text
from rnnlab.config import ComputeSettings
from rnnlab.errors import UsageError
from rnnlab.files import new_folder


def export(
    model: tyro.conf.Positional[Path],
    output: Path,
    to: Annotated[Literal["onnx", "huggingface", "torch", "page"] | None, OPTIONAL] = None,
    checkpoint: Checkpoint = "best",
    weights: Literal["float16", "int8"] = "float16",
) -> None:
    """Write a model for other programs (ONNX, transformers, PyTorch), or as a page to give away.

    Args:
        model: run directory or model folder
        output: new file (onnx, page) or folder (huggingface, torch)
        to: onnx: a graph with its weights, for ONNX runtimes; huggingface: a folder for
            transformers, after `import rnnlab.huggingface`; torch: a Python file that needs no
            rnnlab, with weights and vocabulary; page: one HTML file that writes in any browser,
            offline; default: page for a name that ends in .html, otherwise onnx
        checkpoint: of a run directory: best on the validation split, or last
        weights: of a page: int8 takes half of the space, and predicts a little worse
    """
    from rnnlab.display.exchange import tell_exported

    exported = rnnlab.export_model(model, output, to, checkpoint=checkpoint, weights=weights)
    tell_exported(exported)


def import_(
    file: tyro.conf.Positional[Path],
    machine: ComputeSettings,
    output: Path,
    vocabulary: Path | None = None,
    unknown: Text = "",
    nonlinearity: Literal["tanh", "relu"] = "tanh",
    preprocessing: Literal["none", "lower", "letters"] = "none",
) -> None:
    """Make a model from a checkpoint of PyTorch: an RNN, GRU or LSTM and its output layer.

    Args:
        file: safetensors, or what torch.save wrote, of which only tensors are read; or a folder
            that rnnlab export --to huggingface has written
        output: new folder for the model
        vocabulary: of a file: JSON with a list of characters or an object with their ids, a text
            with one a line (\\n is a line break, \\t a tab), or the tokenizer.json of a model
            folder
        unknown: token that stands for all other characters; default: <unk>, if there is one
        nonlinearity: of an nn.RNN, which its weights do not tell
        preprocessing: what the other program does with a text first; see rnnlab train
    """
    from rnnlab.display.exchange import tell_imported

    if output.exists():
        raise UsageError(f"--output {output} exists; choose another folder, or delete it first")
    model = rnnlab.import_model(
        file, vocabulary, unknown=unknown, nonlinearity=nonlinearity, preprocessing=preprocessing,
        **dict(machine),
    )  # fmt: skip
    with new_folder(output) as folder:
        model.save(folder)
    tell_imported(model, output)
