"""What has changed among the runs, found once for all who want to know.

Each change has a number, so that a client that knows the last one it was told is told the rest,
however long it was away. Only the newest record of a run is kept, not each of its changes.
"""

from __future__ import annotations

import secrets
import threading
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from rnnlab.errors import RnnlabError
from rnnlab.web.faults import json_line
from rnnlab.web.run_records import RunRecords
from rnnlab.web.shelf import Found, Shelf


@dataclass(frozen=True)
class Seen:
    """A run as it was at the last look."""

    number: int
    """Of its last change."""
    run: Found
    record: dict[str, Any]

    @cached_property
    def text(self) -> str:
        """The record as JSON."""
        return json_line(self.record)


class Change(NamedTuple):
    """The last change of a run."""

    number: int
    name: str
    seen: Seen | None
    """None: the run is gone."""


class RunWatch:
    """Looks at all runs; may be used by several threads."""

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf
        self.server = secrets.token_hex(4)
        """Tells the numbers of this server from those of one before it."""
        self.number = 0
        """Of the last change."""
        self._records, self._lock = RunRecords(), threading.Lock()
        self._seen: dict[str, Seen] = {}
        self._gone: dict[str, int] = {}

    def look(self, *, only_running: bool = False) -> None:
        """Look for changes; only_running: in the runs that a process trains.

        Raises as `Shelf.found`.
        """
        with self._lock:
            if only_running:
                runs = {n: s.run for n, s in self._seen.items() if s.record["running"]}
            else:
                runs = {n: run for n, run in self.shelf.found().items() if run.is_run}
                for name in self._seen.keys() - runs.keys():
                    self.number += 1
                    self._gone[name] = self.number
                    self._records.forget(self._seen.pop(name).run)
            for name, run in runs.items():
                record, before = self._records.of(run), self._seen.get(name)
                if before is None or before.record is not record or before.run != run:
                    self.number += 1
                    self._gone.pop(name, None)
                    self._seen[name] = Seen(self.number, run, record)

    def look_ahead(self) -> None:
        """Read all runs in a thread, so that the first list of them comes at once."""

        def look() -> None:
            with suppress(RnnlabError):
                self.look()
                for seen in self.all()[1]:
                    _ = seen.text

        threading.Thread(target=look, daemon=True).start()

    def run(self, name: str) -> Found | None:
        """Return a run of the last look."""
        seen = self._seen.get(name)
        return seen.run if seen else None

    def all(self) -> tuple[int, list[Seen]]:
        """Return the number of the last change, and all runs in the order of their names."""
        with self._lock:
            return self.number, [self._seen[name] for name in sorted(self._seen)]

    def changes(self, since: int) -> list[Change]:
        """Return what has changed after a change, the oldest first."""
        with self._lock:
            found = [Change(s.number, name, s) for name, s in self._seen.items()]
            found += [Change(number, name, None) for name, number in self._gone.items()]
        return sorted(change for change in found if change.number > since)
