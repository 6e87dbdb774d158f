"""How many threads a training step uses while other programs use the cores, too.

Threads that share a step wait for each other. If another program has a core, the thread of that
core is late, and all others wait: two threads may then be slower than one. So training tries now
and then, on its own next steps, whether half of the threads are faster, or twice as many. Only an
engine whose results do not depend on the number of threads can do so.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

from rnnlab.engines.threads import threads_now, using_threads

WINDOW = 0.1
"""Seconds of steps that are taken together, at least one step."""

GAIN = 1.1
"""A trial must be so many times as fast to be taken."""

DROP = 0.8
"""Below this share of the speed after the last trial, there is another one."""

FIRST_WAIT, LONGEST_WAIT = 1.0, 16.0
"""Seconds until more threads are tried again. Each trial in vain doubles the time."""


class ThreadPace:
    """Chooses the number of threads of each training step by the speed of those before it.

    It begins with all threads, and tries half of them once. While they are all in use, it tries
    fewer only if training has become slower; while they are not, it tries more now and then.
    """

    def __init__(self, *, adapts: bool = True) -> None:
        """Adapts: False for an engine whose results depend on the number of threads."""
        self._adapts = adapts
        self.threads = self.most = 0
        """Those in use apart from trials; 0 before the first step."""
        self.thread_seconds = self.seconds = 0.0
        self._window_tokens, self._window_seconds = 0, 0.0
        self._speed = self._settled = 0.0
        self._trial = 0
        self._tried = 0
        self._waited, self._wait = 0.0, FIRST_WAIT

    @property
    def mean_threads(self) -> float:
        """The mean over time; 0 before the first step."""
        return self.thread_seconds / self.seconds if self.seconds else 0.0

    @contextmanager
    def step(self, tokens: int) -> Iterator[None]:
        """Use the chosen number of threads inside the block, which trains on so many tokens."""
        most = threads_now()
        is_first = most != self.most
        if is_first:
            self.threads = self.most = most
            self._trial = self._tried = 0
        count, started = self._trial or self.threads, perf_counter()
        if count == most:
            yield
        else:
            with using_threads(count):
                yield
        seconds = perf_counter() - started
        self.seconds += seconds
        self.thread_seconds += count * seconds
        if self._adapts and most > 1 and not is_first:  # the first step makes threads and buffers
            self._add(tokens, seconds)

    def _add(self, tokens: int, seconds: float) -> None:
        self._window_tokens += tokens
        self._window_seconds += seconds
        self._waited += seconds
        if self._window_seconds < WINDOW:
            return
        speed = self._window_tokens / self._window_seconds
        self._window_tokens, self._window_seconds = 0, 0.0
        if self._trial:
            self._end_trial(speed)
        else:
            self._speed, self._settled = speed, max(speed, self._settled)
            self._trial = self._next_trial()

    def _next_trial(self) -> int:
        """Return how many threads to try now, or 0."""
        more = min(self.most, 2 * self.threads)
        fewer = (self.threads + 1) // 2
        is_new = not self._tried
        is_slower = self._speed < DROP * self._settled
        may_wait = self._waited < (FIRST_WAIT if is_slower else self._wait)
        if not is_new and (may_wait or (self.threads == self.most and not is_slower)):
            return 0
        if self.threads == 1 or (self._tried == fewer and more > self.threads):
            return more
        return fewer

    def _end_trial(self, speed: float) -> None:
        is_faster = speed > GAIN * self._speed
        self._wait = FIRST_WAIT if is_faster else min(LONGEST_WAIT, 2 * self._wait)
        self._tried, self._waited = self._trial, 0.0
        self._settled = speed if is_faster else self._speed
        if is_faster:
            self.threads = self._trial
        self._trial = 0
