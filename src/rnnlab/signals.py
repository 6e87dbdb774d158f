"""Ctrl-C (SIGINT) and SIGTERM: the first ends a command with words, a later one without.

Loaded before all else, so it imports nothing that takes time.
"""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from rnnlab.errors import TerminatedError

SIGNALS = (signal.SIGINT, signal.SIGTERM)

INTERRUPTS = tuple(sign.name for sign in SIGNALS)
"""One of these is `stopped_by` in result.json where a signal ended training."""

ECHO_SECONDS = 0.1
"""What comes so soon after another signal is that one again: GNU timeout, shells and schedulers
send it to a process, and to the group that it is in.
"""

_last = -ECHO_SECONDS


def _is_echo() -> bool:
    """Take note of a signal; returns whether it is the one before, once more."""
    global _last
    now = time.monotonic()
    if now - _last < ECHO_SECONDS:
        return True
    _last = now
    return False


def end_on_signals() -> None:
    """Raise KeyboardInterrupt at the first, which is TerminatedError for SIGTERM."""
    _handle(_end)


def die_on_signals() -> None:
    """End at once, where Python would show a traceback: while it loads and while it ends."""
    _handle(_die)


@contextmanager
def stopping_on_signals(stop: Callable[[str], None]) -> Iterator[None]:
    """Let a first one call `stop` with its name; a second one acts as it did before."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = {sign: signal.getsignal(sign) for sign in SIGNALS}

    def restore() -> None:
        for sign, handler in previous.items():
            signal.signal(sign, handler)

    def first(number: int, frame: FrameType | None) -> None:
        if _is_echo():
            return
        stop(signal.Signals(number).name)
        restore()

    for sign in SIGNALS:
        signal.signal(sign, first)
    try:
        yield
    finally:
        restore()


def _handle(handler: Callable[[int, FrameType | None], None]) -> None:
    for sign in SIGNALS:
        if signal.getsignal(sign) != signal.SIG_IGN:  # as a shell has it for what runs behind
            signal.signal(sign, handler)


def _end(number: int, frame: FrameType | None) -> None:
    if _is_echo():
        return
    die_on_signals()
    if _is_import(frame):  # some modules pass over any exception while they load
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
