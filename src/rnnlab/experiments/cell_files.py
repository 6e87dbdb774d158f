"""Cells of an experiment that are Python files.

When an experiment is planned, FILE.py:CLASS becomes CLASS@SHA256, so that a run's id depends on
what the file holds; nothing is run. An experiment whose folder is not that of its file keeps copies
of the files there.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rnnlab.cells.registry import CellFile, fits, is_pinned, read_cell_file, sha256
from rnnlab.errors import UsageError
from rnnlab.files import make_folder, write_atomically

CELLS = "cells"
"""The folder of the copies."""


def with_pinned_cells(
    content: dict[str, Any], folder: Path, where: str
) -> tuple[dict[str, Any], list[CellFile]]:
    """Return an experiment's content with all cells pinned, and their files.

    folder: of the experiment, to which paths are relative, and where copies may lie.
    Raises UsageError, which begins with `where`, if a file cannot be read or is not Python.
    """
    files = list[CellFile]()

    def pinned(value: Any) -> Any:
        if isinstance(value, list):
            return [pinned(each) for each in value]
        if not isinstance(value, str):
            return value
        copy = folder / CELLS / f"{value.rpartition('@')[2]}.py"
        if is_pinned(value) and copy.is_file():
            if fits(value, kept := copy.read_bytes()):
                files.append(CellFile(kept, str(copy)))
        elif found := read_cell_file(value, folder):
            value, file = found
            files.append(file)
        return value

    def within(value: Any) -> Any:
        if isinstance(value, list):
            return [within(each) for each in value]
        if not isinstance(value, dict):
            return value
        changed = {key: within(each) for key, each in value.items()}
        cell = changed.get("cell")
        if isinstance(cell, dict) and "choices" in cell:
            changed["cell"] = {**cell, "choices": pinned(cell["choices"])}
        elif cell is not None:
            changed["cell"] = pinned(cell)
        return changed

    try:
        return within(content), files
    except UsageError as error:
        raise UsageError(f"{where}: {error}") from None


def write_copies(files: Sequence[CellFile], folder: Path) -> None:
    """Keep copies of the files in the folder of an experiment."""
    if files:
        make_folder(folder / CELLS)
    for file in files:
        write_atomically(folder / CELLS / f"{sha256(file.content)}.py", file.content)
