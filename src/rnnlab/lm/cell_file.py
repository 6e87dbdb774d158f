"""The Python file of a user's own cell: a copy lies in each run directory and model folder.

A copy is never run unless the user asks for it, as other people's code would be run with a model.
"""

from pathlib import Path

from rnnlab.cells import find_cell
from rnnlab.cells.registry import CellFile, allow, file_of, fits, is_pinned, short_name
from rnnlab.errors import ModelFolderError, RnnlabError, UntrustedCodeError, UsageError
from rnnlab.files import check_not_special, write_atomically

CELL = "cell.py"
"""The name of the copy."""


def write_cell(folder: Path, cell: str) -> None:
    """Write the file of a cell into a folder, if the cell has one."""
    if file := file_of(cell):
        write_atomically(folder / CELL, file.content)


def check_cell(folder: Path, cell: str, error: type[RnnlabError] = ModelFolderError) -> None:
    """Check that the cell of a run or a model is known here.

    Raises UntrustedCodeError if it has a file that the user has not asked to run, UsageError if it
    cannot be run, `error` if its name is that of any file.
    """
    if is_pinned(cell):
        if not file_of(cell):
            raise UntrustedCodeError(
                f"{folder}: its cell {short_name(cell)} is Python code, {folder / CELL}, which is "
                "only run if you ask for it: read it, then add --trust-cell (in Python: "
                "rnnlab.load(..., trust_cell=True))",
                short_name(cell),
            )
    elif cell != short_name(cell):
        raise error(
            f"{folder}: its cell is {cell!r}; it must be CLASS@SHA256, with the file {CELL}"
        )
    find_cell(cell)


def trust_cell(folder: Path, cell: str) -> None:
    """Let the copy in a folder be run, if the cell has one: the user asks for it.

    Raises ModelFolderError if it is gone, or is not the one with which the cell was trained.
    """
    if not is_pinned(cell) or file_of(cell):
        return
    path = folder / CELL
    check_not_special(path, ModelFolderError)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelFolderError(f"{path}: cannot be read: {error.strerror}") from None
    if not fits(cell, content):
        raise ModelFolderError(
            f"{path}: changed, its SHA-256 is not that of the cell {short_name(cell)} in {folder}"
        )
    allow(CellFile(content, str(path)))


def same_cell(given: str, wanted: str, folder: Path) -> None:
    """Raise UsageError unless a pinned cell that was given is the one of a run."""
    if given != wanted:
        raise UsageError(
            f"cell {short_name(given)} is not the one that {folder} was started with: the file of "
            f"{short_name(wanted)} there is {folder / CELL}"
        )
