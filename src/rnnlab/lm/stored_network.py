"""The weights of a language model as arrays: what engines that need no torch read and write with.

Legend: H hidden size, E embedding size, I input size, V vocabulary size.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from rnnlab.cells import find_cell
from rnnlab.config import ModelSettings
from rnnlab.engines import Dropouts, Network

if TYPE_CHECKING:
    from rnnlab.lm.model import LanguageModel

Arrays = Mapping[str, npt.NDArray[np.float32]]


@dataclass
class StoredNetwork:
    """A language model that cannot learn; its weights are those of a model folder."""

    settings: ModelSettings
    vocabulary_size: int
    start: int | None
    """The id of the token with which a sample begins."""
    arrays: Arrays
    """By the names of `LanguageModel.named_parameters`."""

    def network(self) -> Network:
        """Return the parameters in the form in which engines take a whole model."""
        own: Mapping[str, Any] = self.arrays
        tied, cell = self.settings.tie_weights, find_cell(self.settings.cell)
        layers = [
            cell.weights(own[f"recurrent.{name}_l{layer}"] for name in cell.weight_names)
            for layer in range(self.settings.num_layers)
        ]
        return Network(
            cell, own.get("embedding.weight"), tuple(layers),
            own["embedding.weight" if tied else "output.weight"], own["output.bias"],
            Dropouts(), random=None, start=self.start,
        )  # fmt: skip

    def module(self) -> LanguageModel:
        """Return the same model as a module of torch, on the CPU."""
        import torch

        from rnnlab.lm.model import LanguageModel

        # Seed 0: the caller's random numbers stay as they are.
        model = LanguageModel(self.settings, self.vocabulary_size, 0, self.start)
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                parameter.copy_(torch.from_numpy(self.arrays[name]))
        return model


def as_module(model: LanguageModel | StoredNetwork, device: str) -> LanguageModel:
    """Return a model as a module of torch; one that is made now is on `device`."""
    return model.module().to(device) if isinstance(model, StoredNetwork) else model


def parameter_shapes(settings: ModelSettings, V: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Yield the name and the shape of each parameter of a `LanguageModel`, in their order."""
    cell, H, E = find_cell(settings.cell), settings.hidden_size, settings.embedding_size
    one_hot = settings.input == "one-hot"
    if not one_hot:
        yield "embedding.weight", (V, E)
    for layer in range(settings.num_layers):
        I = H if layer else V if one_hot else E  # noqa: E741
        for name, shape in cell.weight_shapes(I, H).items():
            yield f"recurrent.{name}_l{layer}", shape
    if one_hot or not settings.tie_weights:
        yield "output.weight", (V, H)
    yield "output.bias", (V,)
