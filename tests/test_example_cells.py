"""examples/cells against loops over time in NumPy that restate their papers' equations."""

import ast
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from own_cells import EXAMPLES

from rnnlab.cells import find_cell
from rnnlab.cells.registry import pin
from rnnlab.config import ModelSettings
from rnnlab.engines import ENGINES
from rnnlab.lm.model import LanguageModel

T, B, I, H = 6, 3, 4, 5  # noqa: E741
Array = np.ndarray
Loop = Callable[[Array, dict[str, Array], list[Array]], list[Array]]


def sigmoid(a: Array) -> Array:
    return 1 / (1 + np.exp(-a))


def peephole_lstm(x: Array, w: dict[str, Array], state: list[Array]) -> list[Array]:
    h, c = state
    W_i, W_f, W_g, W_o = w["weight_ih"].reshape(4, H, -1)
    R_i, R_f, R_g, R_o = w["weight_hh"].reshape(4, H, H)
    b_i, b_f, b_g, b_o = (w["bias_ih"] + w["bias_hh"]).reshape(4, H)
    i = sigmoid(W_i @ x + R_i @ h + w["peephole_i"] * c + b_i)
    f = sigmoid(W_f @ x + R_f @ h + w["peephole_f"] * c + b_f)
    new_c = f * c + i * np.tanh(W_g @ x + R_g @ h + b_g)
    o = sigmoid(W_o @ x + R_o @ h + w["peephole_o"] * new_c + b_o)
    return [o * np.tanh(new_c), new_c]


def mgu(x: Array, w: dict[str, Array], state: list[Array]) -> list[Array]:
    (h,) = state
    joined_f = np.hstack([w["weight_hh"][:H], w["weight_ih"][:H]])  # the paper's W_f of [h, x]
    joined_h = np.hstack([w["weight_hh"][H:], w["weight_ih"][H:]])
    f = sigmoid(joined_f @ np.concatenate([h, x]) + w["bias_ih"][:H])
    candidate = np.tanh(joined_h @ np.concatenate([f * h, x]) + w["bias_ih"][H:])
    return [(1 - f) * h + f * candidate]


def min_gru(x: Array, w: dict[str, Array], state: list[Array]) -> list[Array]:
    (h,) = state
    z = sigmoid(w["weight_ih"][:H] @ x + w["bias_ih"][:H])
    return [(1 - z) * h + z * (w["weight_ih"][H:] @ x + w["bias_ih"][H:])]


CELLS: dict[str, Loop] = {
    "peephole_lstm.py:PeepholeLSTM": peephole_lstm, "mgu.py:MGU": mgu, "min_gru.py:MinGRU": min_gru,
}  # fmt: skip


@pytest.fixture(params=CELLS, ids=lambda name: name.partition(".")[0])
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_every_example_is_here_and_short() -> None:
    assert {name.partition(":")[0] for name in CELLS} == {f.name for f in EXAMPLES.glob("*.py")}
    for file in EXAMPLES.glob("*.py"):
        tree = ast.parse(file.read_text())
        text = ast.unparse(tree).splitlines()
        (kind,) = (node for node in tree.body if isinstance(node, ast.ClassDef))
        docstrings = len(ast.get_docstring(kind, clean=False).splitlines()) + 1
        assert len([line for line in text if line.strip()]) - docstrings <= 26, file


def test_a_loop_over_time_in_numpy_gives_the_same_states_and_gradients(name: str) -> None:
    """The gradients are compared with finite differences of the loop, not of the cell."""
    cell = find_cell(pin(f"{EXAMPLES}/{name}"))
    generator = torch.Generator().manual_seed(1)

    def normal(*shape: int) -> torch.Tensor:
        values = 0.5 * torch.randn(shape, generator=generator, dtype=torch.float64)
        return values.requires_grad_()

    weights = cell.weights(normal(*shape) for shape in cell.weight_shapes(I, H).values())
    x, state = normal(T, B, I), tuple(normal(B, H) for _ in cell.state_names)
    outputs, last = ENGINES["textbook"].run(cell, weights, x, state)
    leaves = {**weights._asdict(), "x": x, **dict(zip(cell.state_names, state, strict=True))}
    loss = outputs.sin().sum() + sum(part.cos().sum() for part in last)
    gradients = dict(zip(leaves, torch.autograd.grad(loss, list(leaves.values())), strict=True))
    numbers = {name: leaf.detach().numpy().copy() for name, leaf in leaves.items()}

    def by_hand() -> tuple[Array, list[Array]]:
        found = np.empty((T, B, H))
        ends = []
        for b in range(B):
            now = [numbers[part][b] for part in cell.state_names]
            for t in range(T):
                now = CELLS[name](numbers["x"][t, b], numbers, now)
                found[t, b] = now[0]
            ends.append(now)
        return found, [np.array(part) for part in zip(*ends, strict=True)]

    expected, end = by_hand()
    np.testing.assert_allclose(outputs.detach(), expected, rtol=0, atol=1e-13)
    for part, wanted in zip(last, end, strict=True):
        np.testing.assert_allclose(part.detach(), wanted, rtol=0, atol=1e-13)

    def loss_by_hand() -> float:
        h, parts = by_hand()
        return float(np.sin(h).sum() + sum(np.cos(part).sum() for part in parts))

    for leaf, values in numbers.items():
        places = np.random.default_rng(0).choice(values.size, min(4, values.size), replace=False)
        for place in places:
            both = []
            for sign in (1, -1):
                kept = values.flat[place]
                values.flat[place] += sign * 1e-6
                both.append(loss_by_hand())
                values.flat[place] = kept
            slope = (both[0] - both[1]) / 2e-6
            assert gradients[leaf].flatten()[place].item() == pytest.approx(slope, abs=1e-7), leaf


def test_gradcheck_over_time_with_resets_and_ids(name: str) -> None:
    cell = find_cell(pin(f"{EXAMPLES}/{name}"))
    torch.manual_seed(0)
    ids = torch.tensor([[1, 0], [2, 3], [0, 1]])
    resets = ids == 3
    weights = [torch.randn(s, dtype=torch.float64) for s in cell.weight_shapes(I, 3).values()]
    state = [torch.randn(2, 3, dtype=torch.float64) for _ in cell.state_names]
    leaves = [leaf.requires_grad_() for leaf in (*state, *weights)]

    def run(*rest: torch.Tensor) -> tuple[torch.Tensor, ...]:
        parts = rest[: len(state)]
        outputs, last = ENGINES["textbook"].run(
            cell, cell.weights(rest[len(state) :]), ids, parts, resets
        )
        return outputs, *last

    assert torch.autograd.gradcheck(run, leaves)


@pytest.mark.parametrize("init", ["torch", "normal", "xavier", "kaiming", "orthogonal"])
def test_parameters_of_their_own_start_by_the_rule_of_the_others(name: str, init: str) -> None:
    cell = pin(f"{EXAMPLES}/{name}")
    settings = ModelSettings.from_dict({"cell": cell, "hidden_size": 64, "init": init})
    model = LanguageModel(settings, 20, seed=0)
    gates = len(model.recurrent.cell.gates)
    for parameter_name, parameter in model.recurrent.named_parameters():
        values = parameter.detach()
        if init == "torch":
            assert 0.9 / 8 < values.abs().max().item() <= 1 / 8
        elif values.dim() == 1:
            assert not values.any(), parameter_name
        else:
            blocks = values.chunk(gates)
            assert all(block.shape[0] == 64 for block in blocks)
            if init == "orthogonal":
                for block in blocks:
                    torch.testing.assert_close(block.T @ block, torch.eye(block.shape[1]),
                                               rtol=0, atol=1e-5)  # fmt: skip


PAGE = Path(__file__).parents[1] / "docs" / "how-to" / "own-cell.md"


def test_the_page_shows_the_peephole_lstm_as_it_is() -> None:
    """Without its docstrings."""
    code = PAGE.read_text().partition("```python\n")[2].partition("```")[0]
    tree = ast.parse((EXAMPLES / "peephole_lstm.py").read_text())
    for node in (tree, *(each for each in tree.body if isinstance(each, ast.ClassDef))):
        node.body = node.body[1:]
    assert ast.dump(ast.parse(code)) == ast.dump(tree)
