"""Loads the model of a run; if its weights are damaged, the error says what else is intact."""

from collections.abc import Sequence
from contextlib import suppress
from os import PathLike
from pathlib import Path

from rnnlab.config import ComputeSettings, TrainingSettings
from rnnlab.errors import ModelFolderError, RnnlabError, RunDirectoryError, UsageError
from rnnlab.files import read_json
from rnnlab.lm.model_folder import trust_model
from rnnlab.lm.text_model import TextModel
from rnnlab.runs.checksums import WEIGHTS, has_changed
from rnnlab.runs.files import RESULT, RUN_CONFIG, settings_of_run, state_files
from rnnlab.runs.given_texts import given_text_here

CHECKPOINTS = ("best", "last")
BUDGETS = ("num_epochs", "max_tokens", "max_seconds")


def load_text_model(
    path: str | PathLike[str],
    which: str = "best",
    machine: ComputeSettings | None = None,
    *,
    trust_cell: bool = False,
) -> TextModel:
    """Read a model folder or a run directory, as `TextModel.load` does.

    trust_cell: run the Python file of the model's own cell, if it has one.

    If the weights of a run are damaged or gone, the error names the other checkpoint and the
    training state, each if it is there and intact.
    """
    try:
        if trust_cell:
            trust_model(Path(path), which)
        model = TextModel.load(path, which, machine)
        for folder in (Path(path), Path(path).parent.parent):
            if (folder / RUN_CONFIG).is_file():
                _find_given_text(model, folder)
                model.has_ended = (folder / RESULT).exists()
                break
        return model
    except ModelFolderError as error:
        raise ModelFolderError(f"{error}{what_is_intact(Path(path), which)}") from None
    except UsageError as error:
        if not (Path(path) / RUN_CONFIG).is_file():
            raise
        raise UsageError(f"{error}{what_is_intact(Path(path), which)}") from None


def _find_given_text(model: TextModel, run: Path) -> None:
    """Let a model name the text that its run keeps, also if the run has moved."""
    data = model.about.get("data", {})
    if "corpus" in data:
        model.about["data"] = data | {"corpus": list(given_text_here(data["corpus"], run))}


def what_is_intact(path: Path, which: str) -> str:
    """Say how to go on without a checkpoint of a run; "" if nothing else is intact.

    path: the run directory, or the model folder of the checkpoint in it.
    """
    if path.parent.name == "checkpoint" and path.name in CHECKPOINTS:
        path, which = path.parent.parent, path.name
    if not (path / RUN_CONFIG).is_file():
        return ""
    ways = []
    for other in CHECKPOINTS:
        folder = path / "checkpoint" / other
        if other != which and _is_intact(path, other):
            ways.append(f"{folder} is intact (--checkpoint {other})")
    from rnnlab.runs.state_saver import newest_state

    with suppress(RnnlabError, OSError):
        if state_files(path) and newest_state(path) and (more := _to_resume(path)) is not None:
            ways.append(
                f"rnnlab train --resume {path}{more} goes on from the training state, and writes "
                "all weights again"
            )
    return "".join(f"; {way}" for way in ways)


def larger_budget(training: TrainingSettings, names: Sequence[str] = BUDGETS) -> str:
    """Return the flags for twice the budget; names: of the budgets that are raised."""
    budgets = {name: 2 * getattr(training, name) for name in names}
    return " ".join(
        f"--{name.replace('_', '-')} {f'{value:g}' if isinstance(value, float) else value}"
        for name, value in budgets.items()
        if value
    )


def _is_intact(directory: Path, which: str) -> bool:
    """Whether a checkpoint can be loaded, and its weights are those that the run wrote."""
    folder = directory / "checkpoint" / which
    with suppress(RunDirectoryError):
        result = read_json(directory / RESULT)
        weights = [name for name in WEIGHTS if name.startswith(f"checkpoint/{which}/")]
        if any(has_changed(directory, name, result) for name in weights):
            return False
    try:
        TextModel.load(folder, machine=ComputeSettings(device="cpu", engine="textbook"))
    except RnnlabError:
        return False
    return True


def _to_resume(directory: Path) -> str | None:
    """Return the flags with which a run can be resumed; None if it diverged, and would again."""
    from rnnlab.lm.train import NO_NEW_BEST

    try:
        stopped_by = str(read_json(directory / RESULT)["training"]["stopped_by"])
    except (RunDirectoryError, KeyError, TypeError):
        return ""
    if stopped_by == "divergence":
        return None
    if stopped_by.startswith(NO_NEW_BEST):
        return " --patience 0"
    is_over = stopped_by == "budget"
    return f" {larger_budget(settings_of_run(directory).training)}" if is_over else ""
