"""Runs and worker processes that leave out what takes time and is tested elsewhere."""

import os
from collections.abc import Callable
from multiprocessing import forkserver, parent_process
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from rnnlab.execution import local
from rnnlab.execution.executor import Job

# One server forks all processes of the tests: those of experiments and those of commands.
local.PRELOADED += [
    "rnnlab.execution.local",
    "rnnlab.execution.experiment",
    "rnnlab.cli",
    "rnnlab.display.experiment",
    "rnnlab.display.training",
    "rnnlab.doctor.diagnose",
    "rnnlab.web.serving",
]


def quicken(put: Callable[[object, str, object], None] = setattr) -> None:
    """Leave out what takes most of the time of a small run: its picture, and waits for the disk.

    put: called as `setattr`, which holds as long as the process.
    """
    from rnnlab.runs import writer

    put(writer, "save_curves", draw_nothing)
    put(os, "fsync", lambda descriptor: None)


def draw_nothing(directory: Path) -> Path:
    """Stands in for `rnnlab.runs.curves.save_curves`."""
    file = directory / "curves.svg"
    file.write_text("<svg/>\n", encoding="utf-8")
    return file


def run_quickly(job: Job, folder: Path, sender: Connection) -> None:
    quicken()
    local.run_worker(job, folder, sender)


def run_without_kernels(job: Job, folder: Path, sender: Connection) -> None:
    """Ask the native engine for an instruction set that there is not."""
    os.environ["RNNLAB_ISA"] = "avx3"
    run_quickly(job, folder, sender)


def run_in_group_of_parent(job: Job, folder: Path, sender: Connection) -> None:
    """Be killed with the process that started this one, as if the server were its own."""
    parent = parent_process()
    assert parent is not None
    os.setpgid(0, parent.pid or 0)
    run_quickly(job, folder, sender)


def use_server_of_tests(run_worker: Any = run_quickly) -> None:
    """Start workers by the server that this process was forked from.

    One of its own would import torch again, for seconds.
    """
    for place in (forkserver, forkserver._forkserver):  # type: ignore[attr-defined]
        place.ensure_running = lambda: None
    local.run_worker = run_worker
