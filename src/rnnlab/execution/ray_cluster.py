"""Runs on a cluster: Ray finds each a node, and another one where a node has died."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rnnlab import __version__
from rnnlab.errors import RnnlabError, UnavailableError
from rnnlab.execution.executor import Executor, RunEvent
from rnnlab.execution.job import Job
from rnnlab.execution.ray_connection import connect
from rnnlab.execution.remote import Answer, Text, keep, make_run, texts_at_hand
from rnnlab.experiments.store import Store

MAX_RETRIES = 3
"""Times that Ray does a run again whose node or process has died."""

LOOK_SECONDS = 1.0
"""How often it is looked which nodes there are."""


@dataclass
class Flight:
    """A run that Ray is at."""

    job: Job
    claim: ExitStack


class RayExecutor(Executor):
    """The nodes of a Ray cluster.

    This process holds the claims of all runs in flight and is the only one that writes into the
    store, so a run appears once, even if Ray does it twice because a node was cut off. When this
    process ends, however it ends, Ray ends its runs.
    """

    def __init__(self, store: Store, address: str = "", workers: int = 0, threads: int = 1) -> None:
        """Start or join a cluster; raises as `connect` does.

        address: HOST:PORT of the cluster's head, or auto; empty: a cluster of this machine alone.
        workers: runs at once, 0: as many as the nodes have CPUs for.
        threads: CPUs of a run, where slots are counted; what it gets is what its settings say.
        """
        self.store = store
        self._workers = workers
        self._threads = threads
        self._ray = connect(address, workers * threads)
        self._work = self._ray.remote(num_returns="streaming", max_retries=MAX_RETRIES)(work)
        self._nodes: list[dict[str, float]] = []
        self._flights: dict[Any, Flight] = {}
        self._texts: dict[Path, Any] = {}
        self._unfit = ""
        self._count()

    def close(self) -> None:
        """See `Executor.close`: leave the cluster; one of this machine alone ends."""
        self._ray.shutdown()

    def run(self, jobs: Iterator[Job]) -> Iterator[RunEvent]:
        """See `Executor.run`; where it is left early, the runs in flight are ended at once.

        Raises UnavailableError for a node that cannot run this rnnlab, after the runs in flight
        have ended.
        """
        more, self._unfit = True, ""
        try:
            while more or self._flights:
                while more and len(self._flights) < self.slots:
                    job = next(jobs, None)
                    if job is None:
                        more = False
                    elif event := self._start(job):
                        yield event
                yield from self._hear()
                self._count()
                more = more and not self._unfit
            if self._unfit:
                raise UnavailableError(self._unfit)
        finally:
            for news, flight in self._flights.items():
                self._ray.cancel(news, force=True)
                flight.claim.close()
            self._flights.clear()

    def _start(self, job: Job) -> RunEvent | None:
        """Hand a run to Ray, if no one else makes it; returns what there is to tell at once."""
        claim = ExitStack()
        try:
            if not claim.enter_context(self.store.claim(job.id)):
                return RunEvent(job, "elsewhere")
            if ended := self.store.ended(job.id):
                return RunEvent(job, ended.status, ended.reason)
            self.store.clear(job.id)
            data = job.settings.data
            texts = {name: self._send(file) for name, file in texts_at_hand(data).items()}
            if data.data_dir:
                data_dir = str(Path(data.data_dir).resolve())
                job = replace(job, settings=job.settings.changed(data_dir=data_dir))
            task = self._work.options(**self._resources(job))
            news = task.remote(__version__, job, self.store.folder.resolve(), texts)
            self._flights[news] = Flight(job, claim.pop_all())
        except (RnnlabError, OSError) as error:
            return RunEvent(job, "failed", str(error))
        finally:
            claim.close()
        return None

    def _send(self, file: Path) -> Any:
        """A reference to a text in Ray's object store, where each is put once."""
        if file not in self._texts:
            self._texts[file] = self._ray.put(Text(file, file.read_bytes()))
        return self._texts[file]

    def _resources(self, job: Job) -> dict[str, float]:
        """What Ray is to reserve; never more than a node has, which it would wait for."""

        def most(what: str) -> float:
            return max((node.get(what, 0) for node in self._nodes), default=0)

        machine = job.settings.machine
        return {
            "num_cpus": max(1, min(machine.threads, most("CPU"))),
            "num_gpus": min(machine.device == "cuda", most("GPU")),
        }

    def _hear(self) -> Iterator[RunEvent]:
        """Wait a while for news of the runs in flight."""
        if not self._flights:
            return
        ready, _ = self._ray.wait(list(self._flights), timeout=LOOK_SECONDS)
        errors = self._ray.exceptions
        for news in ready:
            try:
                told = self._ray.get(next(news))
            except errors.RayTaskError as error:
                self._unfit = _unfitness(error.cause)
                told = Answer("failed", self._unfit, {})
            except errors.RayError as error:
                told = Answer("failed", f"Ray gave it up: {' '.join(str(error).split())}", {})
            if isinstance(told, Answer):
                yield self._end(news, told)
            else:
                yield RunEvent(self._flights[news].job, "started", told)

    def _end(self, news: Any, answer: Answer) -> RunEvent:
        flight = self._flights.pop(news)
        with flight.claim:
            try:
                if answer.files:
                    keep(self.store, flight.job.id, answer.files)
            except OSError as error:
                answer = Answer("failed", f"{error.filename}: {error.strerror}", {})
        return RunEvent(flight.job, answer.kind, answer.detail)

    def _count(self) -> None:
        """Look which nodes there are now, and how many runs they have CPUs for."""
        self._nodes = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
        places = sum(int(node.get("CPU", 0)) // self._threads for node in self._nodes)
        self.slots = max(1, min(places, self._workers or places))


def work(version: str, job: Job, folder: Path, texts: Mapping[str, Any]) -> Iterator[str | Answer]:
    """Make a run; on a node. Says first where that is, and in the end what came of it."""
    import ray

    node = ray.util.get_node_ip_address()  # type: ignore[no-untyped-call]
    if version != __version__:
        raise UnavailableError(
            f"node {node} has rnnlab {__version__}, the experiment {version}; install one version "
            "on all nodes"
        )
    yield node
    yield make_run(job, {name: ray.get(text) for name, text in texts.items()}, folder, node)


def _unfitness(error: Exception) -> str:
    """Why a node could not even begin a run."""
    if isinstance(error, UnavailableError):
        return str(error)
    reason = (str(error).strip() or repr(error)).splitlines()[-1]
    return f"a node cannot run rnnlab {__version__}, which all nodes need: {reason}"
