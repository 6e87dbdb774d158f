"""What cannot be computed with is refused before it is used, with the line of the file."""

from pathlib import Path

import pytest
from own_cells import MINIMAL, forget_cells, write_cell

from rnnlab.cells import find_cell
from rnnlab.cells.registry import pin
from rnnlab.errors import UsageError

GATES = "    gates ="
SHAPES = "    def weight_shapes(self, I, H):\n        return {}\n" + GATES
FOUR = "super().weight_shapes(I, H)"


def with_shapes(value: str) -> str:
    return MINIMAL.replace(GATES, SHAPES.format(value))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (with_shapes("[]"), "weight_shapes returns a list, not a dict of names and shapes"),
        (with_shapes("1 / 0"), "weight_shapes raises line 6: ZeroDivisionError: division by zero"),
        (with_shapes(FOUR + " | {'count': (H,)}"), "'count' cannot be the name of a weight"),
        (with_shapes(FOUR + " | {'_p': (H,)}"), "'_p' cannot be the name of a weight"),
        (with_shapes(FOUR + " | {'p': H}"), "the shape of p must be one or two sizes, not 5"),
        (with_shapes(FOUR + " | {'p': (H, 1, 1)}"),
         "the shape of p must be one or two sizes, not (5, 1, 1)"),
        (with_shapes("{'weight_hh': (H, H)}"),
         "weight_ih must be (rows, I), here (rows, 3), not None"),
        (with_shapes(FOUR + " | {'p': (H, I)}"),
         "p depends on I; only weight_ih may, since it alone meets one-hot rows"),
        (MINIMAL.replace(".tanh(),)", ".tanh())"),
         "activations returns a Tensor, not a tuple of tensors"),
        (MINIMAL.replace(".tanh(),)", ".tanh(),) * 2"),
         "activations returns 2 tensors, not 1 (n)"),
        (MINIMAL.replace("return activations", "return activations * 2"),
         "update returns 2 tensors, not 1 (h)"),
        (MINIMAL.replace("return activations", "return (3,)"),
         "update: part of the state h is an int, not a tensor"),
        (MINIMAL.replace(".tanh(),)", ".tanh().T,)"),
         "activations: gate n is (5, 2), not (B, H) = (2, 5)"),
        (MINIMAL.replace("state[0]", "state[1]"),
         "activations raises line 8: IndexError: tuple index out of range"),
        (MINIMAL.replace("weights)).tanh", "weights)).detach().tanh"),
         "no gradient: h is computed without one (detach, no_grad or NumPy?)"),
        (MINIMAL.replace(" + project_hidden(state[0], weights)", ""),
         "no gradient: the new state does not depend on h"),
        (with_shapes(FOUR + " | {'p': (H,)}"),
         "no gradient: the new state does not depend on p"),
    ],
)  # fmt: skip
def test_a_cell_that_cannot_be_used_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str, message: str
) -> None:
    forget_cells(monkeypatch)
    assert content != MINIMAL
    file = write_cell(tmp_path, content)
    with pytest.raises(UsageError) as refused:
        find_cell(pin(f"{file}:Plain"))
    assert str(refused.value) == f"Plain in {file}: {message}"
