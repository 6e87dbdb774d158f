"""Whether a cell computes what it says: shapes, ranges, independence of the batch, gradients.

Everything is computed in float64 with random numbers of a fixed seed, except where a check says so.

Legend: T time steps, B batch, I input size, H hidden size, G gates.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from rnnlab.cells.cell import Cell, State
from rnnlab.cells.contract import AT_ONCE, B, CellFault, H, I, Trial, told

if TYPE_CHECKING:
    from torch import Tensor

EQUAL = 1e-10
"""Largest difference of numbers that must be equal except for rounding."""

LONG = 200
"""Time steps after which the state must be finite."""

STEEP = 30.0
"""Standard deviation of the weights with which gates are driven to their ends."""


class CellCheck(NamedTuple):
    """The result of one check."""

    name: str
    passed: bool
    words: str
    """What was found."""


def _step(cell: Cell) -> str:
    """Check that `step` is `activations` and `update`, one after the other."""
    trial = Trial(cell)
    for name, one, other in zip(cell.state_names, trial.step(), trial.update(), strict=True):
        _check_equal(one, other, f"step computes another {name} than activations and update")
    return "equals activations and update"


def _ids(cell: Cell) -> str:
    """Check that ids stand for one-hot rows."""
    import torch

    trial, ids = Trial(cell), torch.tensor([2, 0])
    rows = torch.eye(I, dtype=torch.float64)[ids]
    for one, other in zip(trial.step(ids), trial.step(rows), strict=True):
        _check_equal(one, other, "an id gives another state than its one-hot row (project_input "
                                 "takes both)")  # fmt: skip
    return "an id gives the same state as its one-hot row"


def _ranges(cell: Cell) -> str:
    """Check that gates stay in their ranges, driven to their ends."""
    ends = [(math.inf, -math.inf) for _ in cell.gates]
    for seed in range(20):
        for scale in (1.0, STEEP):
            values = Trial(cell, scale=scale, seed=seed).activations()
            for place, (gate, value) in enumerate(zip(cell.gates, values, strict=True)):
                low, high = float(value.min()), float(value.max())
                if not (low >= gate.low - EQUAL and high <= gate.high + EQUAL):
                    raise CellFault(
                        f"gate {gate.name} reaches {low:.3g} to {high:.3g}, not within "
                        f"{gate.low:g} to {gate.high:g}"
                    )
                ends[place] = min(ends[place][0], low), max(ends[place][1], high)
    pairs = zip(cell.gates, ends, strict=True)
    found = (f"{g.name} {low:.2g} to {high:.2g}" for g, (low, high) in pairs)
    return f"within their ranges: {', '.join(found)}"


def _batch(cell: Cell) -> str:
    """Check that a sequence does not change with the others of its batch."""
    trial = Trial(cell)
    together = trial.step()
    for row in range(B):
        own = slice(row, row + 1)
        alone = trial.step(trial.x[own], tuple(part[own] for part in trial.state))
        for one, other in zip(alone, together, strict=True):
            _check_equal(one, other[own], "a sequence has another state alone than in a batch")
    return "a sequence has the same state alone and in a batch"


def _deterministic(cell: Cell) -> str:
    """Check that the same numbers give the same bits, and that none of them is changed."""
    import torch

    trial = Trial(cell)
    before = [part.clone() for part in (trial.x, *trial.state, *trial.weights)]
    first, second = trial.step(), trial.step()
    names = ("x", *cell.state_names, *trial.weights._fields)
    now = (trial.x, *trial.state, *trial.weights)
    for name, was, value in zip(names, before, now, strict=True):
        if not torch.equal(was, value):
            raise CellFault(f"step changes its argument {name} in place")
    if not all(map(torch.equal, first, second)):
        raise CellFault("two calls with the same numbers give different states")
    return "two calls give the same bits, and change no argument"


def _types(cell: Cell) -> str:
    """Check that float32 stays float32, and that bfloat16 can be computed."""
    import torch

    trial = Trial(cell, torch.float32)
    for name, part in zip(cell.state_names, trial.step(), strict=True):
        if part.dtype != torch.float32:
            raise CellFault(f"{name} is {part.dtype} although everything given is torch.float32")
    with torch.autocast("cpu", torch.bfloat16):
        trial.step()
    return "float32 stays float32; autocast to bfloat16 works"


def _long(cell: Cell) -> str:
    """Check that the state stays finite, with weights as `init = torch` draws them."""
    import torch

    trial = Trial(cell)
    generator = torch.Generator().manual_seed(1)
    bound = 1 / math.sqrt(H)
    trial.weights = cell.weights(
        (2 * torch.rand(w.shape, generator=generator, dtype=w.dtype) - 1) * bound
        for w in trial.weights
    )
    state: State = tuple(torch.zeros_like(part) for part in trial.state)
    for step in range(LONG):
        x = torch.randn(B, I, generator=generator, dtype=torch.float64)
        state = trial.step(x, state)
        if not all(bool(part.isfinite().all()) for part in state):
            raise CellFault(f"the state is NaN or infinite after {step + 1} random inputs")
    largest = max(float(part.abs().max()) for part in state)
    return f"finite after {LONG} random inputs, at most {largest:.2g}"


def _gradcheck(cell: Cell) -> str:
    """Compare the gradients with finite differences."""
    import torch

    trial = Trial(cell)
    leaves, parts = trial.leaves(), len(cell.state_names)

    def step(x: Tensor, *rest: Tensor) -> State:
        return cell.step(x, rest[:parts], cell.weights(rest[parts:]))

    try:
        torch.autograd.gradcheck(step, list(leaves.values()))
    except Exception as error:
        raise CellFault(f"gradients differ from finite differences: {told(error)}") from None
    return f"gradients of {', '.join(leaves)} equal finite differences"


def _check_equal(one: Tensor, other: Tensor, fault: str) -> None:
    if not bool((one - other).abs().max() <= EQUAL):  # NaN is not
        raise CellFault(fault)


CHECKS: dict[str, Callable[[Cell], str]] = {
    **AT_ONCE,
    "step": _step,
    "ids": _ids,
    "ranges": _ranges,
    "batch": _batch,
    "determinism": _deterministic,
    "types": _types,
    "long text": _long,
    "gradcheck": _gradcheck,
}


def check_cell_fully(cell: Cell) -> Iterator[CellCheck]:
    """Make all checks; after a fault of one in `AT_ONCE` no more."""
    for name, check in CHECKS.items():
        try:
            yield CellCheck(name, True, check(cell))
        except CellFault as fault:
            yield CellCheck(name, False, str(fault))
            if name in AT_ONCE:
                return
