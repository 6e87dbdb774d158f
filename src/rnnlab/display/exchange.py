"""Says what was exported or imported, and what to do with it."""

from pathlib import Path

from rnnlab.display.plain_console import PlainConsole
from rnnlab.interop.exporting import Exported
from rnnlab.interop.importing import IMPORTED
from rnnlab.interop.torch_module import PROGRAM
from rnnlab.lm.text_model import TextModel


def tell_exported(exported: Exported) -> None:
    """Say where a model is, and in one sentence what is not in it."""
    tell = PlainConsole(highlight=False, soft_wrap=True).tell
    program = exported.path / PROGRAM
    how = f"; write with python {program}" if program.is_file() else ""
    if exported.path.suffix.lower() == ".html" and exported.path.is_file():
        size = exported.path.stat().st_size / 1e6
        how = f", {size:.1f} MB; open it in a browser"
    tell("exported", f"{exported.path}{how}")
    tell("left out", "; ".join(exported.left_out) or "nothing")


def tell_imported(model: TextModel, folder: Path) -> None:
    """Say what was found in a checkpoint, and where the model is."""
    tell, settings = PlainConsole(highlight=False, soft_wrap=True).tell, model.network.settings
    reads = "one-hot" if settings.input == "one-hot" else f"embedding of {settings.embedding_size}"
    tell(
        "found",
        f"{settings.num_layers} x {settings.cell} {settings.hidden_size:,}, {reads}, "
        f"{model.tokenizer.size:,} tokens",
    )
    for note in model.about[IMPORTED]["notes"]:
        tell("note", note)
    tell("saved", f"{folder}; measure it with rnnlab evaluate {folder} --text FILE")
