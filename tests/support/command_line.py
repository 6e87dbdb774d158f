"""The command line as a user calls it, and made-up text to call it with."""

import io
import os
import random
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any
from unittest.mock import patch

from rnnlab.signals import SIGNALS

Cli = Callable[..., subprocess.CompletedProcess[str]]

TINY = [
    *("--hidden-size", "16", "--embedding-size", "4"),
    *("--batch-size", "4", "--num-steps", "10", "--threads", "1", "--no-automatic"),
]
"""Flags of a model that trains in an instant."""

RNNLAB = Path(sys.executable).with_name("rnnlab")


def made_up_text(sentences: int, seed: int = 0) -> str:
    """English enough to be learned in seconds."""
    rng = random.Random(seed)
    nouns = ["cat", "dog", "bird", "house", "river", "stone"]
    verbs = ["sees", "finds", "loses", "follows"]
    return "".join(
        f"The {rng.choice(nouns)} {rng.choice(verbs)} the {rng.choice(nouns)}.\n"
        for _ in range(sentences)
    )


def run_rnnlab(
    *args: str, cwd: str | Path = ".", input: str = "", encoding: str = "utf-8"
) -> subprocess.CompletedProcess[str]:
    """Run a command in this process, which has imported torch, and put back what it changes here.

    Returns what `start_rnnlab` would; files in `encoding` stand in for the pipes.
    """
    import torch

    from rnnlab.cli import main

    handlers = {sign: signal.getsignal(sign) for sign in SIGNALS}
    threads = torch.get_num_threads()
    stdin = io.TextIOWrapper(io.BytesIO(input.encode()), encoding="utf-8")
    with (
        TemporaryFile("w+", encoding=encoding, errors="strict") as stdout,
        TemporaryFile("w+", encoding=encoding, errors="strict") as stderr,
        patch.dict(os.environ, COLUMNS="100"),
        patch.object(sys, "stdin", stdin),
        redirect_stdout(stdout),
        redirect_stderr(stderr),
        chdir(cwd),
    ):
        try:
            code = exit_code(main, args)
        finally:
            torch.set_num_threads(threads)
            for sign, handler in handlers.items():
                signal.signal(sign, handler)
        printed = []
        for file in (stdout, stderr):
            file.seek(0)
            printed.append(file.read())
    return subprocess.CompletedProcess(args, code, *printed)


def exit_code(main: Callable[[Sequence[str]], None], args: Sequence[str]) -> int:
    """Call the command line; whatever it raises is printed as the interpreter prints it."""
    try:
        main(args)
    except SystemExit as leaving:
        return int(leaving.code or 0)
    except Exception:
        traceback.print_exc()
        return 1
    return 0


def start_rnnlab(
    *args: str, env: Mapping[str, str] | None = None, **options: Any
) -> subprocess.CompletedProcess[str]:
    """Run the installed command in a process of its own, for what is settled while it loads."""
    environment = {**os.environ, "COLUMNS": "100", **(env or {})}
    return subprocess.run(
        [RNNLAB, *args], capture_output=True, text=True, timeout=300, env=environment, **options
    )
