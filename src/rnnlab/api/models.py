"""What a trained model is used for, as functions of the library; they import no torch."""

from os import PathLike
from typing import Any

from rnnlab.config import ComputeSettings, LoadSettings
from rnnlab.errors import UsageError
from rnnlab.lm.text_model import TextModel
from rnnlab.runs.loading import load_text_model


def load(
    path: str | PathLike[str], checkpoint: str = "best", *, trust_cell: bool = False, **machine: Any
) -> TextModel:
    """Load the model of a run directory, or a model folder.

    checkpoint: of a run directory, "best" on the validation split, or "last".
    trust_cell: run the Python file of a cell of the user's own that comes with the model; without,
    such a model is refused. machine: engine, device, precision, threads.

    >>> rnnlab.load("runs/small", engine="textbook").compute.engine.name
    'textbook'

    Raises UsageError if there is no model, ModelFolderError if it is damaged, UnavailableError if
    this machine lacks the engine, device or precision, UntrustedCodeError if the model has a cell
    of the user's own. If the weights of a run are damaged, the
    message says which others are intact.
    """
    settings = ComputeSettings.from_dict(machine, "load")
    return load_text_model(path, checkpoint, settings, trust_cell=trust_cell)


def generate(
    model: TextModel | str | PathLike[str],
    prefix: str | list[str] | tuple[str, ...] = "",
    *,
    checkpoint: str = "best",
    **settings: Any,
) -> str | list[str]:
    """Continue one prefix, or several as one batch; return a text or a list of texts.

    model: a loaded model, a run directory or a model folder.
    settings: by the names in `rnnlab generate --help` (length=500, temperature=0.5);
    engine, device, precision, threads and trust_cell only if the model is not loaded yet.

    >>> text = rnnlab.generate("runs/small", "The ", length=20, seed=1)
    >>> len(text)
    24
    """
    machine = {n: settings.pop(n) for n in LoadSettings.model_fields if n in settings}
    if not isinstance(model, TextModel):
        model = load(model, checkpoint, **machine)
    elif machine:
        raise UsageError(
            f"generate: the model is loaded already; give {', '.join(machine)} to load"
        )
    return model.generate(prefix, **settings)
