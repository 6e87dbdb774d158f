"""How many CPU threads torch and the native kernels use, inside a block and by default."""

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rnnlab.cores import Cores, physical_cores, usable_cores
from rnnlab.signals import lacks_threads

_lock = threading.Lock()
_open_blocks = 0
_outside = 0
"""torch's number of threads when the first of the open blocks was entered."""
_last_set = 0
_here = threading.local()


def _torch() -> Any:
    """Return torch if it is loaded, otherwise None: the native kernels do not need it."""
    module = sys.modules.get("torch")
    return module if hasattr(module, "set_num_threads") else None


def threads_now() -> int:
    """Return how many threads the kernels use now: torch's number, or that of the open block."""
    if torch := _torch():
        return int(torch.get_num_threads())
    return getattr(_here, "count", 0) or default_threads().count


def default_threads() -> Cores:
    """Return how many threads are used where none are asked for, and why.

    That is torch's own number, but not more than `usable_cores`; 1 in a process that
    `lacks_threads`.
    """
    if lacks_threads():
        return Cores(1, "this process was forked after its kernels were loaded")
    torch = _torch()
    torchs, cores = torch.get_num_threads() if torch else _torchs_default(), usable_cores()
    if cores.count <= torchs:
        return cores
    variable = os.environ.get("OMP_NUM_THREADS")
    set_by = f" (OMP_NUM_THREADS is {variable})" if variable else ""
    return Cores(torchs, f"torch's number of threads{set_by}")


def _torchs_default() -> int:
    """Return how many threads torch begins with, without loading it."""
    variable = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    return int(variable) if variable.isdecimal() and int(variable) else physical_cores()


@contextmanager
def using_threads(count: int = 0) -> Iterator[None]:
    """Let torch and the kernels use `count` CPU threads inside the block, and no more after it.

    count 0: `default_threads`. Blocks may be nested, and may be open in several threads of Python
    at once: torch keeps a number for each of them.
    """
    torch, before = _torch(), getattr(_here, "count", 0)
    if torch is None:
        _here.count = count or default_threads().count
        try:
            yield
        finally:
            _here.count = before
    else:
        with _torch_using(torch, count):
            yield


@contextmanager
def _torch_using(torch: Any, count: int) -> Iterator[None]:
    global _open_blocks, _last_set, _outside
    depth = getattr(_here, "depth", 0)
    with _lock:
        before = torch.get_num_threads()
        # A new thread begins with the number that was last set in any thread. If a block set it,
        # it is not the caller's.
        if depth == 0 and _open_blocks and before == _last_set:
            before = _outside
            torch.set_num_threads(before)
        if not _open_blocks:
            _outside = before
        _last_set = count or default_threads().count
        torch.set_num_threads(_last_set)
        _open_blocks += 1
    _here.depth = depth + 1
    try:
        yield
    finally:
        with _lock:
            torch.set_num_threads(before)
            _last_set = before
            _open_blocks -= 1
        _here.depth = depth
