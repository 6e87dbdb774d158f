"""Ctrl-C (SIGINT) and SIGTERM: the first ends a command cleanly, the second at once.

Loaded before all else, so it imports nothing that takes time.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from rnnlab.errors import TerminatedError

SIGNALS = (signal.SIGINT, signal.SIGTERM)

INTERRUPTS = tuple(sign.name for sign in SIGNALS)
"""The values of `stopped_by` in result.json that mean that a signal ended training."""

ECHO_SECONDS = 0.1
"""A signal so soon after another one is the same signal again: GNU timeout, shells and schedulers
send it both to a process and to its process group.
"""

_last = -ECHO_SECONDS

_lacks_threads = False


def _after_fork() -> None:
    global _lacks_threads
    _lacks_threads = any(name in sys.modules for name in ("torch", "rnnlab._native"))


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def lacks_threads() -> bool:
    """Whether this process was forked after torch or the native kernels were loaded.

    The process that it was forked from may have computed.

    Threads do not survive a fork, but GNU's OpenMP believes that they do and waits for them without
    end. So computing is safe with one thread only.
    """
    return _lacks_threads


def forked_before_computing() -> None:
    """Say that the process from which this one was forked has never computed."""
    global _lacks_threads
    _lacks_threads = False


def _is_echo() -> bool:
    """Record the time of a signal; return whether it only repeats the one before."""
    global _last
    now = time.monotonic()
    if now - _last < ECHO_SECONDS:
        return True
    _last = now
    return False


def end_on_signals() -> None:
    """Raise KeyboardInterrupt at the first signal, or TerminatedError if it is SIGTERM."""
    _handle(_end)


def die_on_signals() -> None:
    """End the process at once, while Python starts or exits and would print a traceback."""
    _handle(_die)


@contextmanager
def stopping_on_signals(stop: Callable[[str], None]) -> Iterator[None]:
    """Call `stop` with the name of the first signal; the second has its usual effect.

    Does nothing in a thread other than the main thread, where Python allows no signal handlers.
    Leaves SIGTERM alone in a process that `lacks_threads`: it may wait without end inside a kernel,
    where a handler in Python never runs, and SIGTERM must end it.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handled = SIGNALS[:1] if lacks_threads() else SIGNALS
    previous = {sign: signal.getsignal(sign) for sign in handled}

    def restore() -> None:
        for sign, handler in previous.items():
            signal.signal(sign, handler)

    def first(number: int, frame: FrameType | None) -> None:
        if _is_echo():
            return
        stop(signal.Signals(number).name)
        restore()

    for sign in handled:
        signal.signal(sign, first)
    try:
        yield
    finally:
        restore()


def _handle(handler: Callable[[int, FrameType | None], None]) -> None:
    for sign in SIGNALS:
        # A shell ignores SIGINT for the processes that it runs in the background.
        if signal.getsignal(sign) != signal.SIG_IGN:
            signal.signal(sign, handler)


def _end(number: int, frame: FrameType | None) -> None:
    if _is_echo():
        return
    die_on_signals()
    if _is_import(frame):  # some modules swallow any exception while they are imported
        _leave(number)
    raise TerminatedError if number == signal.SIGTERM else KeyboardInterrupt


def _die(number: int, frame: FrameType | None) -> None:
    if not _is_echo():
        _leave(number)


def _leave(number: int) -> None:
    with suppress(OSError):  # a second signal that came while this line ran
        signal.signal(number, signal.SIG_DFL)
    signal.raise_signal(number)


def _is_import(frame: FrameType | None) -> bool:
    while frame and not frame.f_code.co_filename.startswith("<frozen importlib"):
        frame = frame.f_back
    return frame is not None
