"""What every cell must keep to: its weights, what it computes, and gradients that reach all of it.

Legend: B batch, I input size, H hidden size, G gates.
"""

from __future__ import annotations

import re
import sys
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from rnnlab.cells.cell import Cell, State, Weights
from rnnlab.errors import UsageError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

I, H, B = 3, 5, 2  # noqa: E741
"""Sizes of the checks; all differ, so that exchanged axes are seen."""

_NAME = re.compile(r"(?!(?:count|index)\Z)[a-z][a-z0-9_]*", re.IGNORECASE)
"""Names of weights; tuples have methods count and index."""


class CellFault(Exception):
    """A check has failed."""


class Trial:
    """A cell with random input, state and weights; `seed` decides the numbers."""

    def __init__(
        self, cell: Cell, dtype: torch.dtype | None = None, scale: float = 1.0, seed: int = 0
    ) -> None:
        import torch

        self.cell = cell
        generator = torch.Generator().manual_seed(seed)

        def normal(*shape: int) -> Tensor:
            values = torch.randn(shape, generator=generator, dtype=torch.float64)
            return values.to(dtype or torch.float64)

        self.x = normal(B, I)
        self.state: State = tuple(0.5 * normal(B, H) for _ in cell.state_names)
        shapes = _call(cell, "weight_shapes", I, H)
        self.weights: Weights = cell.weights([scale * normal(*s) for s in shapes.values()])

    def activations(self) -> tuple[Tensor, ...]:
        """Return the gates."""
        found: tuple[Tensor, ...] = _call(
            self.cell, "activations", self.x, self.state, self.weights
        )
        return found

    def update(self) -> State:
        """Return the new state by `activations` and `update`."""
        new: State = _call(self.cell, "update", self.activations(), self.state)
        return new

    def step(self, x: Tensor | None = None, state: State | None = None) -> State:
        """Return the new state by `step`, from another input and state if they are given."""
        x, state = self.x if x is None else x, state or self.state
        new: State = _call(self.cell, "step", x, state, self.weights)
        return new

    def leaves(self) -> dict[str, Tensor]:
        """Return input, state and weights by name, each with a gradient."""
        parts = dict(zip(self.cell.state_names, self.state, strict=True))
        named = {"x": self.x, **parts, **self.weights._asdict()}
        return {name: value.requires_grad_() for name, value in named.items()}


def _call(cell: Cell, method: str, *arguments: Any) -> Any:
    """Call a method of a cell; an exception becomes a CellFault that names the line."""
    try:
        return getattr(cell, method)(*arguments)
    except Exception as error:
        path = str(getattr(sys.modules.get(type(cell).__module__), "__file__", ""))
        raise CellFault(f"{method} raises {told(error, path)}") from None


def _weights(cell: Cell) -> str:
    """Check the declared parameters."""
    shapes = _call(cell, "weight_shapes", I, H)
    if not isinstance(shapes, dict):
        raise CellFault(f"weight_shapes returns {_kind(shapes)}, not a dict of names and shapes")
    for name, shape in shapes.items():
        if not (isinstance(name, str) and _NAME.fullmatch(name)):
            raise CellFault(f"{name!r} cannot be the name of a weight")
        if not (
            isinstance(shape, tuple)
            and len(shape) in (1, 2)
            and all(type(size) is int and size > 0 for size in shape)
        ):
            raise CellFault(f"the shape of {name} must be one or two sizes, not {shape!r}")
    found = shapes.get("weight_ih")
    if not found or len(found) != 2 or found[1] != I:
        raise CellFault(f"weight_ih must be (rows, I), here (rows, {I}), not {found}")
    wider = _call(cell, "weight_shapes", I + 1, H)
    if odd := [n for n in shapes if shapes[n] != wider.get(n) and n != "weight_ih"]:
        raise CellFault(f"{odd[0]} depends on I; only weight_ih may, since it alone meets one-hot "
                        "rows")  # fmt: skip
    return ", ".join(shapes)


def _shapes(cell: Cell) -> str:
    """Check what the cell computes: G gates and the new state, each (B, H)."""
    trial = Trial(cell)
    gates = trial.activations()
    names = [gate.name for gate in cell.gates]
    _check_parts("activations", gates, names, "gate")
    _check_parts("update", trial.update(), list(cell.state_names), "part of the state")
    return f"{len(names)} gates {', '.join(names)}; state {', '.join(cell.state_names)}"


def _check_parts(method: str, found: object, names: list[str], what: str) -> None:
    import torch

    if not isinstance(found, tuple):
        raise CellFault(f"{method} returns {_kind(found)}, not a tuple of tensors")
    if len(found) != len(names):
        raise CellFault(
            f"{method} returns {len(found)} tensors, not {len(names)} ({', '.join(names)})"
        )
    for name, part in zip(names, found, strict=True):
        if not isinstance(part, torch.Tensor):
            raise CellFault(f"{method}: {what} {name} is {_kind(part)}, not a tensor")
        if tuple(part.shape) != (B, H):
            raise CellFault(
                f"{method}: {what} {name} is {tuple(part.shape)}, not (B, H) = {(B, H)}"
            )


def _kind(value: object) -> str:
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def _gradients(cell: Cell) -> str:
    """Check that the new state depends on the state and on every weight."""
    import torch

    trial = Trial(cell)
    leaves = trial.leaves()
    new = trial.update()
    if not all(part.requires_grad for part in new):
        part = next(n for n, p in zip(cell.state_names, new, strict=True) if not p.requires_grad)
        raise CellFault(f"no gradient: {part} is computed without one (detach, no_grad or NumPy?)")
    total = torch.stack([part.sin().sum() for part in new]).sum()
    found = torch.autograd.grad(total, list(leaves.values()), allow_unused=True)
    for name, gradient in zip(leaves, found, strict=True):
        if gradient is None:
            raise CellFault(f"no gradient: the new state does not depend on {name}")
    return f"reach {', '.join(leaves)}"


AT_ONCE: dict[str, Callable[[Cell], str]] = {
    "weights": _weights,
    "shapes": _shapes,
    "gradients": _gradients,
}
"""Without these nothing else can be computed; a cell is checked so before it is used."""


def check_at_once(cell: Cell, where: str) -> None:
    """Raise UsageError if nothing can be computed with a cell."""
    for check in AT_ONCE.values():
        try:
            check(cell)
        except CellFault as fault:
            raise UsageError(f"{where}: {fault}") from None


def told(error: BaseException, path: str = "") -> str:
    """Return an error of foreign code in one line; path: of a file whose line is named."""
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == path]
    text = f"{type(error).__name__}: {error}".splitlines()[0].removesuffix(": ")
    return f"line {lines[-1]}: {text}" if lines else text
