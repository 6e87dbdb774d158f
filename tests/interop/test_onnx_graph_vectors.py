"""The test vectors that come with ONNX for LSTM, GRU and RNN, run through our engines.

They say what the operators mean, so they also say that our cells are these operators.
"""

from typing import Any, NamedTuple
from unittest.mock import patch

import numpy as np
import pytest
import torch
from onnx import NodeProto, helper
from onnx.backend.test.case.node import gru, lstm, rnn

from rnnlab.cells import CELLS, Weights
from rnnlab.engines import ENGINES

OURS = {"LSTM": ("lstm", "iofc", "ifco"), "GRU": ("gru", "zrh", "rzh"), "RNN": ("rnn", "h", "h")}
"""Our cell, the order of gates in ONNX, and the order here."""


class Case(NamedTuple):
    node: NodeProto
    inputs: dict[str, np.ndarray]
    outputs: dict[str, np.ndarray]


def cases() -> dict[str, Case]:
    """All cases of the three operators, by name; the package makes them with NumPy."""
    found = {}

    def expect(node: NodeProto, inputs: Any, outputs: Any, name: str, **_: Any) -> None:
        found[name] = Case(
            node,
            dict(zip(filter(None, node.input), inputs, strict=True)),
            dict(zip(filter(None, node.output), outputs, strict=True)),
        )

    for module, operator in ((lstm, lstm.LSTM), (gru, gru.GRU), (rnn, rnn.RNN)):
        with patch.object(module, "expect", expect):
            for name in dir(operator):
                if name.startswith("export"):
                    np.random.seed(0)
                    getattr(operator, name)()
    return found


CASES = cases()


def value(attribute: Any) -> Any:
    return helper.get_attribute_value(attribute)


def why_not(case: Case) -> str:
    """Why our cells cannot express a case, or ""."""
    node, inputs, _ = case
    attributes = {entry.name: value(entry) for entry in node.attribute}
    if "P" in inputs:
        return "peepholes"
    if node.op_type == "GRU" and not attributes.get("linear_before_reset"):
        # The two kinds differ as soon as a state or a recurrent bias of the candidate is not 0.
        H = attributes["hidden_size"]
        bias = inputs.get("B", np.zeros((1, 6 * H)))[:, 5 * H :]
        if inputs["X"].shape[1 if attributes.get("layout") else 0] > 1 or bias.any():
            return "the reset before the product"
    return ""


def run_case(name: str, engine: str) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return what the engine gives and what ONNX expects, by output."""
    node, inputs, outputs = CASES[name]
    attributes = {entry.name: value(entry) for entry in node.attribute}
    cell_name, theirs, gates = OURS[node.op_type]
    cell = CELLS[cell_name]
    directions, H = inputs["R"].shape[0], attributes["hidden_size"]
    biases = inputs.get("B", np.zeros((directions, 2 * len(gates) * H), np.float32))
    x = np.swapaxes(inputs["X"], 0, 1) if attributes.get("layout") else inputs["X"]
    order = [theirs.index(gate) for gate in gates]

    def ours(rows: np.ndarray) -> torch.Tensor:
        blocks = rows.reshape(len(gates), H, *rows.shape[1:])[order]
        return torch.from_numpy(np.ascontiguousarray(blocks.reshape(rows.shape)))

    found: list[list[np.ndarray]] = []
    for direction in range(directions):
        backward = attributes.get("direction", b"forward") == b"reverse" or direction == 1
        input_bias, hidden_bias = np.split(biases[direction], 2)
        weights = Weights(
            ours(inputs["W"][direction]), ours(inputs["R"][direction]), ours(input_bias),
            ours(hidden_bias),
        )  # fmt: skip
        read = np.ascontiguousarray(x[::-1] if backward else x)
        zeros = tuple(torch.zeros(x.shape[1], H) for _ in cell.state_names)
        y, state = ENGINES[engine].run(cell, weights, torch.from_numpy(read), zeros)
        y = y.flip(0) if backward else y
        found.append([y.numpy(), *(part.numpy() for part in state)])
    names = ["Y", "Y_h", "Y_c"][: len(found[0])]
    axes = (1, 0, 0)
    stacked = {
        name: np.stack(part, axis)
        for name, part, axis in zip(names, zip(*found, strict=True), axes, strict=False)
    }
    if attributes.get("layout"):
        stacked["Y"] = stacked["Y"].transpose(2, 0, 1, 3)
        stacked |= {name: np.swapaxes(stacked[name], 0, 1) for name in names[1:]}
    return stacked, outputs


@pytest.mark.parametrize("engine", ["textbook", "native"])
@pytest.mark.parametrize("name", [name for name, case in CASES.items() if not why_not(case)])
def test_onnx_and_our_engines_mean_the_same(name: str, engine: str) -> None:
    found, expected = run_case(name, engine)
    for output, wanted in expected.items():
        assert found[output].shape == wanted.shape
        assert np.abs(found[output] - wanted).max() < 1e-5, output


def test_nearly_all_vectors_are_ours() -> None:
    reasons = {name: reason for name, case in CASES.items() if (reason := why_not(case))}
    assert len(CASES) >= 14
    assert set(reasons.values()) == {"peepholes", "the reset before the product"}
    assert len(reasons) <= 4, reasons
