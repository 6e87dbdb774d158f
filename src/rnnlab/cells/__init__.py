"""The mathematics of recurrent cells: equation, citation, gate order, step()."""

from rnnlab.cells.cell import Cell, Gate, State, Weights, project_hidden, project_input
from rnnlab.cells.registry import CELLS, find_cell, is_pinned, short_name

__all__ = [
    "CELLS",
    "Cell",
    "Gate",
    "State",
    "Weights",
    "find_cell",
    "is_pinned",
    "project_hidden",
    "project_input",
    "short_name",
]
