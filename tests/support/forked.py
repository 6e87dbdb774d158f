"""The command line in processes that are forked from one that has loaded torch.

They begin at once; the installed command loads for seconds.
"""

import atexit
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path

from interrupted import PROCESSES
from quick_workers import quicken, use_server_of_tests

from rnnlab.signals import SIGNALS, die_on_signals, forked_before_computing


class Forked:
    """A command that runs, with what the tests need of `subprocess.Popen`.

    Its streams are pipes, or those of the named terminal.
    """

    def __init__(self, *args: str, terminal: str = "", cwd: str | Path = "") -> None:
        pipes = [PROCESSES.Pipe(duplex=False) for _ in range(3)]
        theirs = [pipes[0][0], pipes[1][1], pipes[2][1]]
        begun, begins = PROCESSES.Pipe(duplex=False)
        environment = {**os.environ, "COLUMNS": "100"}
        self.args = args
        self.process = PROCESSES.Process(
            target=command,
            args=(args, terminal or theirs, begins, environment, Path(cwd).resolve()),
        )
        self.process.start()
        atexit.register(self.process.kill)  # what a failing test leaves would be waited for
        for end in (*theirs, begins):
            end.close()
        begun.recv()  # it minds signals now
        ours = [os.dup(end.fileno()) for end in (pipes[0][1], pipes[1][0], pipes[2][0])]
        self.stdin = os.fdopen(ours[0], "w", encoding="utf-8")
        self.stdout, self.stderr = (os.fdopen(end, encoding="utf-8") for end in ours[1:])

    @property
    def pid(self) -> int:
        assert self.process.pid
        return self.process.pid

    @property
    def returncode(self) -> int | None:
        return self.process.exitcode

    def poll(self) -> int | None:
        """Return the exit code; None: it runs."""
        return self.process.exitcode

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def send_signal(self, sign: signal.Signals) -> None:
        with suppress(ProcessLookupError):  # it may just have ended
            os.kill(self.pid, sign)

    def communicate(self) -> tuple[str, str]:
        """Wait for the end; return what was printed since."""
        done = self.ended()
        return done.stdout, done.stderr

    def ended(self) -> subprocess.CompletedProcess[str]:
        """Wait for the end."""
        with self.stdin, self.stdout, self.stderr:
            self.stdin.close()
            printed = [stream.read() for stream in (self.stdout, self.stderr)]
        self.process.join(60)
        assert self.process.exitcode is not None
        return subprocess.CompletedProcess(self.args, self.process.exitcode, *printed)


def command(
    args: Sequence[str],
    streams: str | list[Connection],
    begins: Connection,
    environment: dict[str, str],
    folder: Path,
) -> None:
    """Runs in the process, as `rnnlab.__main__` does in a new one."""
    os.setsid()
    if isinstance(streams, str):
        numbers = [os.open(streams, os.O_RDWR)] * 3
    else:
        numbers = [stream.fileno() for stream in streams]
    for own, number in enumerate(numbers):
        os.dup2(number, own)
    sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)
    sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = os.fdopen(2, "w", encoding="utf-8", closefd=False)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    for sign in SIGNALS:
        signal.signal(sign, signal.SIG_DFL)
    die_on_signals()
    forked_before_computing()
    use_server_of_tests()
    quicken()
    begins.send(None)
    from rnnlab.cli import main

    main(args)
