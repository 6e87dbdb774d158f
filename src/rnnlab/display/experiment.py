"""Shows how an experiment goes: a live table on a terminal, otherwise a line for each run."""

import time
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path

from rich.box import SIMPLE
from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from rnnlab.console import counted, visible
from rnnlab.display.plain_console import PlainConsole
from rnnlab.errors import RunDirectoryError
from rnnlab.execution.executor import Job, RunEvent
from rnnlab.execution.experiment import ExperimentWatcher
from rnnlab.experiments.comparison import ClaimVerdict
from rnnlab.experiments.evidence import text_word
from rnnlab.experiments.outcomes import OUTCOMES
from rnnlab.experiments.plan import Plan
from rnnlab.experiments.records import Records
from rnnlab.experiments.store import Store
from rnnlab.report.explanations import warning
from rnnlab.report.outcome_table import OutcomeTable, outcome_table
from rnnlab.report.protocol_section import copied_words
from rnnlab.report.report import tested
from rnnlab.report.search_section import search_section
from rnnlab.runs.files import last_metrics


class ExperimentDisplay(ExperimentWatcher):
    """Prints to standard output; with `quiet` it prints nothing."""

    def __init__(self, *, quiet: bool = False, console: PlainConsole | None = None) -> None:
        self.console = console or PlainConsole(quiet=quiet, highlight=False, soft_wrap=True)
        self._live: Live | None = None
        self._running: dict[str, Job] = {}
        self._ended: Counter[str] = Counter()
        self._todo = self._done = self._failed = 0
        self._began = time.perf_counter()

    def begin(
        self, plan: Plan, store: Store, total: int, kept: Collection[str], slots: int
    ) -> None:
        """Print the question, the number of runs and the folder."""
        self._plan, self._store, self._todo = plan, store, total - len(kept)
        self._variants = {run.id: run.variant for run in plan.runs}
        self._planned = Counter(run.variant for run in plan.runs)
        self._ended = Counter(run.variant for run in plan.runs if run.id in kept)
        self._began = time.perf_counter()
        tell = self.console.tell
        tell("question", " ".join(plan.settings.question.split()))
        variants, seeds = len(plan.variants), len(plan.settings.seeds)
        texts = f"{counted(len(plan.texts), text_word(plan))} x " if plan.texts else ""
        size = f"{counted(variants, 'variant')} x {texts}{counted(seeds, 'seed')} = "
        size = "search of " if plan.settings.search else size
        already = f", {len(kept)} of them done before" if kept else ""
        tell("runs", f"{size}{counted(total, 'run')}{already}; {slots} at once")
        tell("folder", str(store.folder))
        if self._todo and self.console.is_terminal and not self.console.quiet:
            self._live = Live(
                get_renderable=self._table, console=self.console, refresh_per_second=2,
                transient=True, vertical_overflow="crop",
            )  # fmt: skip
            self._live.start()

    def event(self, event: RunEvent) -> None:
        """Update the table; print a line unless the run has only started."""
        job = event.job
        if event.kind == "started":
            self._running[job.id] = job
            return
        self._running.pop(job.id, None)
        if event.kind == "elsewhere":
            self.console.tell("", f"{job.name}: another process is making it")
            return
        why = f": {event.last_line}" if event.detail else ""
        if event.has_ended:
            self._done += 1
            self._ended[self._variants.get(job.id, job.name)] += 1
            why += self._figures(job)
        else:
            self._failed += 1
        position = f"[{self._done + self._failed}/{self._todo}]"
        left = f", {duration(self._seconds_left())} left" if self._done < self._todo else ""
        self.console.tell(f"{position:>9}", f"{event.kind} {job.name}{why}{left}")

    def measuring(self, what: str, fraction: float) -> None:
        """Print the progress of the timing on a terminal, otherwise one line at its start."""
        if self.console.is_terminal:
            self.console.print(f"timing    {fraction:4.0%} {what}", end="\r", markup=False)
        elif fraction == 0:
            self.console.print("timing    all variants in turns; do not use the machine meanwhile")

    def interrupted(self) -> None:
        """Print how many runs are left."""
        self.end()
        left = counted(self._todo - self._done, "run")
        self.console.tell("stopped", f"{left} left; the same command continues with them")

    def end(self) -> None:
        """Remove the live table."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def summary(self, records: Records, verdicts: Sequence[ClaimVerdict], folder: Path) -> None:
        """Print the verdicts and where the report is."""
        statuses = Counter(run.status for run in records.runs)
        shown = ", ".join(f"{count} {status}" for status, count in statuses.most_common())
        tell = self.console.tell
        tell("runs", shown)
        judged = tested(records, verdicts) if statuses["finished"] else ()
        for verdict in judged:
            self.console.print()
            tell("", f"{verdict.verdict.upper()}: {verdict.text}", column=0)
            for compared in verdict.compared:
                tell("", compared.sentence, column=2)
        table = outcome_table(records)
        if judged and table.has_parts:
            self.console.print(text_table(table.of_parts()), soft_wrap=False)
        if statuses["finished"] and len(judged) < len(verdicts):
            self.console.print(text_table(table), soft_wrap=False)
            untested = counted(len(verdicts) - len(judged), "comparison")
            tell("", f"With one seed, {untested} cannot be tested.", column=0)
        if records.plan.settings.search and (found := search_section(records)):
            self.console.print()
            tell("best", found.summary)
            for line in found.best_settings:
                tell("", line)
        self.console.print()
        if care := warning(records):
            tell("note", care)
        elif copied := copied_words(records):
            tell("copies", f"{copied}.")
        tell("report", str(folder / "report.html"))
        tell("", str(folder / "report.md"))

    def _figures(self, job: Job) -> str:
        """Return a run's first two outcomes in words."""
        values = (self._store.outcome(job.id) or {"outcomes": {}})["outcomes"]
        shown = [OUTCOMES[n] for n in self._plan.settings.outcomes[:2] if n in values]
        words = [f"{each.label} {values[each.name]:.{each.digits}f}" for each in shown]
        return f": {', '.join(words)}" if words else ""

    def _seconds_left(self) -> float:
        elapsed = time.perf_counter() - self._began
        return elapsed / max(1, self._done) * (self._todo - self._done - self._failed)

    def _table(self) -> Group:
        table = Table(box=SIMPLE, padding=(0, 1))
        table.add_column("variant", no_wrap=True)
        table.add_column("done", justify="right")
        table.add_column("now", no_wrap=True)
        running = {self._variants.get(id_, job.name): job for id_, job in self._running.items()}
        for variant in self._plan.variants:
            count, of = self._ended[variant.name], self._planned[variant.name]
            job = running.get(variant.name)
            if job is None and (count == of or count == 0):
                continue  # a table of many variants must fit the screen
            now = f"seed {job.settings.training.seed}, {self._progress(job)}" if job else ""
            table.add_row(variant.name, f"{count}/{of}", now)
        left = duration(self._seconds_left()) if self._done else "unknown time"
        failed = f", {self._failed} failed" if self._failed else ""
        return Group(table, Text(f"{self._done} of {self._todo} runs done{failed}, {left} left"))

    def _progress(self, job: Job) -> str:
        """Return the progress of a run on this machine, from the last line of its metrics."""
        try:
            for line in last_metrics(self._store.directory(job.id)):
                if "progress" in line:  # not of an evaluation
                    return f"{line['progress']:.0%}"
        except (OSError, RunDirectoryError):
            pass
        return "started"


def text_table(table: OutcomeTable) -> Table:
    """Return a report's table of outcomes for a terminal."""
    shown = Table(box=SIMPLE, padding=(0, 1))
    shown.add_column("", no_wrap=len(table.columns) < 3)
    for column in table.columns:
        shown.add_column(column.label, justify="right", vertical="bottom")
    for row in table.rows:
        cells = [f"{cell.mean} {cell.spread}".strip() if cell else "" for cell in row.cells]
        shown.add_row(f"{'  ' * row.is_part}{visible(row.name)}", *cells)
    return shown


def duration(seconds: float) -> str:
    """Format seconds as seconds, minutes or hours."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
