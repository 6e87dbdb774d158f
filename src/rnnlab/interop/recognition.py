"""Finds a language model in the tensors of a checkpoint, by their names and shapes.

Known are nn.RNN, nn.GRU or nn.LSTM with an nn.Linear after it and maybe an nn.Embedding before it,
whatever they are called, and the separate arrays of d2l's written-out LSTM and RNN.

Legend: G gates, H hidden size, E embedding size, I input size, L layers, V vocabulary size.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from rnnlab.config import ModelSettings
from rnnlab.errors import ForeignFileError, UsageError, unknown
from rnnlab.interop.checkpoints import D2L_GRU, D2L_LSTM, D2L_RNN
from rnnlab.lm.stored_network import parameter_shapes

if TYPE_CHECKING:
    from rnnlab.interop.checkpoints import Tensors

Array = npt.NDArray[np.float32]

NAME = re.compile(
    r"(?:(?P<module>.+)\.)?(?P<part>(?:weight|bias)_(?:ih|hh|hr))_l(?P<layer>\d+)(?P<back>_reverse)?"
)
"""The name of a parameter of nn.RNN, nn.GRU and nn.LSTM."""

CELL_OF_GATES = {3: "gru", 4: "lstm"}
CELL_OF_NONLINEARITY = {"tanh": "rnn", "relu": "rnn-relu"}

MOST_NAMED = 6


@dataclass
class Recognised:
    """A network: its settings, its weights by our names, and what to say about it."""

    settings: ModelSettings
    vocabulary_size: int
    arrays: dict[str, Array]
    notes: list[str] = field(default_factory=list)


def recognise(file: Path, tensors: Tensors, nonlinearity: str = "tanh") -> Recognised:
    """Return the network that tensors are.

    nonlinearity: of a simple network, tanh or relu, which no tensor tells.

    Raises ForeignFileError if they are not one, UsageError for relu in another cell.
    """
    notes = _check_types(file, tensors)
    last_parts = {name.rpartition(".")[2]: name for name in tensors}
    written_out = last_parts.keys() if len(last_parts) == len(tensors) else set()
    if written_out == set(D2L_GRU):
        raise ForeignFileError(
            f"{file}: the written-out GRU of d2l resets the state before the matrix product; "
            "rnnlab's, and nn.GRU, after it"
        )
    for names, gates in ((D2L_LSTM, "ifco"), (D2L_RNN, "h")):
        if written_out == set(names):
            own = {name: tensors[last_parts[name]] for name in names}
            return _assembled(file, _joined_gates(file, own, gates), nonlinearity, notes)
    return _assembled(file, _Modules(file, tensors).by_our_names(), nonlinearity, notes)


def _check_types(file: Path, tensors: Tensors) -> list[str]:
    types = set()
    for name, tensor in tensors.items():
        type_name = str(tensor.dtype).removeprefix("torch.")
        if not tensor.is_floating_point() or tensor.is_sparse or tensor.is_quantized:
            raise ForeignFileError(f"{file}: {name} is of type {type_name}, not floating point")
        if not tensor.dim() or not tensor.numel():
            raise ForeignFileError(f"{file}: {name} is neither a vector nor a matrix")
        types.add(type_name)
    others = sorted(types - {"float32"})
    return [f"{' and '.join(others)} became float32"] if others else []


def _joined_gates(file: Path, own: Tensors, gates: str) -> dict[str, tuple[str, Any]]:
    """Return the arrays of a written-out network as one weight for all gates."""
    import torch

    H, V = own[f"W_h{gates[0]}"].shape[0], own["b_q"].shape[0]
    for name, tensor in own.items():
        wanted: tuple[int, ...] = (V, H) if name.startswith("W_x") else (H, H)
        wanted = {"W_hq": (H, V), "b_q": (V,)}.get(name, (H,) if name[0] == "b" else wanted)
        if tuple(tensor.shape) != wanted:
            raise _misfit(file, name, tensor.shape, wanted)

    def joined(kind: str) -> tuple[str, Any]:
        return f"{kind}_...", torch.cat([own[f"{kind}{gate}"].T for gate in gates])

    return {
        "recurrent.weight_ih_l0": joined("W_x"),
        "recurrent.weight_hh_l0": joined("W_h"),
        "recurrent.bias_ih_l0": ("b_...", torch.cat([own[f"b_{gate}"] for gate in gates])),
        "output.weight": ("W_hq", own["W_hq"].T),
        "output.bias": ("b_q", own["b_q"]),
    }


class _Modules:
    """The tensors of a checkpoint by module: the recurrent one, and all others."""

    def __init__(self, file: Path, tensors: Tensors) -> None:
        self.file, self.tensors = file, tensors
        self.found: dict[str, tuple[str, Any]] = {}
        self.others: dict[str, dict[str, Any]] = {}
        recurrent: set[str] = set()
        for name, tensor in tensors.items():
            if match := NAME.fullmatch(name):
                recurrent.add(match["module"] or "")
                if match["back"]:
                    raise ForeignFileError(
                        f"{file}: {name} shows that the network is bidirectional; a language model "
                        "reads in one direction"
                    )
                if match["part"].endswith("hr"):
                    raise ForeignFileError(
                        f"{file}: {name} shows that the network projects its state (proj_size), "
                        "which no cell of rnnlab does"
                    )
                self.found[f"recurrent.{match['part']}_l{int(match['layer'])}"] = name, tensor
            else:
                module, _, part = name.rpartition(".")
                self.others.setdefault(module, {})[part] = tensor
        if len(recurrent) != 1:
            listed = f": {', '.join(map(repr, sorted(recurrent)))}" if recurrent else ""
            raise ForeignFileError(
                f"{file}: must hold one nn.RNN, nn.GRU or nn.LSTM (weight_ih_l0 and so on), not "
                f"{len(recurrent) or 'none'}{listed}"
            )
        if missing := {"recurrent.weight_ih_l0", "recurrent.weight_hh_l0"} - self.found.keys():
            raise ForeignFileError(f"{file}: {missing.pop().removeprefix('recurrent.')} is missing")

    def by_our_names(self) -> dict[str, tuple[str, Any]]:
        """Return each tensor with its name in the file, by its name in a model of rnnlab."""
        odd = [
            f"{module}.{part}".removeprefix(".")
            for module, parts in self.others.items()
            for part, tensor in parts.items()
            if (part, tensor.dim()) not in (("weight", 2), ("bias", 1))
        ]
        weights = [module for module, parts in self.others.items() if "weight" in parts]
        biases = [module for module, parts in self.others.items() if "bias" in parts]
        if odd or not 1 <= len(weights) <= 2 or len(biases) > 1:
            raise self._left_over(odd)
        I, H = (  # noqa: E741
            self.found[f"recurrent.weight_{kind}_l0"][1].shape[-1] for kind in ("ih", "hh")
        )
        if len(weights) == 1:
            return self.found | self._alone(weights[0], biases, I, H)
        embedding, output = self._pair(weights, biases, I, H)
        return (
            self.found
            | self._named("embedding.weight", embedding, "weight")
            | self._named("output.weight", output, "weight")
            | self._named("output.bias", output, "bias")
        )

    def _alone(self, module: str, biases: Sequence[str], I: int, H: int) -> dict[str, Any]:  # noqa: E741
        """Return the names for one matrix: the output, or one that both ends share."""
        weight = self.others[module]["weight"]
        bias = self._named("output.bias", biases[0] if biases else module, "bias")
        if weight.shape[0] == I and biases in ([], [module]):  # one-hot rows go in
            return self._named("output.weight", module, "weight") | bias
        if weight.shape[1] == I == H:
            return self._named("embedding.weight", module, "weight") | bias
        raise ForeignFileError(
            f"{self.file}: the recurrent layer reads vectors of {I} numbers; that is neither an "
            f"embedding, which is missing, nor a row for each of {weight.shape[0]} tokens"
        )

    def _pair(self, weights: Sequence[str], biases: Sequence[str], I: int, H: int) -> list[str]:  # noqa: E741
        """Return which of two modules is the embedding, and which the output."""
        first, second = weights
        if biases:
            if biases[0] not in weights:
                raise self._left_over([f"{biases[0]}.bias"])
            return [module for module in weights if module != biases[0]] + [biases[0]]
        ways = [
            [one, other]
            for one, other in ((first, second), (second, first))
            if self.others[one]["weight"].shape[1] == I
            and self.others[other]["weight"].shape[1] == H
        ]
        if len(ways) == 2:
            ways = [way for way in ways if re.search("emb|encoder", way[0], re.IGNORECASE)]
        if len(ways) != 1:
            raise ForeignFileError(
                f"{self.file}: which of {first!r} and {second!r} is the embedding, and which the "
                "output layer, cannot be told"
            )
        return ways[0]

    def _named(self, ours: str, module: str, part: str) -> dict[str, tuple[str, Any]]:
        tensor = self.others[module].get(part)
        return {} if tensor is None else {ours: (f"{module}.{part}".removeprefix("."), tensor)}

    def _left_over(self, odd: Sequence[str]) -> ForeignFileError:
        names = odd or [
            f"{module}.{part}".removeprefix(".")
            for module, parts in self.others.items()
            for part in parts
        ]
        listed = ", ".join(sorted(names)[:MOST_NAMED]) + (" ..." if len(names) > MOST_NAMED else "")
        return ForeignFileError(
            f"{self.file}: holds {listed or 'nothing'} next to the recurrent layer; a model of "
            "rnnlab has one output layer after it and at most one embedding before it"
        )


def _assembled(
    file: Path, found: Mapping[str, tuple[str, Any]], nonlinearity: str, notes: list[str]
) -> Recognised:
    """Return the network of tensors by our names, each with its name in the file."""
    hh = found["recurrent.weight_hh_l0"]
    rows, H = hh[1].shape if hh[1].dim() == 2 else (0, 1)
    G, rest = divmod(rows, H)
    if rest or G not in (1, 3, 4):
        raise ForeignFileError(
            f"{file}: {hh[0]} has the shape {tuple(hh[1].shape)}; it must have 1, 3 or 4 "
            "rows (RNN, GRU, LSTM) for each column"
        )
    if nonlinearity not in CELL_OF_NONLINEARITY:
        raise unknown("nonlinearity", nonlinearity, CELL_OF_NONLINEARITY)
    if nonlinearity != "tanh" and G in CELL_OF_GATES:
        raise UsageError(
            f"nonlinearity {nonlinearity!r} is for a simple RNN; {file} holds a "
            f"{CELL_OF_GATES[G].upper()}"
        )
    numbers = [int(name.rpartition("_l")[2]) for name in found if name.startswith("recurrent.")]
    output = found.get("output.weight", found.get("embedding.weight"))
    assert output is not None
    own: dict[str, Any] = {
        "cell": CELL_OF_GATES.get(G) or CELL_OF_NONLINEARITY[nonlinearity],
        "num_layers": max(numbers) + 1, "hidden_size": H, "input": "one-hot",
    }  # fmt: skip
    V = int(output[1].shape[0])
    arrays = {name: _float32(file, *pair) for name, pair in found.items()}
    if "embedding.weight" in found:
        E = int(found["embedding.weight"][1].shape[1])
        tied = "output.weight" not in found or np.array_equal(
            arrays["embedding.weight"], arrays["output.weight"]
        )
        own |= {"input": "embedding", "embedding_size": E, "tie_weights": tied}
        if tied:
            arrays.pop("output.weight", None)
            notes.append("embedding and output share their weights")
    settings = ModelSettings.from_dict(own)
    notes += _complete(file, settings, V, arrays, {name: pair[0] for name, pair in found.items()})
    return Recognised(settings, V, arrays, notes)


def _float32(file: Path, name: str, tensor: Any) -> Array:
    array: Array = tensor.detach().float().contiguous().numpy()
    if not np.isfinite(array).all():
        raise ForeignFileError(f"{file}: {name} holds NaN or infinite numbers")
    return array


def _complete(
    file: Path,
    settings: ModelSettings,
    V: int,
    arrays: dict[str, Array],
    names: Mapping[str, str],
) -> Iterator[str]:
    """Check all shapes, add biases that are missing as zeros, and yield what to say about that."""
    missing = []
    for name, shape in parameter_shapes(settings, V):
        if name not in arrays:
            short = name.removeprefix("recurrent.")
            if "bias" not in name:
                raise ForeignFileError(f"{file}: {short} is missing")
            arrays[name] = np.zeros(shape, np.float32)
            missing.append(short)
        elif arrays[name].shape != shape:
            raise _misfit(file, names[name], arrays[name].shape, shape)
    if missing:
        yield f"missing biases are zero: {', '.join(missing)}"


def _misfit(file: Path, name: str, found: Sequence[int], wanted: Sequence[int]) -> ForeignFileError:
    return ForeignFileError(
        f"{file}: {name} has the shape {tuple(found)}, with the others it must have {tuple(wanted)}"
    )
