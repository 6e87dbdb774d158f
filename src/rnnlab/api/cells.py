"""Cells of the user's own, as a function of the library."""

from rnnlab.cells.checks import CellCheck, check_cell_fully
from rnnlab.cells.registry import find_cell, pin


def check_cell(cell: str) -> list[CellCheck]:
    """Check what a cell computes: shapes, ranges, independence of the batch, gradients.

    cell: "FILE.py:CLASS", whose file is run, or a name that --cell takes. Each check has a name,
    whether the cell passed it, and what was found in words; docs/how-to/own-cell.md lists them. If
    a weight, a shape or a gradient is wrong, no more is checked.

    >>> [check.name for check in rnnlab.check_cell("gru") if not check.passed]
    []

    Raises UsageError if the file cannot be read or run, or if its class is not a cell.
    """
    return list(check_cell_fully(find_cell(pin(cell), checked=False)))
