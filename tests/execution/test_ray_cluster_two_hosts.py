"""A Ray cluster of two hosts, one of which dies during a run.

The hosts are Linux namespaces with separate networks, processes and mounts. They share no folder
that Ray or a run uses. A host ends with its first process.
"""

import json
import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from threading import Timer
from typing import Any

import pytest

from rnnlab.execution.executor import Job
from rnnlab.execution.local import LocalExecutor
from rnnlab.experiments.outcomes import OUTCOMES
from rnnlab.experiments.store import Store
from rnnlab.files import read_json

FIRST, SECOND = "198.51.100.1", "198.51.100.2"
"""Of a block that documentation and tests may use (RFC 5737)."""

HEAD = f"{FIRST}:6379"

RAY = str(Path(sys.executable).with_name("ray"))
NODE = ("--num-cpus=1", "--object-store-memory=80000000", "--disable-usage-stats")

TIMEOUT = 300.0
"""For any single wait [s]; a busy machine must not fail the test."""

NAMESPACES = ("--net", "--pid", "--mount", "--uts", "--fork", "--kill-child")

DRIVER = """
import json, sys
from pathlib import Path
from rnnlab.execution.executor import Job
from rnnlab.experiments.plan import make_plan
from rnnlab.execution.ray_cluster import RayExecutor
from rnnlab.experiments.store import Store

address, folder, content = sys.argv[1:]
plan = make_plan(json.loads(content), "small", "experiment.toml")
with RayExecutor(Store(Path(folder)), address) as executor:
    for event in executor.run(iter([Job.of(run, plan, threads=1) for run in plan.runs])):
        print(json.dumps([event.job.id, event.kind, event.detail]), flush=True)
"""


class Host:
    """A separate host; all its processes end with the first one."""

    def __init__(self, address: str, hidden: list[Path]) -> None:
        """Start the host, with its own empty folders in place of those in `hidden`."""
        self.address = address
        self.first = subprocess.Popen(
            # It ends with this process, for whatever reason.
            ["setpriv", "--pdeathsig", "KILL", "unshare", *NAMESPACES, "--mount-proc",
             "sh", "-c", "echo up; exec sleep infinity"],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self.first.stdout is not None
        assert self.first.stdout.readline() == "up\n"
        for folder in hidden:
            self.run("mkdir", "-p", str(folder))
            self.run("mount", "-t", "tmpfs", "tmpfs", str(folder))
        # The address does not belong to the wire, so it survives the other host.
        self.run("ip", "address", "add", f"{address}/32", "dev", "lo")
        self.run("ip", "link", "set", "lo", "up")

    def command(self, *command: str) -> list[str]:
        spaces = f"/proc/{self.first.pid}/ns"
        enter = [
            f"--{kind}={spaces}/{file}"
            for kind, file in (
                ("net", "net"), ("mount", "mnt"), ("uts", "uts"), ("pid", "pid_for_children"),
            )
        ]  # fmt: skip
        return ["nsenter", *enter, *command]

    def run(self, *command: str, env: dict[str, str] | None = None) -> None:
        done = self.call(*command, env=env)
        assert done.returncode == 0, done.stdout

    def call(
        self, *command: str, env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*command), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env=env, timeout=TIMEOUT,
        )  # fmt: skip

    def die(self) -> None:
        """Kill all its processes at once, which also removes its network."""
        self.first.kill()
        self.first.wait()
        assert self.first.stdout is not None
        self.first.stdout.close()


def join(one: Host, other: Host) -> None:
    """Connect two hosts."""
    subprocess.run(
        ["ip", "link", "add", "wire", "netns", str(one.first.pid), "type", "veth",
         "peer", "name", "wire", "netns", str(other.first.pid)],
        check=True,
    )  # fmt: skip
    for here, there in ((one, other), (other, one)):
        here.run("ip", "link", "set", "wire", "up")
        here.run("ip", "route", "add", there.address, "dev", "wire", "src", here.address)


def fault() -> str:
    """Say why namespaces cannot be made here; empty if they can."""
    if not shutil.which("unshare"):
        return "there is no unshare"
    return subprocess.run(
        ["unshare", *NAMESPACES, "true"], stderr=subprocess.PIPE, text=True
    ).stderr


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Environment of Ray on all hosts: the token, and short timeouts for silent nodes."""
    return {
        **os.environ,
        "TMPDIR": str(tmp_path_factory.getbasetemp()),
        "RAY_TMPDIR": "/tmp",  # sockets need a short path
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_health_check_initial_delay_ms": "1000",
        "RAY_health_check_period_ms": "500",
        "RAY_health_check_timeout_ms": "2000",
        "RAY_health_check_failure_threshold": "3",
    }


@pytest.fixture(scope="module")
def hosts(
    env: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Host, Host]]:
    """The head of a cluster, and a host that has not joined it yet."""
    if why := fault():
        pytest.skip(f"no namespaces can be made here: {why}")
    ray = [Path("/tmp/ray"), Path("/dev/shm")]
    with ExitStack() as stack:
        first = Host(FIRST, ray)
        stack.callback(first.die)
        second = Host(SECOND, [*ray, tmp_path_factory.getbasetemp()])
        stack.callback(second.die)
        join(first, second)
        head = ("--head", f"--node-ip-address={FIRST}", "--port=6379", "--include-dashboard=false")
        first.run(RAY, "start", *head, *NODE, env=env)
        yield first, second


@pytest.fixture
def content(content: dict[str, Any]) -> dict[str, Any]:
    """Runs that are long enough to be interrupted."""
    base = {**content["base"], "num_epochs": 8}
    return {**content, "seeds": 3, "base": base}


def driver(folder: Path, content: dict[str, Any]) -> tuple[str, ...]:
    return (sys.executable, "-W", "error", "-c", DRIVER, HEAD, str(folder), json.dumps(content))


def join_cluster(host: Host, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return host.call(
        RAY, "start", f"--address={HEAD}", f"--node-ip-address={host.address}", *NODE, env=env
    )


def test_a_wrong_or_missing_token_is_refused(
    hosts: tuple[Host, Host], env: dict[str, str], content: dict[str, Any], tmp_path: Path
) -> None:
    first, second = hosts
    wrong = {**env, "RAY_AUTH_TOKEN": secrets.token_hex(32), "RAY_gcs_server_port_wait_time_s": "1"}
    none = {**env, "RAY_AUTH_TOKEN": "", "HOME": str(tmp_path)}
    refused = f"UnavailableError: the Ray cluster at {HEAD} does not accept this machine's token: "
    for token, why in ((wrong, "token is missing or incorrect"), (none, "no authentication token")):
        with ThreadPoolExecutor() as pool:
            joining = pool.submit(join_cluster, second, token)
            told = first.call(*driver(tmp_path, content), env=token)
        node = joining.result()
        assert node.returncode != 0
        assert why in node.stdout
        assert told.returncode != 0
        assert refused in told.stdout
        assert why in told.stdout.splitlines()[-1]


def test_the_command_must_run_on_a_node(
    hosts: tuple[Host, Host], env: dict[str, str], content: dict[str, Any], tmp_path: Path
) -> None:
    soon = {**env, "RAY_gcs_server_request_timeout_seconds": "5"}
    told = hosts[1].call(*driver(tmp_path, content), env=soon)
    assert told.stdout.splitlines()[-1] == (
        "rnnlab.errors.UnavailableError: this machine is not a node of the Ray cluster at "
        f"{HEAD}; make it one with ray start --address={HEAD} (with --num-cpus=0 if it is to make "
        "no runs)"
    )


def test_a_run_whose_node_dies_is_made_on_another(
    hosts: tuple[Host, Host],
    env: dict[str, str],
    content: dict[str, Any],
    make: Any,
    tmp_path: Path,
) -> None:
    first, second = hosts
    assert join_cluster(second, env).returncode == 0
    store = Store(tmp_path / "cluster")
    events: list[tuple[str, str, str]] = []
    with subprocess.Popen(
        first.command(*driver(store.folder, content)), stdout=subprocess.PIPE, text=True, env=env
    ) as process:
        watchdog = Timer(TIMEOUT, first.die)
        watchdog.start()
        assert process.stdout is not None
        for line in process.stdout:
            if not line.startswith("["):  # a message of Ray about the node
                continue
            events.append(tuple(json.loads(line)))
            begun = [event for event in events if event[1:] == ("started", SECOND)]
            if len(begun) == 2 and second.first.poll() is None:
                time.sleep(0.1)
                second.die()
        watchdog.cancel()
    assert process.returncode == 0

    jobs = [Job.of(run, make(), threads=1) for run in make().runs]
    done_there, lost = (id_ for id_, *where in events if where == ["started", SECOND])
    ends = sorted(id_ for id_, kind, _ in events if kind != "started")
    assert ends == sorted(job.id for job in jobs)
    assert {kind for _, kind, _ in events} == {"started", "finished"}
    made = {entry.name for entry in (store.folder / "runs").iterdir()}
    assert made == {".locks", *(job.id for job in jobs)}
    nodes = {j.id: read_json(store.directory(j.id) / "environment.json")["node"] for j in jobs}
    assert set(nodes.values()) == {FIRST, SECOND}
    assert (nodes[done_there], nodes[lost]) == (SECOND, FIRST)

    local = Store(tmp_path / "local")
    other = next(id_ for id_ in nodes if id_ not in (done_there, lost))
    compared = [job for job in jobs if job.id in (done_there, lost, other)]
    assert {event.kind for event in LocalExecutor(local, 2).run(iter(compared))} == {
        "started", "finished",
    }  # fmt: skip
    for job in compared:
        mine, theirs = local.outcome(job.id), store.outcome(job.id)
        assert mine is not None
        assert theirs is not None
        for name, figure in mine["outcomes"].items():
            assert OUTCOMES[name].timed or theirs["outcomes"][name] == figure
        weights = Path("checkpoint", "last", "model.safetensors")
        assert (store.directory(job.id) / weights).read_bytes() == (
            local.directory(job.id) / weights
        ).read_bytes()
