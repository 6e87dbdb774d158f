"""Runs training in processes that can be killed, and reads what they left."""

import hashlib
import io
import json
import os
import sys
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from quick_workers import quicken

from rnnlab.config import Settings
from rnnlab.display.plain_console import PlainConsole
from rnnlab.errors import RnnlabError
from rnnlab.execution.local import PRELOADED
from rnnlab.files import read_json
from rnnlab.runs.checksums import WEIGHTS
from rnnlab.runs.files import RESULT, read_metrics

PROCESSES = get_context("forkserver")
PROCESSES.set_forkserver_preload(PRELOADED)

SECONDS = {"seconds", "tokens_per_second"}
"""Fields of metrics.jsonl that differ from run to run."""


def start(settings: Settings, directory: Path, *, resume: bool = False, spoil: Any = None) -> Any:
    """Train in a process; `spoil` is called there first."""
    process = PROCESSES.Process(target=work, args=(settings, directory, resume, spoil))
    process.start()
    return process


def work(
    settings: Settings, directory: Path, resume: bool, spoil: Callable[[], None] | None
) -> None:
    """Runs in the process; exits with 1 and one line where rnnlab gives up."""
    from rnnlab.runs.training import train
    from rnnlab.signals import forked_before_computing

    forked_before_computing()
    quicken()
    if spoil:
        spoil()
    try:
        train(settings, directory, resume=resume)
    except RnnlabError as error:
        print(error, file=sys.stderr)
        os._exit(1)


def ended_well(process: BaseProcess) -> bool:
    """Wait for the end."""
    process.join(120)
    return process.exitcode == 0


def fingerprint(directory: Path) -> dict[str, str]:
    """SHA-256 of everything that training leaves, except times."""
    metrics = [
        {name: value for name, value in line.items() if name not in SECONDS}
        for line in read_metrics(directory)
    ]
    found = {"metrics": hashlib.sha256(json.dumps(metrics).encode()).hexdigest()}
    for name in (*WEIGHTS, "samples.txt"):
        if (directory / name).is_file():
            found[name] = hashlib.sha256((directory / name).read_bytes()).hexdigest()
    evaluations = read_json(directory / RESULT)["evaluations"]
    found[RESULT] = hashlib.sha256(json.dumps(evaluations).encode()).hexdigest()
    return found


def resumed(directory: Path, **changes: Any) -> str:
    """Resume in this process; return what the terminal shows."""
    from rnnlab.display.training import TrainingDisplay
    from rnnlab.runs.run import Run
    from rnnlab.runs.training import train

    shown = io.StringIO()
    settings = Run.open(directory).settings.with_changes(**changes)
    display = TrainingDisplay(console=PlainConsole(file=shown, width=500))
    train(settings, directory, [display], resume=True)
    return shown.getvalue()
