"""Makes runs on a Ray cluster, which assigns each to a node, and to another if that node dies."""

import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

from rnnlab.cores import usable_cores
from rnnlab.errors import RnnlabError, UnavailableError, UsageError
from rnnlab.execution.executor import Executor, Job, RunEvent
from rnnlab.execution.remote import RemoteResult, Text, find_texts, run_remotely, store_run
from rnnlab.experiments.store import Store

VERSION = version("rnnlab")

MAX_RETRIES = 3
"""Times that Ray makes a run again after its node or process has died."""

POLL_SECONDS = 1.0
"""Time between checks of which nodes there are."""

OBJECT_STORE_BYTES = 256 * 2**20
"""For texts and run directories, in a cluster of this machine alone."""

CONNECT_SECONDS = 5.0
"""Longest wait for a connection to a cluster's head."""

ENVIRONMENT = {"RAY_AUTH_MODE": "token", "RAY_USAGE_STATS_ENABLED": "0"}
"""Variables that Ray reads when it is imported."""

PATIENCE = {"RAY_gcs_server_port_wait_time_s": "1", "RAY_gcs_server_request_timeout_seconds": "15"}
"""Variables that make Ray report an error within seconds when it joins a cluster; by default it
tries again for minutes."""


class RayExecutor(Executor):
    """The nodes of a Ray cluster.

    This process holds the claims of all runs in progress, and only this process writes into the
    store. So a run is stored once, even if Ray makes it twice because a node was cut off. When this
    process ends, for whatever reason, Ray ends its runs.
    """

    def __init__(self, store: Store, address: str = "", workers: int = 0, threads: int = 1) -> None:
        """Start or join a cluster; raises as `connect` does.

        address: HOST:PORT of the cluster's head, or auto; empty: a cluster of this machine alone.
        workers: runs at once, 0: as many as the nodes have CPUs for.
        threads: CPUs to count for each run; its settings say how many it really uses.
        """
        self.store = store
        self._workers = workers
        self._threads = threads
        self._ray = connect(address, workers * threads)
        self._run_job = self._ray.remote(num_returns="streaming", max_retries=MAX_RETRIES)(run_job)
        self._nodes: list[dict[str, float]] = []
        self._running: dict[Any, tuple[Job, ExitStack]] = {}  # with the claims that are held
        self._texts: dict[Path, Any] = {}
        self._unfit = ""  # why a node cannot run this rnnlab
        self._count_slots()

    def close(self) -> None:
        """See `Executor.close`: leave the cluster; a cluster of this machine alone ends."""
        self._ray.shutdown()

    def run(self, jobs: Iterator[Job]) -> Iterator[RunEvent]:
        """See `Executor.run`; if the iterator is closed early, runs in progress end at once.

        Raises UnavailableError if a node cannot run this rnnlab, after the runs in progress have
        ended.
        """
        more, self._unfit = True, ""
        try:
            while more or self._running:
                while more and len(self._running) < self.slots:
                    job = next(jobs, None)
                    if job is None:
                        more = False
                    elif event := self._start(job):
                        yield event
                yield from self._wait_for_events()
                self._count_slots()
                more = more and not self._unfit
            if self._unfit:
                raise UnavailableError(self._unfit)
        finally:
            for stream, (_, claim) in self._running.items():
                self._ray.cancel(stream, force=True)
                claim.close()
            self._running.clear()

    def _start(self, job: Job) -> RunEvent | None:
        """Submit a run to Ray; return an event instead if there is nothing to run."""
        claim = ExitStack()
        try:
            if not claim.enter_context(self.store.claim(job.id)):
                return RunEvent(job, "elsewhere")
            if ended := self.store.ended(job.id):
                return RunEvent(job, ended.status, ended.reason)
            self.store.remove_run(job.id)
            data = job.settings.data
            texts = {name: self._send(file) for name, file in find_texts(data).items()}
            if data.data_dir:
                data_dir = str(Path(data.data_dir).resolve())
                job = replace(job, settings=job.settings.with_changes(data_dir=data_dir))
            function = self._run_job.options(**self._resources(job))
            stream = function.remote(VERSION, job, self.store.folder.resolve(), texts)
            self._running[stream] = (job, claim.pop_all())
        except (RnnlabError, OSError) as error:
            return RunEvent(job, "failed", str(error))
        finally:
            claim.close()
        return None

    def _send(self, file: Path) -> Any:
        """Put a text into Ray's object store, once; return the reference to it."""
        if file not in self._texts:
            self._texts[file] = self._ray.put(Text(file, file.read_bytes()))
        return self._texts[file]

    def _resources(self, job: Job) -> dict[str, float]:
        """Return what Ray is to reserve, at most what a node has: Ray would wait for more."""
        machine = job.settings.machine
        cpus, gpus = (
            max((node.get(what, 0) for node in self._nodes), default=0) for what in ("CPU", "GPU")
        )
        needs_gpu = machine.device == "cuda"
        return {"num_cpus": max(1, min(machine.threads, cpus)), "num_gpus": min(needs_gpu, gpus)}

    def _wait_for_events(self) -> Iterator[RunEvent]:
        """Wait a while for events of the runs in progress."""
        if not self._running:
            return
        ready, _ = self._ray.wait(list(self._running), timeout=POLL_SECONDS)
        errors = self._ray.exceptions
        for stream in ready:
            try:
                message = self._ray.get(next(stream))
            except errors.RayTaskError as error:
                self._unfit = _unfitness(error.cause)
                message = RemoteResult("failed", self._unfit, {})
            except errors.RayError as error:
                reason = " ".join(str(error).split())
                message = RemoteResult("failed", f"Ray gave it up: {reason}", {})
            if isinstance(message, RemoteResult):
                yield self._end(stream, message)
            else:
                yield RunEvent(self._running[stream][0], "started", message)

    def _end(self, stream: Any, result: RemoteResult) -> RunEvent:
        job, claim = self._running.pop(stream)
        with claim:
            try:
                if result.files:
                    store_run(self.store, job.id, result.files)
            except OSError as error:
                result = RemoteResult("failed", f"{error.filename}: {error.strerror}", {})
        return RunEvent(job, result.kind, result.detail)

    def _count_slots(self) -> None:
        """Ask which nodes there are now, and count the runs that they have CPUs for."""
        self._nodes = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
        places = sum(int(node.get("CPU", 0)) // self._threads for node in self._nodes)
        self.slots = max(1, min(places, self._workers or places))


def run_job(
    experiment_version: str, job: Job, folder: Path, texts: Mapping[str, Any]
) -> Iterator[str | RemoteResult]:
    """Make a run on this node; yields the node's address at the start and the result at the end."""
    import ray

    node = ray.util.get_node_ip_address()  # type: ignore[no-untyped-call]
    if experiment_version != VERSION:
        raise UnavailableError(
            f"node {node} has rnnlab {VERSION}, the experiment {experiment_version}; install one "
            "version on all nodes"
        )
    yield node
    yield run_remotely(job, {name: ray.get(text) for name, text in texts.items()}, folder, node)


def _unfitness(error: Exception) -> str:
    """Say why a node could not even begin a run."""
    if isinstance(error, UnavailableError):
        return str(error)
    reason = (str(error).strip() or repr(error)).splitlines()[-1]
    return f"a node cannot run rnnlab {VERSION}, which all nodes need: {reason}"


def connect(address: str, cpus: int = 0) -> ModuleType:
    """Join the cluster at `address`, or start one of this machine with `cpus`, 0: `usable_cores`.

    Token authentication is on. Returns the package ray. Raises UsageError if the address is not
    valid, and UnavailableError if ray is not installed, the cluster cannot be reached or refuses
    the token, or this machine is not a node of it.
    """
    joins = address not in ("", "auto")
    if joins:
        _check_address(address)
    for name, value in {**ENVIRONMENT, **(PATIENCE if joins else {})}.items():
        os.environ.setdefault(name, value)
    try:
        import ray
    except ModuleNotFoundError:
        raise UnavailableError(
            "executor 'ray' needs the package ray; install it with pip install 'rnnlab[ray]'"
        ) from None
    options: dict[str, Any] = {"log_to_driver": False, "configure_logging": False}
    if not address:
        options |= {"include_dashboard": False, "num_cpus": cpus or usable_cores().count}
        options |= {"object_store_memory": OBJECT_STORE_BYTES}
    try:
        ray.init(address or "local", **options)
    except (RuntimeError, ValueError, OSError, ray.exceptions.RayError) as error:
        raise UnavailableError(_describe_refusal(address, error)) from None
    return ray


def _check_address(address: str) -> None:
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal():
        raise UsageError(f"address must be HOST:PORT of a Ray cluster's head, not {address!r}")
    try:
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS).close()
    except OSError as error:
        raise UnavailableError(
            f"no Ray cluster can be reached at {address}: {error.strerror or error}"
        ) from None


def _describe_refusal(address: str, error: Exception) -> str:
    """Say why Ray did not start, or could not join the cluster at `address`."""
    cause = str(error.__cause__ or error).strip()
    if "authentication token" in cause.lower():
        reason = cause.splitlines()[-1].rpartition("Error: ")[2].partition(". Ensure")[0]
        return (
            f"the Ray cluster at {address} does not accept this machine's token: {reason}; put the "
            "token of the cluster into ~/.ray/auth_token, or name its file in RAY_AUTH_TOKEN_PATH"
        )
    if cause.startswith("No node info found"):
        return (
            f"this machine is not a node of the Ray cluster at {address}; make it one with "
            f"ray start --address={address} (with --num-cpus=0 if it is to make no runs)"
        )
    what = f"the Ray cluster at {address} cannot be joined" if address else "Ray does not start"
    return f"{what}: {' '.join(str(error).split())}"
