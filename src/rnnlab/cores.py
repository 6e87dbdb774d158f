"""How many cores this process may use, and what decides that.

A machine may have more cores than a process may use. Its CPU affinity (taskset, a job scheduler,
docker --cpuset-cpus) allows only some of them. A container's CPU quota (docker --cpus, Kubernetes
limits) stops all threads of the container when their time of the current period is used up. Threads
that wait for each other are then many times slower than one thread.

Sources: Linux kernel documentation, admin-guide/cgroup-v2.rst (cpu.max) and
scheduler/sched-bwc.rst (cpu.cfs_quota_us, cpu.cfs_period_us); proc_pid_mountinfo(5).
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath

ROOT = Path("/")
"""Where /proc and /sys are."""


@dataclass(frozen=True)
class Cores:
    """A number of cores or threads, and what decided it."""

    count: int
    """At least 1."""
    why: str


def usable_cores(root: Path | None = None) -> Cores:
    """Return how many cores this process may use: the smallest of machine, affinity and quota.

    A quota of 2.5 cores counts as 2, because a third thread would be stopped half of the time and
    the others would wait for it; a quota below 1 counts as 1. root: instead of ROOT.
    """
    there = os.cpu_count() or 1
    limits = [Cores(there, "the cores of this machine")]
    if hasattr(os, "sched_getaffinity"):
        allowed = len(os.sched_getaffinity(0))
        limits.append(Cores(allowed, f"the CPU affinity allows {allowed} of {there} cores"))
    for quota, file in _quotas(root or ROOT):
        why = f"the CPU quota of this container is {quota:.3g} cores ({file})"
        limits.append(Cores(max(1, int(quota)), why))
    return min(limits, key=lambda limit: limit.count)


@cache
def physical_cores(root: Path | None = None) -> int:
    """Return how many cores the machine has: two hardware threads of one core count once."""
    folder = (root or ROOT) / "sys/devices/system/cpu"
    siblings = set[str]()
    for file in folder.glob("cpu[0-9]*/topology/thread_siblings_list"):
        with suppress(OSError):
            siblings.add(file.read_text(encoding="utf-8").strip())
    return len(siblings) or os.cpu_count() or 1


@cache
def _quotas(root: Path) -> tuple[tuple[float, Path], ...]:
    """Return the CPU quotas [cores] that hold for this process, with the file that sets each.

    They are read once, because they are asked for before each piece of a text that is generated.
    """
    return tuple(_read_quotas(root))


def _read_quotas(root: Path) -> Iterator[tuple[float, Path]]:
    try:
        groups = (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines()
        mounts = (root / "proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        return
    for line in groups:
        _, controllers, group = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        for folder in _folders(mounts, PurePosixPath(group), is_v2=not controllers):
            # A quota that cannot be read, or is not a number, is one that does not exist.
            with suppress(OSError, ValueError):
                yield _read_quota(root / folder.relative_to("/"), is_v2=not controllers)


def _folders(mounts: list[str], group: PurePosixPath, *, is_v2: bool) -> Iterator[PurePosixPath]:
    """Yield the folders of a control group and of all groups around it, as far as mounted here."""
    for line in mounts:
        before, _, after = line.partition(" - ")
        mounted, place = map(PurePosixPath, before.split()[3:5])
        kind, _, options = after.split()[:3]
        if kind != ("cgroup2" if is_v2 else "cgroup"):
            continue
        if not is_v2 and "cpu" not in options.split(","):
            continue
        # In a container, the path may be the host's while the mount begins at the container.
        inside = group.relative_to(mounted) if group.is_relative_to(mounted) else PurePosixPath()
        if ".." in inside.parts:
            inside = PurePosixPath()
        folder = place / str(inside).lstrip("/")
        yield folder
        while folder != place:
            folder = folder.parent
            yield folder


def _read_quota(folder: Path, *, is_v2: bool) -> tuple[float, Path]:
    """Return the quota of one control group [cores]; raises ValueError if it has none."""
    if is_v2:
        file = folder / "cpu.max"
        quota, period = file.read_text(encoding="utf-8").split()
    else:
        file = folder / "cpu.cfs_quota_us"
        quota = file.read_text(encoding="utf-8")
        period = (folder / "cpu.cfs_period_us").read_text(encoding="utf-8")
    if int(quota) <= 0 or int(period) <= 0:  # "max" is a ValueError, too; -1 in version 1
        raise ValueError("no quota")
    return int(quota) / int(period), file
