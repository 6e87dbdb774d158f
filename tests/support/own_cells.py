"""Cells in Python files, for tests."""

from pathlib import Path

import pytest

from rnnlab.cells import registry

EXAMPLES = Path(__file__).parents[2] / "examples" / "cells"

MINIMAL = """\
from rnnlab.cells import Cell, Gate, project_input, project_hidden


class Plain(Cell):
    gates = (Gate("n", -1, 1),)

    def activations(self, x, state, weights):
        return ((project_input(x, weights) + project_hidden(state[0], weights)).tanh(),)

    def update(self, activations, state):
        return activations
"""
"""Computes what the cell rnn does."""


def forget_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make this process as new: no file of a cell has been named."""
    monkeypatch.setattr(registry, "_files", {})
    monkeypatch.setattr(registry, "_found", {})


def write_cell(folder: Path, content: str = MINIMAL, name: str = "plain.py") -> Path:
    file = folder / name
    file.write_text(content, encoding="utf-8")
    return file


def marked(folder: Path) -> tuple[str, Path]:
    """Return the minimal cell as a file that leaves a mark when it is run, and where."""
    mark = folder / "has run"
    write = f"with open({str(mark)!r}, 'a') as stream:\n    stream.write('x')\n"
    return write + MINIMAL, mark
