"""Ctrl-C (SIGINT) and SIGTERM: the first ends a command with words, a later one without."""

import signal
import time
from collections.abc import Callable
from types import FrameType

from rnnlab.errors import TerminatedError

ECHO_SECONDS = 0.1
"""What comes so soon after another signal is that one again: GNU timeout, shells and schedulers
send it to a process, and to the group that it is in.
"""

_last = -ECHO_SECONDS


def is_echo() -> bool:
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


def _handle(handler: Callable[[int, FrameType | None], None]) -> None:
    for sign in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(sign) != signal.SIG_IGN:  # as a shell has it for what runs behind
            signal.signal(sign, handler)


def _end(number: int, frame: FrameType | None) -> None:
    if is_echo():
        return
    die_on_signals()
    if _is_import(frame):  # some modules pass over any exception while they load
        _leave(number)
    raise TerminatedError if number == signal.SIGTERM else KeyboardInterrupt


def _die(number: int, frame: FrameType | None) -> None:
    if not is_echo():
        _leave(number)


def _leave(number: int) -> None:
    signal.signal(number, signal.SIG_DFL)
    signal.raise_signal(number)


def _is_import(frame: FrameType | None) -> bool:
    while frame and not frame.f_code.co_filename.startswith("<frozen importlib"):
        frame = frame.f_back
    return frame is not None
