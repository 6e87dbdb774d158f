"""How many cores a process may use: affinity, and the quotas of control groups of both versions."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rnnlab.cores import Cores, usable_cores

OWN_CORES = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else {0}
MACHINE = Cores(64, "the cores of this machine")
V2_MOUNT = "35 30 0:30 {inside} /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw\n"
V1_MOUNT = (
    "31 25 0:27 / /sys/fs/cgroup ro - tmpfs tmpfs ro,mode=755\n"
    "33 31 0:29 {inside} /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n"
    "34 31 0:30 {inside} /sys/fs/cgroup/cpu,cpuacct rw master:11 - cgroup cgroup rw,cpu,cpuacct\n"
    "35 31 0:31 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
)


@pytest.fixture(autouse=True)
def large_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(64)), raising=False)


def write(root: Path, files: dict[str, str]) -> None:
    for name, content in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content, encoding="utf-8")


def version_2(root: Path, group: str, quotas: dict[str, str], inside: str = "/") -> None:
    write(root, {"proc/self/cgroup": f"0::{group}\n"})
    write(root, {"proc/self/mountinfo": V2_MOUNT.format(inside=inside)})
    write(root, {f"sys/fs/cgroup{folder}/cpu.max": quota for folder, quota in quotas.items()})


def version_1(root: Path, group: str, quotas: dict[str, int], inside: str = "/") -> None:
    lines = f"7:cpuset:{group}\n4:cpu,cpuacct:{group}\n0::/\n"
    write(root, {"proc/self/cgroup": lines})
    write(root, {"proc/self/mountinfo": V1_MOUNT.format(inside=inside)})
    for folder, quota in quotas.items():
        place = f"sys/fs/cgroup/cpu,cpuacct{folder}"
        write(root, {f"{place}/cpu.cfs_quota_us": f"{quota}\n"})
        write(root, {f"{place}/cpu.cfs_period_us": "100000\n"})


@pytest.mark.parametrize(
    ("quota", "count", "shown"),
    [
        ("200000 100000\n", 2, "2 cores"),
        ("250000 100000\n", 2, "2.5 cores"),
        ("10000 100000\n", 1, "0.1 cores"),
        ("25000 10000\n", 2, "2.5 cores"),
    ],
)
def test_a_quota_of_version_2_limits_the_cores(
    tmp_path: Path, quota: str, count: int, shown: str
) -> None:
    version_2(tmp_path, "/", {"": quota})
    file = tmp_path / "sys/fs/cgroup/cpu.max"
    why = f"the CPU quota of this container is {shown} ({file})"
    assert usable_cores(tmp_path) == Cores(count, why)


@pytest.mark.parametrize(("quota", "count"), [(200_000, 2), (150_000, 1), (30_000, 1)])
def test_a_quota_of_version_1_limits_the_cores(tmp_path: Path, quota: int, count: int) -> None:
    version_1(tmp_path, "/", {"": quota})
    found = usable_cores(tmp_path)
    assert found.count == count
    assert f"is {quota / 100_000:.3g} cores (" in found.why
    assert found.why.endswith("cpu,cpuacct/cpu.cfs_quota_us)")


def test_the_smallest_quota_of_a_group_and_the_groups_around_it_holds(tmp_path: Path) -> None:
    version_2(
        tmp_path,
        "/user.slice/job/step",
        {"/user.slice/job/step": "max 100000", "/user.slice/job": "300000 100000",
         "/user.slice": "800000 100000"},
    )  # fmt: skip
    assert usable_cores(tmp_path).count == 3
    version_1(tmp_path / "1", "/jobs/7", {"/jobs/7": -1, "/jobs": 400_000, "": -1})
    assert usable_cores(tmp_path / "1").count == 4


@pytest.mark.parametrize("version", [1, 2])
def test_a_container_that_sees_the_path_of_the_host_has_its_quota_at_the_mount(
    tmp_path: Path, version: int
) -> None:
    if version == 1:
        version_1(tmp_path, "/docker/4f1a", {"": 200_000}, inside="/docker/4f1a")
    else:
        version_2(tmp_path, "/docker/4f1a", {"": "200000 100000"}, inside="/docker/4f1a")
    assert usable_cores(tmp_path).count == 2


@pytest.mark.parametrize("group", ["/../../other", "/somewhere/else"])
def test_a_group_outside_of_what_is_mounted_has_the_quota_of_the_mount(
    tmp_path: Path, group: str
) -> None:
    version_2(tmp_path, group, {"": "500000 100000"}, inside="/pod")
    assert usable_cores(tmp_path).count == 5


@pytest.mark.parametrize("content", ["max 100000\n", "", "strange\n", "0 100000", "100000 0"])
def test_a_group_without_a_quota_does_not_limit_the_cores(tmp_path: Path, content: str) -> None:
    version_2(tmp_path, "/", {"": content})
    assert usable_cores(tmp_path) == MACHINE


def test_a_system_without_control_groups_has_the_cores_of_the_machine(tmp_path: Path) -> None:
    assert usable_cores(tmp_path) == MACHINE


def test_the_affinity_limits_the_cores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {3, 5}, raising=False)
    assert usable_cores(tmp_path) == Cores(2, "the CPU affinity allows 2 of 64 cores")
    version_2(tmp_path / "2", "/", {"": "100000 100000"})
    assert usable_cores(tmp_path / "2").count == 1


def test_a_system_without_affinity_has_the_cores_of_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    assert usable_cores(tmp_path) == MACHINE


PROGRAM = """
import sys
from pathlib import Path
import torch
import rnnlab.cores
from rnnlab import list_engines, train
from rnnlab.display.output import write_engines
from rnnlab.execution.experiment import make_executor
from rnnlab.experiments.settings import ExecutionSettings
from rnnlab.experiments.store import Store
from rnnlab.engines.threads import default_threads
rnnlab.cores.ROOT = Path(sys.argv[1])
torch.set_num_threads(8)
run = train(corpus=["text.txt"], hidden_size=4, num_epochs=1, batch_size=2, num_steps=5,
            run_dir="run", quiet=True)
write_engines(list_engines(), default_threads())
print(make_executor(Store(Path("store")), ExecutionSettings()).slots,
      run.settings.machine.threads, torch.get_num_threads())
"""


def run_program(folder: Path, root: Path, *launcher: str) -> list[str]:
    (folder / "text.txt").write_text("the cat sat on the mat. " * 40, encoding="utf-8")
    done = subprocess.run(
        [*launcher, sys.executable, "-c", PROGRAM, str(root)],
        cwd=folder, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-2:]


@pytest.mark.skipif(not shutil.which("taskset"), reason="needs taskset")
def test_one_core_by_taskset_means_one_thread_and_one_worker(tmp_path: Path) -> None:
    engines, counts = run_program(tmp_path, tmp_path, "taskset", "-c", str(min(OWN_CORES)))
    # os.cpu_count is patched in this process only.
    there = int(subprocess.check_output(["getconf", "_NPROCESSORS_ONLN"], text=True))
    allowed = f"the CPU affinity allows 1 of {there} cores"
    assert engines == f"threads   1: {allowed if there > 1 else 'the cores of this machine'}"
    assert counts == "1 1 8"  # a worker, a thread; the caller's number is as it was


@pytest.mark.skipif(len(OWN_CORES) < 2, reason="needs two cores")
def test_a_quota_of_one_core_means_one_thread_and_one_worker(tmp_path: Path) -> None:
    version_2(tmp_path / "root", "/", {"": "100000 100000"})
    engines, counts = run_program(tmp_path, tmp_path / "root")
    file = tmp_path / "root/sys/fs/cgroup/cpu.max"
    assert engines == f"threads   1: the CPU quota of this container is 1 cores ({file})"
    assert counts == "1 1 8"
