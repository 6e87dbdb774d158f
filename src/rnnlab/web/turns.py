"""Who may compute: one thread at a time, in turns that are fair between clients.

Each request has a thread of its own that computes only while it has the turn, and passes it on
after every piece of work of some milliseconds. Clients take turns, and so do the requests of one
client. Of these the new ones come first, so that their first characters come soon, but no more than
NEW_IN_A_ROW of them before one that has begun.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

from rnnlab.errors import RnnlabError

MOST_SECONDS = 600.0
"""Time for one request, waiting included."""


NEW_IN_A_ROW = 8
"""A first turn, in which a prompt is read and a token written, is shorter than the others."""


class TurnError(RnnlabError):
    """A request may not go on."""


class LeftError(TurnError):
    """Its client has left."""


class TooLongError(TurnError):
    """It has taken too long."""


class ClosingError(TurnError):
    """The server is ending."""


class Turn:
    """One request's place among all; its methods are for its own thread, except `stop`."""

    def __init__(self, turns: Turns, client: str, seconds: float) -> None:
        self._turns, self.client, self._seconds = turns, client, seconds
        self._ends = time.monotonic() + seconds
        self.awake = threading.Event()
        self.is_new = True
        self.stopped: TurnError | None = None
        self.when_stopped: Callable[[TurnError], None] = lambda why: None
        """Called when it is stopped, although its thread may be at work for a while yet."""

    def __enter__(self) -> Turn:
        """Wait for the first turn; raises TurnError."""
        try:
            self._turns.queue(self)
            self._wait()
        except BaseException:
            self._turns.leave(self)
            raise
        self.is_new = False
        return self

    def __exit__(self, *error: object) -> None:
        self._turns.leave(self)

    def pass_on(self) -> None:
        """Let others compute, and return when it is this request's turn again; raises TurnError."""
        self._check()
        if self._turns.pass_on(self):
            self._wait()

    def stop(self, why: TurnError) -> None:
        """Make the request end at the next place where it may; may be called from any thread."""
        if self.stopped is None:
            self.stopped = why
            self.when_stopped(why)
        self._turns.wake(self)

    def _wait(self) -> None:
        has_turn = self.awake.wait(max(0.0, self._ends - time.monotonic()))
        self._check(is_over=not has_turn)

    def _check(self, *, is_over: bool = False) -> None:
        if self.stopped:
            raise self.stopped
        if is_over or time.monotonic() > self._ends:
            raise TooLongError(f"the request took more than {self._seconds:g} seconds")


class _Line:
    """The requests of one client that wait."""

    def __init__(self) -> None:
        self.new, self.others = deque[Turn](), deque[Turn]()
        self._new_in_a_row = 0

    def add(self, turn: Turn) -> None:
        (self.new if turn.is_new else self.others).append(turn)

    def remove(self, turn: Turn) -> None:
        for queue in (self.new, self.others):
            if turn in queue:
                queue.remove(turn)

    def pop(self) -> Turn:
        if self.new and (self._new_in_a_row < NEW_IN_A_ROW or not self.others):
            self._new_in_a_row += 1
            return self.new.popleft()
        self._new_in_a_row = 0
        return self.others.popleft()

    def __len__(self) -> int:
        return len(self.new) + len(self.others)


class Turns:
    """The turns of all requests."""

    def __init__(self, seconds: float = MOST_SECONDS) -> None:
        self.seconds = seconds
        self._lock = threading.Lock()
        self._lines: dict[str, _Line] = {}
        """By client; the next one is first."""
        self._holder: Turn | None = None
        self._all = set[Turn]()
        self._closing = False
        self._when_closing = list[Callable[[], None]]()

    def when_closing(self, call: Callable[[], None]) -> None:
        """Let something be called when the server ends."""
        self._when_closing.append(call)

    def new(self, client: str) -> Turn:
        """Return the turn of a new request."""
        turn = Turn(self, client, self.seconds)
        with self._lock:
            self._all.add(turn)
            if self._closing:
                turn.stopped = ClosingError("the server is ending")
        return turn

    def queue(self, turn: Turn) -> None:
        """Let a request wait for the turn."""
        with self._lock:
            self._add(turn)
            self._give()

    def pass_on(self, turn: Turn) -> bool:
        """Take the turn from a request if another one waits; return whether it has to wait."""
        with self._lock:
            if not self._lines:
                return False
            self._holder = None
            self._add(turn)
            self._give()
            return True

    def leave(self, turn: Turn) -> None:
        """Forget a request."""
        with self._lock:
            self._all.discard(turn)
            self._remove(turn)
            if self._holder is turn:
                self._holder = None
                self._give()

    def wake(self, turn: Turn) -> None:
        """Wake a request that waits, because it was stopped."""
        with self._lock:
            self._remove(turn)
            turn.awake.set()

    def close(self) -> None:
        """Stop all requests, also those that still come."""
        with self._lock:
            self._closing = True
            turns = list(self._all)
        for turn in turns:
            turn.stop(ClosingError("the server is ending"))
        for call in self._when_closing:
            call()

    def _add(self, turn: Turn) -> None:
        turn.awake.clear()
        if turn.stopped:
            turn.awake.set()
        else:
            self._lines.setdefault(turn.client, _Line()).add(turn)

    def _remove(self, turn: Turn) -> None:
        if line := self._lines.get(turn.client):
            line.remove(turn)
            if not line:
                del self._lines[turn.client]

    def _give(self) -> None:
        """Give the turn to the next request, if nobody has it."""
        if self._holder is None and self._lines:
            client, line = next(iter(self._lines.items()))
            turn = line.pop()
            del self._lines[client]
            if line:
                self._lines[client] = line  # as the last
            self._holder = turn
            turn.awake.set()
