"""A network as an ONNX graph, built node by node.

    ids (T, B) -> Gather or OneHot -> LSTM, GRU or RNN, L times -> MatMul, Add -> logits (T, B, V)

The states go in and come out, so that a long text can be read in parts. T and B are free.

Source of the operators and their gate orders: the ONNX operator specification, LSTM-14, GRU-14 and
RNN-14. W, R and B have a leading axis for the direction, which is always one here.

Legend: T time steps, B batch, L layers, H hidden size, V vocabulary size, G gates.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from rnnlab.cells import CELLS, short_name
from rnnlab.errors import ForeignFileError, UnavailableError, UsageError
from rnnlab.lm.stored_network import StoredNetwork

if TYPE_CHECKING:
    import onnx

Array = npt.NDArray[Any]

OPSET, IR_VERSION = 17, 8
"""Of 2022: what runs the graph need not be newer."""

LARGEST = 2**31 - 2**20
"""Bytes of weights; protobuf, in which ONNX is written, ends at 2 GiB."""


class Operator(NamedTuple):
    """The operator of a cell: its name, the order of its gates in ours, and its attributes."""

    name: str
    gates: tuple[int, ...]
    attributes: Mapping[str, Any]


OPERATORS = {
    "lstm": Operator("LSTM", (0, 3, 1, 2), {}),  # i, o, f, c
    "gru": Operator("GRU", (1, 0, 2), {"linear_before_reset": 1}),  # z, r, h
    "rnn": Operator("RNN", (0,), {"activations": ["Tanh"]}),
    "rnn-relu": Operator("RNN", (0,), {"activations": ["Relu"]}),
}


def onnx_model(network: StoredNetwork, about: Mapping[str, str]) -> onnx.ModelProto:
    """Return a network as a checked ONNX model; `about` becomes its metadata.

    Raises UsageError for a cell that ONNX lacks, ForeignFileError for more than 2 GiB of weights,
    UnavailableError without the package onnx.
    """
    operator = _operator(network.settings.cell)
    if sum(array.nbytes for array in network.arrays.values()) > LARGEST:
        raise ForeignFileError("an ONNX file holds at most 2 GiB; this model has more weights")
    try:
        import onnx
    except ModuleNotFoundError:
        raise UnavailableError(
            "ONNX needs the package onnx; install it with pip install 'rnnlab[onnx]'"
        ) from None
    from onnx import TensorProto, helper, numpy_helper

    settings, V = network.settings, network.vocabulary_size
    names = CELLS[settings.cell].state_names
    state: list[str | int | None] = [settings.num_layers, "B", settings.hidden_size]

    def states(time: str) -> list[onnx.ValueInfoProto]:
        return [make_value(f"{name}_{time}", TensorProto.FLOAT, state) for name in names]

    make_value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node(*node, **attributes) for node, attributes in _nodes(network, operator)],
        "rnnlab",
        [make_value("ids", TensorProto.INT64, ["T", "B"]), *states("0")],
        [make_value("logits", TensorProto.FLOAT, ["T", "B", V]), *states("T")],
        [numpy_helper.from_array(*constant) for constant in _constants(network, operator)],
    )
    model = helper.make_model(
        graph, producer_name="rnnlab", ir_version=IR_VERSION,
        opset_imports=[helper.make_opsetid("", OPSET)],
    )  # fmt: skip
    helper.set_model_props(model, dict(about))
    onnx.checker.check_model(model, full_check=True)
    return model


def _operator(cell: str) -> Operator:
    if cell not in OPERATORS:
        raise UsageError(
            f"ONNX has no operator for the cell {short_name(cell)!r}; it has some for "
            f"{', '.join(OPERATORS)}"
        )
    return OPERATORS[cell]


def _constants(network: StoredNetwork, operator: Operator) -> Iterator[tuple[Array, str]]:
    """Yield all that is not computed, with its name."""
    settings, own = network.settings, network.arrays
    for name in ("embedding.weight", "output.weight", "output.bias"):
        if name in own:
            yield own[name], name
    yield np.array([1], np.int64), "axis_1"
    if settings.input == "one-hot":
        yield np.array(network.vocabulary_size, np.int64), "V"
        yield np.array([0, 1], np.float32), "zero_and_one"
    if settings.num_layers > 1:
        yield np.ones(settings.num_layers, np.int64), "ones"

    def ordered(name: str) -> Array:
        """Return a weight (G·H, ...) with its blocks in the operator's order."""
        weight = own[f"recurrent.{name}"]
        blocks = weight.reshape(len(operator.gates), settings.hidden_size, -1)
        return blocks[list(operator.gates)].reshape(weight.shape)

    for layer in range(settings.num_layers):
        biases = [ordered(f"{name}_l{layer}") for name in ("bias_ih", "bias_hh")]
        yield ordered(f"weight_ih_l{layer}")[None], f"W_{layer}"  # (1, G·H, I)
        yield ordered(f"weight_hh_l{layer}")[None], f"R_{layer}"  # (1, G·H, H)
        yield np.concatenate(biases)[None], f"B_{layer}"  # (1, 2·G·H)


def _nodes(
    network: StoredNetwork, operator: Operator
) -> Iterator[tuple[tuple[str, list[str], list[str]], dict[str, Any]]]:
    """Yield operator, inputs and outputs of each node, and its attributes."""
    settings = network.settings
    L, names = settings.num_layers, CELLS[settings.cell].state_names
    if settings.input == "embedding":
        yield ("Gather", ["embedding.weight", "ids"], ["x_0"]), {}
    else:
        yield ("OneHot", ["ids", "V", "zero_and_one"], ["x_0"]), {}
    before = {name: [f"{name}_0_{layer}" for layer in range(L)] for name in names}
    after = {name: [f"{name}_T_{layer}" for layer in range(L)] for name in names}
    if L == 1:
        before = {name: [f"{name}_0"] for name in names}
        after = {name: [f"{name}_T"] for name in names}
    else:
        for name in names:
            yield ("Split", [f"{name}_0", "ones"], before[name]), {"axis": 0}
    for layer in range(L):
        own = [f"{letter}_{layer}" for letter in "WRB"]
        yield (
            (
                operator.name,
                [f"x_{layer}", *own, "", *(before[name][layer] for name in names)],
                [f"y_{layer}", *(after[name][layer] for name in names)],
            ),
            {"hidden_size": settings.hidden_size, **operator.attributes},
        )
        # (T, 1, B, H): the second axis is the direction.
        yield ("Squeeze", [f"y_{layer}", "axis_1"], [f"x_{layer + 1}"]), {}
    if L > 1:
        for name in names:
            yield ("Concat", after[name], [f"{name}_T"]), {"axis": 0}
    weight = "embedding.weight" if settings.tie_weights else "output.weight"
    yield ("Transpose", [weight], ["output"]), {"perm": [1, 0]}
    yield ("MatMul", [f"x_{L}", "output"], ["scores"]), {}
    yield ("Add", ["scores", "output.bias"], ["logits"]), {}
