"""An experiment's folder: its file, its runs, its report."""

from dataclasses import replace
from pathlib import Path

import tomli_w

from rnnlab.cells.registry import allow
from rnnlab.config import read_toml
from rnnlab.errors import UsageError, unknown
from rnnlab.experiments.cell_files import with_pinned_cells, write_copies
from rnnlab.experiments.plan import Plan, make_plan, read_plan
from rnnlab.experiments.settings import apply_quick
from rnnlab.files import check_path, make_folder, write_atomically

FILE = "experiment.toml"

SHIPPED = Path(__file__).parent
"""Experiment files that come with rnnlab."""


def open_folder(file: Path, output: str = "", *, quick: bool = False) -> tuple[Plan, Path]:
    """Return an experiment's plan, and the folder of its runs and its report.

    file: an experiment file, or a folder with an experiment.toml.

    The folder is `output` or else that of the file, with `quick` its subfolder quick. If it is not
    that of the file, it gets a copy of the file as it is run, and of the files of its cells. These
    may be run from now on. Raises UsageError if the file is not
    valid, or if the folder holds another experiment.
    """
    file = file / FILE if file.is_dir() else file
    content, cells = with_pinned_cells(read_toml(file), file.parent, str(file))
    folder = Path(output) if output else file.parent / ("quick" if quick else "")
    check_path(folder)
    name = folder.resolve().name
    plan = make_plan(content, name, str(file))
    plan.check_settings_have_effect(str(file))
    if quick:
        content = apply_quick(content)
        plan = make_plan(content, name, str(file))
    plan = replace(plan, origin=file.resolve().parent)
    for cell in cells:
        allow(cell)
    copy = folder / FILE
    if copy.is_file() and copy.samefile(file):
        return plan, folder
    if copy.is_file() and read_toml(copy).get("question") != content.get("question"):
        raise UsageError(f"{folder} holds another experiment; give another --output")
    make_folder(folder)
    write_copies(cells, folder)
    is_changed = quick or bool(cells)
    write_atomically(copy, tomli_w.dumps(content).encode() if is_changed else file.read_bytes())
    return plan, folder


def find_shipped(name: str) -> Path:
    """Return the path of an experiment file that comes with rnnlab, such as `lab-report`."""
    choices = sorted(path.stem for path in SHIPPED.glob("*.toml"))
    if name not in choices:
        raise unknown("experiment", name, choices)
    return SHIPPED / f"{name}.toml"


def open_existing(folder: Path) -> Plan:
    """Return the plan of a folder in which an experiment has been run."""
    if not (folder / FILE).is_file():
        raise UsageError(f"{folder} is not the folder of an experiment: it has no {FILE}")
    return read_plan(folder / FILE)
