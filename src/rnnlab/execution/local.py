"""Runs on this machine: every run a process of its own, several at once."""

import os
import signal
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import forkserver, get_context, parent_process
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path

from rnnlab.errors import RnnlabError
from rnnlab.execution.executor import Executor, Kind, RunEvent
from rnnlab.execution.job import Job
from rnnlab.experiments.store import Store
from rnnlab.signals import SIGNALS

# A server that has imported everything once forks a fresh process for each run: as clean as a new
# interpreter, without its five seconds of imports.
PROCESSES = get_context("forkserver")
IMPORTED = [
    "rnnlab.execution.single_run",
    "torch._dynamo",  # which the first optimizer would import
    "matplotlib.backends.backend_svg",
]


class LocalExecutor(Executor):
    """Worker processes of this machine."""

    def __init__(self, store: Store, slots: int) -> None:
        self.store = store
        self.slots = slots
        self._busy: dict[Connection, tuple[Job, BaseProcess]] = {}

    def run(self, jobs: Iterator[Job]) -> Iterator[RunEvent]:
        """See `Executor.run`; where it is left early, the runs that it is in are ended at once."""
        PROCESSES.set_forkserver_preload(IMPORTED)
        try:
            while True:
                while len(self._busy) < self.slots and (job := next(jobs, None)):
                    self._start(job)
                    yield RunEvent(job, "started", "here")
                if not self._busy:
                    return
                for pipe in wait(list(self._busy)):
                    assert isinstance(pipe, Connection)
                    yield self._end(pipe)
        finally:
            self.close()

    def close(self) -> None:
        """See `Executor.close`."""
        for _, process in self._busy.values():
            process.kill()
            process.join()
        self._busy.clear()

    def _start(self, job: Job) -> None:
        mine, theirs = PROCESSES.Pipe(duplex=False)
        process = PROCESSES.Process(target=work, args=(job, self.store.folder, theirs), daemon=True)
        with _undisturbed():
            process.start()
            theirs.close()  # so that the pipe ends with the process
            self._busy[mine] = (job, process)

    def _end(self, pipe: Connection) -> RunEvent:
        job, process = self._busy.pop(pipe)
        try:
            kind, detail = pipe.recv()
        except EOFError:
            process.join()
            code = process.exitcode or 0
            how = f"signal {-code}" if code < 0 else f"exit code {code}"
            detail = f"its process ended with {how}" + (
                "; was there enough memory?" if code == -9 else ""
            )
            return RunEvent(job, "failed", detail)
        process.join()
        return RunEvent(job, kind, detail)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM wait: a process that is half started would die with a traceback."""
    forkserver.ensure_running()  # which would keep what is blocked here
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def work(job: Job, folder: Path, answer: Connection) -> None:
    """Make one run; runs in the worker process."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the experiment, which ends us
    answer.send(attempt(job, Store(folder)))


def attempt(job: Job, store: Store) -> tuple[Kind, str]:
    """Make one run in its place in the store, if no one else does; returns an event's content."""
    from rnnlab.execution.single_run import can_go_on, perform

    try:
        with store.claim(job.id) as mine:
            if not mine:
                return "elsewhere", ""
            if ended := store.ended(job.id):
                return ended.status, ended.reason
            directory = store.directory(job.id)
            if not can_go_on(job, directory):
                store.clear(job.id)
            ended = perform(job, directory)
            return ended.status, ended.reason
    except RnnlabError as error:
        return "failed", str(error)
    except OSError as error:
        return "failed", f"{error.filename or 'input or output'}: {error.strerror or error}"
    except Exception:
        return "failed", traceback.format_exc().strip()


def _end_with_parent() -> None:
    """Do not outlive an experiment that was killed: its successor would meet this run half done."""
    parent = parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)
