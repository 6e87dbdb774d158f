"""Runs on a real Ray cluster of this machine."""

import os
import re
import shutil
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rnnlab import __version__
from rnnlab.errors import UnavailableError, UsageError
from rnnlab.execution import ray_cluster
from rnnlab.execution.executor import Job, RunEvent
from rnnlab.execution.local import LocalExecutor
from rnnlab.execution.ray_cluster import RayExecutor
from rnnlab.experiments.outcomes import OUTCOMES
from rnnlab.experiments.plan import Plan
from rnnlab.experiments.store import Store
from rnnlab.files import read_json


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of runs in progress."""
    return tmp_path_factory.mktemp("node")


@pytest.fixture(scope="module")
def cluster(node: Path) -> Iterator[RayExecutor]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(node))
        patch.setenv("RAY_TMPDIR", "/tmp")  # sockets need a short path
        with RayExecutor(Store(node / "unused"), workers=2) as executor:
            yield executor


@pytest.fixture
def executor(cluster: RayExecutor, tmp_path: Path) -> RayExecutor:
    cluster.store = Store(tmp_path / "ray")
    return cluster


@pytest.fixture
def address(cluster: RayExecutor) -> str:
    """Of this machine, as Ray sees it."""
    return str(cluster._ray.util.get_node_ip_address())


def jobs_of(plan: Plan) -> list[Job]:
    return [Job.of(run, plan, threads=1) for run in plan.runs]


def endless(job: Job) -> Job:
    return replace(job, settings=job.settings.with_changes(num_epochs=10**6))


def kinds(events: list[RunEvent], job: Job) -> list[str]:
    return [event.kind for event in events if event.job.id == job.id]


def children(parent: int) -> list[int]:
    """Process ids, from /proc/PID/stat: pid (name) state parent ..."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended
            continue
        if int(fields[1]) == parent and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found


def workers() -> list[int]:
    """Processes of this cluster that make a run."""
    of_ray = [pid for child in children(os.getpid()) for pid in children(child)]
    return [pid for pid in of_ray if name(pid) == "ray::run_job"]


def name(pid: int) -> str:
    """Of a process; nothing where it has just ended."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def test_runs_equal_those_of_the_local_executor_and_are_made_once(
    make: Any, executor: RayExecutor, address: str, node: Path, tmp_path: Path
) -> None:
    plan = make(phrases=["The cat"], phrase_length=10)
    jobs, local = jobs_of(plan)[:3], Store(tmp_path / "local")
    assert {event.kind for event in LocalExecutor(local, 2).run(iter(jobs))} == {
        "started", "finished",
    }  # fmt: skip
    assert executor.slots == 2
    running = 0
    for event in executor.run(iter(jobs)):
        running += 1 if event.kind == "started" else -1
        assert 0 <= running <= 2
        assert (event.kind, event.detail) in [("started", address), ("finished", "")]
    store = executor.store
    made = sorted(entry.name for entry in (store.folder / "runs").iterdir())
    assert made == sorted([".locks", *(job.id for job in jobs)])
    for job in jobs:
        mine, theirs = local.outcome(job.id), store.outcome(job.id)
        assert mine is not None
        assert theirs is not None
        assert theirs["texts"] == mine["texts"]
        assert set(theirs["outcomes"]) == set(mine["outcomes"])
        for name, figure in mine["outcomes"].items():
            assert OUTCOMES[name].timed or theirs["outcomes"][name] == figure
        for file in ("checkpoint/best", "checkpoint/last"):
            weights = f"{file}/model.safetensors"
            assert (store.directory(job.id) / weights).read_bytes() == (
                local.directory(job.id) / weights
            ).read_bytes()
        for file in ("config.toml", "checkpoint/last/config.json", "samples.txt"):
            assert (store.directory(job.id) / file).read_text() == (
                local.directory(job.id) / file
            ).read_text()
            assert read_json(store.directory(job.id) / "environment.json")["node"] == address

    # Runs that have ended are not made again; missing ones are.
    before = {job.id: store.directory(job.id).stat().st_ino for job in jobs}
    shutil.rmtree(store.directory(jobs[2].id))
    events = list(executor.run(iter(jobs)))
    for job in jobs:
        again = job is jobs[2]
        assert kinds(events, job) == (["started", "finished"] if again else ["finished"])
        assert again or store.directory(job.id).stat().st_ino == before[job.id]
    assert store.ended(jobs[2].id) is not None
    assert not list(node.glob("rnnlab-*"))


def test_a_diverged_run_has_an_outcome_and_a_failed_run_has_none(
    make: Any, executor: RayExecutor, address: str
) -> None:
    good, other = jobs_of(make(seeds=1))
    wild = good.settings.with_changes(optimizer="sgd", learning_rate=1e30, clip_norm=0)
    missing = replace(good, id="gone", settings=good.settings.with_changes(corpus="nowhere.txt"))
    diverging = replace(other, settings=wild)
    events = list(executor.run(iter([diverging, missing, good])))
    ends = {event.job.id: event for event in events if event.kind != "started"}
    assert len(events) == 6
    assert ends[diverging.id].kind == "diverged"
    assert ends[diverging.id].detail.startswith("training diverged at step ")
    assert executor.store.ended(diverging.id) is not None
    assert ends["gone"].kind == "failed"
    assert ends["gone"].detail.startswith("corpus 'nowhere.txt' is neither a named corpus nor")
    assert ends["gone"].detail.endswith(f" (on {address})")
    assert not executor.store.directory("gone").exists()
    assert ends[good.id].kind == "finished"


def test_a_run_whose_process_is_killed_is_made_again(make: Any, executor: RayExecutor) -> None:
    (job, _) = jobs_of(make(seeds=1, base={**make().settings.base, "num_epochs": 8}))
    events = []
    for event in executor.run(iter([job])):
        events.append(event)
        if event.kind == "started":
            (worker,) = workers()
            os.kill(worker, signal.SIGKILL)
    assert kinds(events, job) == ["started", "finished"]
    assert executor.store.ended(job.id) is not None


def test_closing_the_iterator_ends_the_runs_and_frees_their_claims(
    make: Any, executor: RayExecutor
) -> None:
    jobs = [endless(job) for job in jobs_of(make(seeds=1))]
    events = executor.run(iter(jobs))
    assert [next(events).kind, next(events).kind] == ["started", "started"]
    store = executor.store
    with store.claim(jobs[0].id) as free:
        assert not free
    assert len(workers()) == 2
    events.close()  # type: ignore[attr-defined]
    deadline = time.monotonic() + 30
    while workers():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    for job in jobs:
        assert not store.directory(job.id).exists()
        with store.claim(job.id) as free:
            assert free


def test_a_run_claimed_by_another_process_is_skipped(make: Any, executor: RayExecutor) -> None:
    mine, others = jobs_of(make(seeds=1))
    with executor.store.claim(others.id):
        events = list(executor.run(iter([others, mine])))
    assert kinds(events, others) == ["elsewhere"]
    assert kinds(events, mine) == ["started", "finished"]
    assert not executor.store.directory(others.id).exists()


def test_a_node_with_another_version_is_named_and_no_more_runs_start(
    make: Any, executor: RayExecutor, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_cluster, "VERSION", "99.0")
    message = (
        f"node {address} has rnnlab {__version__}, the experiment 99.0; install one version on "
        "all nodes"
    )
    events: list[RunEvent] = []
    with pytest.raises(UnavailableError, match=f"^{re.escape(message)}$"):
        events.extend(executor.run(iter(jobs_of(make(seeds=4)))))
    assert [(event.kind, event.detail) for event in events] == [("failed", message)] * 2


def test_without_ray_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UnavailableError) as caught:
        RayExecutor(Store(tmp_path))
    assert str(caught.value) == (
        "executor 'ray' needs the package ray; install it with pip install 'rnnlab[ray]'"
    )


def test_an_invalid_address_and_an_unreachable_one_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as wrong:
        RayExecutor(Store(tmp_path), "head")
    assert str(wrong.value) == "address must be HOST:PORT of a Ray cluster's head, not 'head'"
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port = server.getsockname()[1]
    with pytest.raises(UnavailableError) as nobody:
        RayExecutor(Store(tmp_path), f"127.0.0.1:{port}")
    assert str(nobody.value) == (
        f"no Ray cluster can be reached at 127.0.0.1:{port}: Connection refused"
    )
