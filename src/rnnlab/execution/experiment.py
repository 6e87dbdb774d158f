"""An experiment from its file to its report: make the missing runs, time them, write the report."""

import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rnnlab.cells import find_cell
from rnnlab.console import counted
from rnnlab.cores import usable_cores
from rnnlab.errors import RunDirectoryError
from rnnlab.execution.corpora import check_corpora
from rnnlab.execution.executor import Executor, Job, RunEvent
from rnnlab.experiments.archive import (
    TIMING,
    collect_records,
    current_plan,
    read_timing,
    update_archive,
)
from rnnlab.experiments.comparison import ClaimVerdict
from rnnlab.experiments.folder import FILE, open_existing
from rnnlab.experiments.plan import Plan
from rnnlab.experiments.records import Records
from rnnlab.experiments.settings import ExecutionSettings
from rnnlab.experiments.store import Store
from rnnlab.experiments.verdicts import judge_claims
from rnnlab.files import write_json
from rnnlab.report.pages import write_report

SAME_FAILURES = 3
"""Least number of runs in a row that fail for the same reason before no more are started."""

POLL_SECONDS = 2.0
"""Time between checks of the runs that another process is making."""


class ExperimentWatcher:
    """Follows an experiment while it runs; these methods do nothing."""

    def begin(
        self, plan: Plan, store: Store, total: int, kept: Collection[str], slots: int
    ) -> None:
        """Runs are about to be made: `total` less those in `kept`, by id; `slots` at once."""

    def event(self, event: RunEvent) -> None:
        """Something happened to a run."""

    def measuring(self, what: str, fraction: float) -> None:
        """A speed is about to be measured; `fraction` of all measurements are done."""

    def interrupted(self) -> None:
        """A person has stopped the experiment."""

    def end(self) -> None:
        """No more runs are made, for whatever reason."""

    def summary(self, records: Records, verdicts: Sequence[ClaimVerdict], folder: Path) -> None:
        """The report is written."""


def run_experiment(
    plan: Plan,
    folder: Path,
    execution: ExecutionSettings,
    watcher: ExperimentWatcher | None = None,
    command: str = "",
) -> Records:
    """Make the runs of an experiment that have not ended, measure speed, and write the report.

    command: the command that makes the experiment again, for the report.

    Raises before any run is made: UsageError if a cell is not one; UnavailableError if the
    executor, or the package of a search, is not installed; CorpusError if a text is missing;
    RunDirectoryError if the folder cannot be written or a text has changed. Raises
    RunDirectoryError at the end, with the report written, if runs failed. KeyboardInterrupt stops
    it and keeps all runs that have ended.
    """
    watcher = watcher or ExperimentWatcher()
    store = Store(folder)
    store.prepare()
    records = collect_records(plan, folder)
    for cell in {run.settings.model.cell for run in plan.runs} | {plan.base.model.cell}:
        find_cell(cell)  # checks those of users before any run is made
    if execution.executor == "local":  # the nodes of a cluster may have other texts
        check_corpora(records)
    tally = Tally(store, watcher, max(SAME_FAILURES, len(plan.variants)))
    kept = {run.id for run in records.runs if run.has_ended}
    try:
        with make_executor(store, execution) as executor:
            make_runs = _make_trials if plan.settings.search else _make_planned_runs
            make_runs(plan, executor, execution.run_threads, tally, kept)
        if plan.settings.timing and not tally.failed:
            _measure_speed(current_plan(plan, folder), store, watcher)
    except KeyboardInterrupt:
        watcher.interrupted()
        raise
    finally:
        watcher.end()
        records, verdicts = write_results(plan, folder, command)
    watcher.summary(records, verdicts, folder)
    if tally.failed:
        raise RunDirectoryError(tally.describe_failures())
    return records


def write_results(
    plan: Plan, folder: Path, command: str = ""
) -> tuple[Records, list[ClaimVerdict]]:
    """Write records.json and the report from what the folder holds; needs no torch."""
    records = collect_records(plan, folder, command)
    verdicts = judge_claims(records)
    update_archive(records, folder)
    write_report(records, verdicts, folder)
    return records, verdicts


def rewrite_report(folder: str | Path) -> Path:
    """Write the report of an experiment that has been run; return the page.

    Raises UsageError if `folder` does not hold an experiment, and RunDirectoryError if none of its
    runs has ended.
    """
    folder = Path(folder)
    plan = open_existing(folder)
    if not any(run.has_ended for run in collect_records(plan, folder).runs):
        raise RunDirectoryError(
            f"{folder}: no run that its {FILE} asks for has ended; run `rnnlab experiment {folder}`"
        )
    write_results(plan, folder)
    return folder / "report.html"


def make_executor(store: Store, execution: ExecutionSettings) -> Executor:
    """Return the executor that the settings name."""
    threads = execution.run_threads
    if execution.executor == "ray":
        from rnnlab.execution.ray_cluster import RayExecutor

        return RayExecutor(store, execution.address, execution.workers, threads)
    from rnnlab.execution.local import LocalExecutor

    return LocalExecutor(store, execution.workers or max(1, usable_cores().count // threads))


@dataclass
class Tally:
    """Counts what became of the runs that this process has made."""

    store: Store
    watcher: ExperimentWatcher
    most_equal_failures: int
    """Failures in a row for the same reason after which no more runs are started. Every variant of
    a seed has failed by then, so the reason is not, say, an engine that only one variant needs."""
    failed: list[RunEvent] = field(default_factory=list)
    in_a_row: list[str] = field(default_factory=list)
    """Reasons of the failures since the last run that ended well."""
    elsewhere: list[Job] = field(default_factory=list)
    """Runs that other processes are making."""

    def record(self, event: RunEvent) -> None:
        """Count an event, and keep the text of a failure in the store."""
        self.watcher.event(event)
        if event.kind == "elsewhere":
            self.elsewhere.append(event.job)
        elif event.kind == "failed":
            self.failed.append(event)
            self.in_a_row.append(event.last_line)
            try:
                self.store.write_failure(event.job.id, event.detail)
            except OSError:  # the disk may be what failed
                return
        elif event.has_ended:
            self.in_a_row.clear()
            self.store.clear_failure(event.job.id)

    def until_hopeless(self, jobs: Iterator[Job]) -> Iterator[Job]:
        """Yield jobs until the last runs all failed for the same reason."""
        while not self._is_hopeless and (job := next(jobs, None)):
            yield job

    @property
    def _is_hopeless(self) -> bool:
        reasons = self.in_a_row[-self.most_equal_failures :]
        return len(reasons) == self.most_equal_failures and len(set(reasons)) == 1

    def describe_failures(self) -> str:
        """Return an error message with the failed runs by reason."""
        reasons: dict[str, list[str]] = {}
        for event in self.failed:
            reasons.setdefault(event.last_line, []).append(event.job.name)
        stopped = "; all failed for the same reason, so no more were started"
        return (
            f"{counted(len(self.failed), 'run')} failed and will be tried again by the same "
            f"command; all others are kept{stopped if self._is_hopeless else ''}:\n"
            + "\n".join(f"{'; '.join(names)}: {reason}" for reason, names in reasons.items())
        )


def _make_planned_runs(
    plan: Plan, executor: Executor, threads: int, tally: Tally, kept: Collection[str]
) -> None:
    """Make all runs of a plan except those in `kept`, by id."""
    store = tally.store
    jobs = {run.id: Job.of(run, plan, threads) for run in plan.runs}
    todo = [job for id_, job in jobs.items() if id_ not in kept]
    tally.watcher.begin(plan, store, len(jobs), kept, executor.slots)
    while todo:
        tally.elsewhere = []
        for event in executor.run(tally.until_hopeless(iter(todo))):
            tally.record(event)
        todo = [job for job in tally.elsewhere if not store.ended(job.id)]
        if todo:
            time.sleep(POLL_SECONDS)


def _make_trials(
    plan: Plan, executor: Executor, threads: int, tally: Tally, kept: Collection[str]
) -> None:
    """Make the trials of a search except those in `kept`, by the ids of their runs."""
    from rnnlab.execution.search import Search  # Optuna may not be installed

    with Search(plan, tally.store, threads) as trials:
        tally.watcher.begin(plan, tally.store, trials.settings.count, kept, executor.slots)
        for event in executor.run(tally.until_hopeless(trials.jobs())):
            trials.record(event)
            tally.record(event)


def _measure_speed(plan: Plan, store: Store, watcher: ExperimentWatcher) -> None:
    """Measure speed unless timing.json is up to date; one process does, the others wait."""
    from rnnlab.execution.timing import measure

    assert plan.settings.timing is not None
    while True:
        with store.claim(TIMING) as is_ours:
            if is_ours:
                if not plan.timing_ids.items() <= read_timing(store.folder).get("ids", {}).items():
                    content = measure(plan, plan.settings.timing, watcher.measuring)
                    write_json(store.folder / TIMING, content)
                return
        time.sleep(POLL_SECONDS)
