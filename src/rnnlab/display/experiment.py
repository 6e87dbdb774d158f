"""What a person sees while an experiment goes on: on a terminal a live table, else a line a run."""

import json
import time
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path

from rich.box import SIMPLE
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from rnnlab.console import PlainConsole
from rnnlab.execution.executor import RunEvent
from rnnlab.execution.job import Job
from rnnlab.experiments.outcomes import OUTCOMES
from rnnlab.experiments.plan import Plan
from rnnlab.experiments.records import Records
from rnnlab.experiments.store import Store
from rnnlab.experiments.verdicts import ClaimVerdict
from rnnlab.runs.files import METRICS

TAIL_BYTES = 4096
"""More than one line of metrics.jsonl is long."""


class ExperimentDisplay:
    """Prints to standard output; with `quiet` it prints nothing."""

    def __init__(self, *, quiet: bool = False, console: Console | None = None) -> None:
        self.console = console or PlainConsole(quiet=quiet, highlight=False, soft_wrap=True)
        self._live: Live | None = None
        self._running: dict[str, tuple[Job, str]] = {}
        self._ended: Counter[str] = Counter()
        self._means: dict[str, list[float]] = {}
        self._todo = self._done = self._failed = 0
        self._began = time.perf_counter()

    def begin(
        self, plan: Plan, store: Store, total: int, kept: Collection[str], slots: int
    ) -> None:
        """Say what is about to be run, and what is there already: the ids of `kept`."""
        self._plan, self._store, self._todo = plan, store, total - len(kept)
        self._variants = {run.id: run.variant for run in plan.runs}
        self._planned = Counter(run.variant for run in plan.runs)
        self._ended = Counter(run.variant for run in plan.runs if run.id in kept)
        self._began = time.perf_counter()
        show = self.console.print
        show(f"question  {' '.join(plan.settings.question.split())}", markup=False)
        size = f"{len(plan.variants)} variants x {len(plan.settings.seeds)} seeds"
        size = "searched" if plan.settings.search else size
        already = f", {len(kept)} of them done before" if kept else ""
        show(f"runs      {size} = {total} runs{already}; {slots} at once")
        show(f"folder    {store.folder}", markup=False)
        if self._todo and self.console.is_terminal and not self.console.quiet:
            self._live = Live(
                get_renderable=self._table, console=self.console, refresh_per_second=2,
                transient=True, vertical_overflow="crop",
            )  # fmt: skip
            self._live.start()

    def event(self, event: RunEvent) -> None:
        """Take what happened to a run; a line is printed where it is more than a start."""
        job = event.job
        if event.kind == "started":
            self._running[job.id] = (job, event.detail)
            return
        self._running.pop(job.id, None)
        if event.kind == "elsewhere":
            self.console.print(f"          {job.name}: another process is making it", markup=False)
            return
        why = f": {event.last_line}" if event.detail else ""
        if event.has_ended:
            self._done += 1
            self._ended[self._variants.get(job.id, job.name)] += 1
            why += self._figures(job)
        else:
            self._failed += 1
        counted = f"[{self._done + self._failed}/{self._todo}]"
        left = f", {duration(self._seconds_left())} left" if self._done < self._todo else ""
        self.console.print(f"{counted:>9} {event.kind} {job.name}{why}{left}", markup=False)

    def measuring(self, what: str, share: float) -> None:
        """Take what is about to be timed, and the share of all timing done."""
        if self.console.is_terminal:
            self.console.print(f"timing    {share:4.0%} {what}", end="\r", markup=False)
        elif share == 0:
            self.console.print("timing    all variants in turns; leave the machine alone")

    def interrupted(self) -> None:
        """Say what is kept when a person ends the experiment."""
        self.end()
        left = self._todo - self._done
        self.console.print(f"stopped   {left} runs are left; the same command goes on with them")

    def end(self) -> None:
        """Take the live table away."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def summary(self, records: Records, verdicts: Sequence[ClaimVerdict], folder: Path) -> None:
        """Print the verdicts, and where everything is."""
        statuses = Counter(run.status for run in records.runs)
        shown = ", ".join(f"{count} {status}" for status, count in statuses.most_common())
        self.console.print(f"runs      {shown}")
        for verdict in verdicts if statuses["finished"] else ():
            self.console.print(f"\n{verdict.verdict.upper()}: {verdict.text}", markup=False)
            for compared in verdict.compared:
                self.console.print(f"  {compared.sentence}", markup=False)
        self.console.print(f"\nreport    {folder / 'report.html'}", markup=False)
        self.console.print(f"          {folder / 'report.md'}", markup=False)

    def _figures(self, job: Job) -> str:
        """The run's outcomes in a few words."""
        outcome = self._store.outcome(job.id) or {"outcomes": {}}
        words = []
        for name in self._plan.settings.outcomes[:2]:
            if name in outcome["outcomes"]:
                value = outcome["outcomes"][name]
                words.append(f"{OUTCOMES[name].label} {value:.{OUTCOMES[name].digits}f}")
        return f": {', '.join(words)}" if words else ""

    def _seconds_left(self) -> float:
        elapsed = time.perf_counter() - self._began
        return elapsed / max(1, self._done) * (self._todo - self._done - self._failed)

    def _table(self) -> Group:
        table = Table(box=SIMPLE, padding=(0, 1))
        table.add_column("variant", no_wrap=True)
        table.add_column("done", justify="right")
        table.add_column("now", no_wrap=True)
        running = {
            self._variants.get(id_, job.name): job for id_, (job, _) in self._running.items()
        }
        for variant in self._plan.variants:
            count, of = self._ended[variant.name], self._planned[variant.name]
            job = running.get(variant.name)
            if job is None and (count == of or count == 0):
                continue  # so that a table of many variants fits a screen
            now = f"seed {job.settings.training.seed}, {self._share(job)}" if job else ""
            table.add_row(variant.name, f"{count}/{of}", now)
        left = duration(self._seconds_left()) if self._done else "unknown time"
        failed = f", {self._failed} failed" if self._failed else ""
        return Group(table, Text(f"{self._done} of {self._todo} runs done{failed}, {left} left"))

    def _share(self, job: Job) -> str:
        """How far a run on this machine is, by the last line of its metrics."""
        file = self._store.directory(job.id) / METRICS
        try:
            with file.open("rb") as stream:
                stream.seek(max(0, file.stat().st_size - TAIL_BYTES))
                lines = stream.read().splitlines()
        except OSError:
            return "begun"
        for line in reversed(lines):
            try:
                return f"{json.loads(line)['progress']:.0%}"
            except (ValueError, KeyError):  # a held-out line, or one that is being written
                continue
        return "begun"


def duration(seconds: float) -> str:
    """Seconds in words that fit a line."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
