"""The numbers that chapter 2 prints for a worked step are those of numpy and of every engine."""

import re
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch

from rnnlab.cells import CELLS, Weights
from rnnlab.course.engine_gradients import engine_gradients
from rnnlab.engines import choose_engine, list_engines

Floats = npt.NDArray[np.float64]

COURSE = Path(__file__).parents[2] / "docs" / "course"
PAGE = (COURSE / "2-a-network-with-memory.md").read_text(encoding="utf-8")

DIGITS = 0.5e-4
"""Four digits after the point."""

NUMBER = r"-?\d+(?:\.\d+)?"
ENGINES = [engine.name for engine in list_engines() if not engine.fault]


def row(name: str) -> Floats:
    """The two numbers of a row of the table."""
    found = re.search(rf"^\| {re.escape(name)} \| ({NUMBER}) \| ({NUMBER}) \|$", PAGE, re.MULTILINE)
    assert found, name
    return np.array([float(found[1]), float(found[2])])


def matrix(name: str) -> Floats:
    """What the page's code sets."""
    found = re.search(rf"^{name} = np\.array\((\[.*\])\)$", PAGE, re.MULTILINE)
    assert found, name
    return np.array([[float(x) for x in re.findall(NUMBER, part)] for part in found[1].split("],")])


@pytest.fixture(scope="module")
def weights() -> list[Floats]:
    biases = re.search(r"^b, c = np\.array\((.*)\), np\.array\((.*)\)$", PAGE, re.MULTILINE)
    assert biases
    b, c = (np.array([float(x) for x in re.findall(NUMBER, part)]) for part in biases.groups())
    return [matrix("W_xh"), matrix("W_hh"), b, matrix("W_hy"), c]


@pytest.fixture(scope="module")
def before() -> Floats:
    found = re.search(rf"The state was \(({NUMBER}), ({NUMBER})\), and \*a\* is read\.", PAGE)
    assert found
    return np.array([float(found[1]), float(found[2])])


@pytest.fixture(scope="module")
def printed_gradient() -> Floats:
    pair = rf"\(({NUMBER}), ({NUMBER})\)"
    found = re.search(rf"has the rows {pair} and {pair}\.", PAGE)
    assert found
    return np.array([float(x) for x in found.groups()]).reshape(2, 2)


def test_numpy(weights: list[Floats], before: Floats, printed_gradient: Floats) -> None:
    W_xh, W_hh, b, W_hy, c = weights
    read, kept = W_xh[:, 0], W_hh @ before
    h = np.tanh(read + kept + b)
    z = W_hy @ h + c
    y = np.exp(z) / np.exp(z).sum()
    for name, expected in [
        (r"$W_{xh} x_t$", read), (r"$W_{hh} h_{t-1}$", kept), ("both and $b$", read + kept + b),
        ("$h_t$", h), (r"$W_{hy} h_t + c$", z), ("$y_t$", y),
    ]:  # fmt: skip
        np.testing.assert_allclose(row(name), expected, rtol=0, atol=DIGITS)

    def loss(W: Floats) -> float:
        """What follows is b."""
        logits = W_hy @ np.tanh(read + W @ before + b) + c
        return float(np.log(np.exp(logits).sum()) - logits[1])

    step = 1e-6
    for place in np.ndindex(2, 2):
        change = np.zeros((2, 2))
        change[place] = step
        slope = (loss(W_hh + change) - loss(W_hh - change)) / (2 * step)
        assert printed_gradient[place] == pytest.approx(slope, abs=DIGITS)


def parameters(weights: list[Floats]) -> list[torch.Tensor]:
    return [torch.tensor(weight, dtype=torch.float32, requires_grad=True) for weight in weights]


@pytest.mark.parametrize("name", ENGINES)
def test_engines(
    name: str, weights: list[Floats], before: Floats, printed_gradient: Floats
) -> None:
    W_xh, W_hh, b, W_hy, c = exact = parameters(weights)
    engine, _ = choose_engine(name, "rnn", "cpu")
    start = torch.tensor(before, dtype=torch.float32)[None]
    ids = torch.tensor([[0]])
    hs, _ = engine.run(CELLS["rnn"], Weights(W_xh, W_hh, b, torch.zeros(2)), ids, (start,))
    z = hs[0, 0] @ W_hy.T + c
    for printed, found in [("$h_t$", hs[0, 0]), (r"$W_{hy} h_t + c$", z), ("$y_t$", z.softmax(0))]:
        np.testing.assert_allclose(row(printed), found.detach().numpy(), rtol=0, atol=DIGITS)
    gradients = engine_gradients(ids, torch.tensor([[1]]), exact, start)
    np.testing.assert_allclose(printed_gradient, gradients[name][1].numpy(), rtol=0, atol=DIGITS)


def test_every_engine_is_there_whose_kernels_are() -> None:
    assert {"textbook", "builtin"} <= set(ENGINES)
    native = {engine.name: engine.fault for engine in list_engines()}["native"]
    assert ("native" in ENGINES) == (not native)
