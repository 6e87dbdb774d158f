"""RUN/checkpoint/last and RUN/checkpoint/best: a run's newest and best weights as model folders."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from rnnlab.lm.model_folder import save_weights
from rnnlab.lm.text_model import TextModel

BEST = "best."
"""Prefix of the best weights among the tensors of a training state."""


class Checkpoints:
    """The model folders of a run."""

    def __init__(self, directory: Path, model: TextModel) -> None:
        self._folder = directory / "checkpoint"
        self._model = model
        self._best: dict[str, Tensor] = {}
        """Weights of the best evaluation so far; empty before the first."""
        self._best_is_saved = True
        self._written: set[str] = set()
        """The folders that this process has written."""

    @property
    def chosen(self) -> str:
        """Which weights to evaluate: best, or last if nothing was held out."""
        return "best" if self._best else "last"

    def folder(self, which: str) -> Path:
        """Return the folder of the last or the best weights."""
        return self._folder / which

    def keep_best(self) -> None:
        """Copy the model's weights as the best ones; `save` writes them."""
        parameters = self._model.model.named_parameters()
        self._best = {name: p.detach().to("cpu", copy=True) for name, p in parameters}
        self._best_is_saved = False

    def save(self) -> None:
        """Save the model's weights as the last ones, and the best ones if there are new ones."""
        self._save("last", dict(self._model.model.named_parameters()))
        self.save_best()

    def save_best(self) -> None:
        """Save the best weights if there are new ones."""
        if not self._best_is_saved:
            self._save("best", self._best)
            self._best_is_saved = True

    def tensors(self) -> dict[str, Tensor]:
        """Return the best weights under the names that they have in a training state."""
        return {f"{BEST}{name}": weights for name, weights in self._best.items()}

    def restore(self, tensors: Mapping[str, Tensor], *, evaluated: bool) -> None:
        """Make checkpoint/best what it was when a state was saved; a later one may be there.

        evaluated: whether there had been a best evaluation.
        Raises ValueError if the state's best weights do not fit the model.
        """
        found = {n.removeprefix(BEST): t for n, t in tensors.items() if n.startswith(BEST)}
        shapes = {name: p.shape for name, p in self._model.model.named_parameters()}
        if {name: tensor.shape for name, tensor in found.items()} != (shapes if evaluated else {}):
            raise ValueError("the weights of the best evaluation are not those of this model")
        self._best = found
        if found:
            self._save("best", found)
        elif self.folder("best").is_dir():
            shutil.rmtree(self.folder("best"))

    def _save(self, which: str, weights: Mapping[str, Tensor]) -> None:
        if which in self._written:
            save_weights(self.folder(which), weights)
        else:  # all files, since those that an earlier process left may be damaged
            self._model.save(self.folder(which), weights)
            self._written.add(which)
