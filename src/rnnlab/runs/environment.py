"""The machine and the versions that a figure was measured with."""

import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy
import torch

from rnnlab.cores import usable_cores
from rnnlab.engines.native_kernels import instruction_set
from rnnlab.errors import RnnlabError


def environment() -> dict[str, Any]:
    """Return versions, commit, processor and threads, which belong to every figure."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "rnnlab": version("rnnlab"),
        "commit": _commit(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": numpy.__version__,
        "tokenizers": version("tokenizers"),
        "regex": version("regex"),
        "platform": platform.platform(),
        "cpu": cpu_name(),
        "instruction_set": _instruction_set(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "cores": usable_cores().count,
        "threads": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
    }


def _instruction_set() -> str | None:
    """Return the native engine's instruction set; None if the engine cannot run here."""
    try:
        return instruction_set()
    except RnnlabError:
        return None


def cpu_name() -> str:
    """Return the processor's name, as far as the system tells it."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _commit() -> str | None:
    """Return the commit of the checkout that rnnlab runs from; None for an installed package."""
    source = Path(__file__).resolve()
    try:
        tracked = subprocess.run(
            ["git", "ls-files", "--error-unmatch", str(source)],
            cwd=source.parent, capture_output=True, timeout=5, check=False,
        )  # fmt: skip
        if tracked.returncode:
            return None
        described = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12"],
            cwd=source.parent, capture_output=True, timeout=5, check=False, encoding="utf-8",
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return None
    return described.stdout.strip() or None
