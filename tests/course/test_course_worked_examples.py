"""The steps that chapters compute by hand, against float64 and the three engines.

Read from the chapter's text: a number that is changed there, or wrong there, fails here.
"""

import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from rnnlab.cells import CELLS, Weights
from rnnlab.engines import ENGINES

COURSE = Path(__file__).parents[2] / "docs" / "course"
Floats = npt.NDArray[np.float64]

NUMBER = r"\(?(-?[\d.]+)\)?"


def sigmoid(a: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-a)))


def numbers(text: str) -> list[float]:
    return [float(number) for number in re.findall(r"-?\d+(?:\.\d+)?", text)]


class LSTMStep:
    """What chapter 4 says of one step of two units."""

    def __init__(self) -> None:
        text = (COURSE / "4-the-lstm.md").read_text(encoding="utf-8")
        given = re.search(
            r"\$x_t = (.*?)\$, \$h_\{t-1\} = \((.*?)\)\$, \$c_\{t-1\} = \((.*?)\)\$", text
        )
        assert given
        self.x, self.h, self.c = (np.array(numbers(part)) for part in given.groups())
        cells = r" \| ".join([r"([ifgo])", r"([12])", *[r"([-\d., ]+)"] * 5])
        rows = re.findall(rf"^\| {cells} \|$", text, re.MULTILINE)
        assert [row[:2] for row in rows] == [(gate, unit) for gate in "ifgo" for unit in "12"]
        self.W, self.U, self.b, self.sums, self.values = (
            np.array([numbers(row[column]) for row in rows]) for column in range(2, 7)
        )
        found = re.findall(
            rf"\$c\$ = {NUMBER} · {NUMBER} \+ {NUMBER} · {NUMBER} = {NUMBER}, "
            rf"\$h\$ = {NUMBER} · tanh\({NUMBER}\) = {NUMBER}\.",
            text,
        )
        self.lines = np.array(found, float)  # f, c before, i, g, c, o, c, h of each unit
        assert self.lines.shape == (2, 8)


@pytest.fixture(scope="module")
def lstm() -> LSTMStep:
    return LSTMStep()


def test_lstm_step_by_the_equations(lstm: LSTMStep) -> None:
    sums = lstm.W @ lstm.x + lstm.U @ lstm.h + lstm.b[:, 0]
    np.testing.assert_allclose(lstm.sums[:, 0], sums, atol=1e-12)
    i, f, g, o = sums.reshape(4, 2)
    i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
    np.testing.assert_array_equal(lstm.values[:, 0], np.round([i, f, g, o], 4).ravel())
    c = f * lstm.c + i * g
    h = o * np.tanh(c)
    lines = np.stack([f, lstm.c, i, g, c, o, c, h], 1)
    np.testing.assert_array_equal(lstm.lines, np.round(lines, 4))


@pytest.mark.parametrize("name", ENGINES)
def test_lstm_step_by_an_engine(lstm: LSTMStep, name: str) -> None:
    engine = ENGINES[name]
    if fault := engine.fault("lstm", "cpu"):
        pytest.skip(fault)

    def tensor(values: Any) -> torch.Tensor:
        return torch.tensor(np.asarray(values), dtype=torch.float32)

    weights = Weights(tensor(lstm.W), tensor(lstm.U), tensor(lstm.b[:, 0]), torch.zeros(8))
    inputs, state = tensor(lstm.x).view(1, 1, 1), (tensor(lstm.h)[None], tensor(lstm.c)[None])
    outputs, (h, c) = engine.run(CELLS["lstm"], weights, inputs, state)
    np.testing.assert_allclose(outputs[0, 0], h[0], atol=0)
    np.testing.assert_allclose(c[0], lstm.lines[:, 4], atol=5.1e-5)
    np.testing.assert_allclose(h[0], lstm.lines[:, 7], atol=5.1e-5)
