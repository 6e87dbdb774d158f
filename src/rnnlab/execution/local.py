"""Makes runs on this machine, each in its own process, several at once."""

import os
import signal
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import forkserver, get_all_start_methods, get_context, parent_process
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path

from rnnlab.errors import RnnlabError
from rnnlab.execution.executor import EventKind, Executor, Job, RunEvent
from rnnlab.experiments.store import Store
from rnnlab.signals import SIGNALS, forked_before_computing

# A server process imports everything once and forks a process for each run. That is as clean as a
# new interpreter, without its five seconds of imports. Windows has no such server.
HAS_FORKSERVER = "forkserver" in get_all_start_methods()
PROCESSES = get_context("forkserver") if HAS_FORKSERVER else get_context("spawn")
PRELOADED = [
    "rnnlab.execution.single_run",
    "matplotlib.backends.backend_svg",
    "matplotlib.figure",
    "scipy.special",  # for the intervals of an evaluation; a third of the time of a small run
    "filelock",
]


class LocalExecutor(Executor):
    """Worker processes of this machine."""

    def __init__(self, store: Store, slots: int) -> None:
        self.store = store
        self.slots = slots
        self._busy: dict[Connection, tuple[Job, BaseProcess]] = {}

    def run(self, jobs: Iterator[Job]) -> Iterator[RunEvent]:
        """See `Executor.run`; if the iterator is closed early, runs in progress end at once."""
        PROCESSES.set_forkserver_preload(PRELOADED)  # without effect on other start methods
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
        receiver, sender = PROCESSES.Pipe(duplex=False)
        arguments = (job, self.store.folder, sender)
        process = PROCESSES.Process(target=run_worker, args=arguments, daemon=True)
        with _signals_blocked():
            process.start()
            sender.close()  # so that the pipe ends with the process
            self._busy[receiver] = (job, process)

    def _end(self, pipe: Connection) -> RunEvent:
        job, process = self._busy.pop(pipe)
        try:
            kind, detail = pipe.recv()
        except EOFError:
            process.join()
            code = process.exitcode or 0
            how = f"signal {-code}" if code < 0 else f"exit code {code}"
            doubt = "; was there enough memory?" if code == -9 else ""
            return RunEvent(job, "failed", f"its process ended with {how}{doubt}")
        process.join()
        return RunEvent(job, kind, detail)


@contextmanager
def _signals_blocked() -> Iterator[None]:
    """Delay Ctrl-C and SIGTERM, which would end a half-started process with a traceback."""
    if not HAS_FORKSERVER:
        yield
        return
    forkserver.ensure_running()  # it would inherit the blocked signals
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def run_worker(job: Job, folder: Path, sender: Connection) -> None:
    """Make one run and send its event's content; the main function of a worker process."""
    forked_before_computing()  # the server only imports
    threading.Thread(target=_end_with_parent, daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C also reaches the parent, which ends this
    sender.send(claim_and_run(job, Store(folder)))


def claim_and_run(job: Job, store: Store) -> tuple[EventKind, str]:
    """Make a run in the store unless another process does; returns the content of its event."""
    from rnnlab.execution.single_run import can_resume, run_one

    try:
        with store.claim(job.id) as is_ours:
            if not is_ours:
                return "elsewhere", ""
            if not (ended := store.ended(job.id)):
                directory = store.directory(job.id)
                if not can_resume(job, directory):
                    store.remove_run(job.id)
                ended = run_one(job, directory)
            return ended.status, ended.reason
    except RnnlabError as error:
        return "failed", str(error)
    except OSError as error:
        return "failed", f"{error.filename or 'input or output'}: {error.strerror or error}"
    except Exception:
        return "failed", traceback.format_exc().strip()


def _end_with_parent() -> None:
    """Exit when the parent process ends, or else the next start would find this run in progress."""
    parent = parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)
