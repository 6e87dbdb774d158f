"""Cells by name: rnnlab's own, those of installed packages, and those of Python files.

People name a cell of a file FILE.py:CLASS. Settings keep it as CLASS@SHA256, with the checksum of
the file: what the file holds decides what is computed, and not where it lies.

The code of a file is run by `find_cell` only, and only if the user has named the file in this
process (`pin`) or trusts the copy in a run directory or a model folder (`allow`).
"""

from __future__ import annotations

import hashlib
import re
import sys
from functools import cache
from inspect import isabstract
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

from rnnlab.cells.cell import Cell, Gate
from rnnlab.cells.contract import check_at_once, told
from rnnlab.cells.gru import GRU
from rnnlab.cells.lstm import LSTM
from rnnlab.cells.rnn import RNN_RELU, RNN_TANH
from rnnlab.errors import UsageError, suggest

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

CELLS: dict[str, Cell] = {cell.name: cell for cell in (RNN_TANH, RNN_RELU, GRU(), LSTM())}
"""Those that come with rnnlab, which every engine computes."""

GROUP = "rnnlab.cells"
"""The entry points by which an installed package offers cells."""

LARGEST_FILE = 2**20
"""Bytes; a cell has some thousand."""

_PINNED = re.compile(r"([^\W\d]\w*)@([0-9a-f]{64})")
_OF_FILE = re.compile(r"(.+\.py):([^\W\d]\w*)", re.DOTALL)


class CellFile(NamedTuple):
    """A Python file that may be run."""

    content: bytes
    path: str
    """For messages and tracebacks."""


_files: dict[str, CellFile] = {}
"""By SHA-256."""
_found: dict[str, Cell] = {}
"""By name, without those in `CELLS`."""


def short_name(name: str) -> str:
    """Return a cell's name as people are shown it: the class of a file, or the name itself."""
    if found := _PINNED.fullmatch(name):
        return found[1]
    return found[2] if (found := _OF_FILE.fullmatch(name)) else name


def is_pinned(name: str) -> bool:
    """Whether a name is that of a cell of a file with its checksum, CLASS@SHA256."""
    return _PINNED.fullmatch(name) is not None


def is_name(name: str) -> bool:
    """Whether a name may be that of a cell; no code is run, and no file is read."""
    of_file = is_pinned(name) or _OF_FILE.fullmatch(name) is not None
    return name in CELLS or of_file or name in _entries()


def names() -> list[str]:
    """Return the names of the cells that are installed."""
    return [*CELLS, *_entries()]


def read_cell_file(name: str, folder: Path = Path()) -> tuple[str, CellFile] | None:
    """Return the pinned name of a cell FILE.py:CLASS, and the file; None for other names.

    folder: that a relative path begins at. Nothing is run.
    Raises UsageError if the file cannot be read or is not Python.
    """
    if not (found := _OF_FILE.fullmatch(name)):
        return None
    path = folder / found[1]
    try:
        if not path.is_file():
            reason = "is not a regular file" if path.exists() else "does not exist"
            raise UsageError(f"cell {name!r}: {path} {reason}")
        with path.open("rb") as stream:
            content = stream.read(LARGEST_FILE + 1)
    except OSError as error:
        raise UsageError(f"cell {name!r}: {path} cannot be read: {error.strerror}") from None
    if len(content) > LARGEST_FILE:
        raise UsageError(f"cell {name!r}: {path} has more than {LARGEST_FILE:,} bytes")
    _compiled(CellFile(content, str(path)))
    return f"{found[2]}@{sha256(content)}", CellFile(content, str(path))


def pin(name: str, folder: Path = Path()) -> str:
    """Return a cell's name with the checksum of its file, which `find_cell` may run from now on.

    Names that need no file are returned as they are. Raises as `read_cell_file` does.
    """
    if not (found := read_cell_file(name, folder)):
        return name
    pinned, file = found
    allow(file)
    return pinned


def allow(file: CellFile) -> None:
    """Let `find_cell` run a file from now on."""
    _files.setdefault(sha256(file.content), file)


def file_of(name: str) -> CellFile | None:
    """Return the file of a pinned cell; None if it is not allowed, or if the cell has none."""
    found = _PINNED.fullmatch(name)
    return _files.get(found[2]) if found else None


def sha256(content: bytes) -> str:
    """Return the checksum that pins a file."""
    return hashlib.sha256(content).hexdigest()


def fits(name: str, content: bytes) -> bool:
    """Whether a file is that of a pinned cell."""
    return name.endswith(f"@{sha256(content)}")


def find_cell(name: str, *, checked: bool = True) -> Cell:
    """Return the cell of this name; that of a file must be pinned and allowed.

    checked: whether it must also compute what a cell does, see `rnnlab.cells.contract`.
    Raises UsageError if there is none, or if what is there is not a cell.
    """
    if cell := CELLS.get(name) or _found.get(name):
        return cell
    if file := file_of(name):
        kind, where = _class_in(file, short_name(name)), f"{short_name(name)} in {file.path}"
    elif entry := _entries().get(name):
        kind, where = _loaded(entry), f"{entry.value}, {name!r} of {GROUP}"
    elif name.endswith(".py"):
        raise UsageError(f"cell {name!r}: name the class, too: {name}:CLASS")
    else:
        raise UsageError(
            f"the file of cell {short_name(name)} is not known here; name it: --cell "
            f"FILE.py:{short_name(name)}"
        )
    cell = _made(kind, where)
    cell.name = name
    if checked:
        check_at_once(cell, where)
        _found[name] = cell
    return cell


@cache
def _entries() -> dict[str, EntryPoint]:
    """Return what installed packages offer, by name."""
    from importlib.metadata import entry_points  # reads the names of all packages

    return {entry.name: entry for entry in entry_points(group=GROUP) if entry.name not in CELLS}


def _loaded(entry: EntryPoint) -> object:
    try:
        return entry.load()
    except Exception as error:
        raise UsageError(
            f"cell {entry.name!r}: {entry.value} cannot be loaded: {told(error)}"
        ) from None


def _compiled(file: CellFile) -> Any:
    try:
        return compile(file.content, file.path, "exec", dont_inherit=True)
    except SyntaxError as error:
        line = f"line {error.lineno}: " if error.lineno else ""
        raise UsageError(f"{file.path}: not Python: {line}{error.msg}") from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise UsageError(f"{file.path}: not Python: {error or type(error).__name__}") from None


def _class_in(file: CellFile, name: str) -> object:
    """Run a file and return what it calls `name`."""
    module = ModuleType(f"rnnlab_cell_{sha256(file.content)}")
    module.__file__ = file.path
    sys.modules[module.__name__] = module  # what defines classes looks its module up there
    try:
        exec(_compiled(file), vars(module))
    except (Exception, SystemExit) as error:
        raise UsageError(f"{file.path} cannot be run: {told(error, file.path)}") from None
    if name not in vars(module):
        here = [
            key
            for key, value in vars(module).items()
            if isinstance(value, type) and value.__module__ == module.__name__
        ]
        raise UsageError(
            f"{file.path} has no class {name!r}{suggest(name, here)} (classes: "
            f"{', '.join(here) or 'none'})"
        )
    found: object = vars(module)[name]
    return found


def _made(kind: object, where: str) -> Cell:
    """Return a cell of a class; raise UsageError if it is not one, or lacks something."""
    if not (isinstance(kind, type) and issubclass(kind, Cell)):
        raise UsageError(f"{where} is not a subclass of rnnlab.cells.Cell")
    if isabstract(kind):
        missing = " and ".join(sorted(kind.__abstractmethods__))
        raise UsageError(f"{where} lacks {missing}")
    try:
        cell = kind()
    except Exception as error:
        raise UsageError(f"{where} cannot be made: {told(error)}") from None
    gates = getattr(cell, "gates", None)
    if not gates or not (
        isinstance(gates, tuple) and all(isinstance(gate, Gate) for gate in gates)
    ):
        raise UsageError(f'{where} has no gates; give them as gates = (Gate("f", 0, 1), ...)')
    names = cell.state_names
    if not isinstance(names, tuple) or not names or names[0] != "h":
        raise UsageError(f'{where}: state_names must begin with "h", not {names!r}')
    return cell
