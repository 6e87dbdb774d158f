"""An experiment from file to report: what has not ended is run, then timed, then written up."""

import os
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from rnnlab.display.experiment import ExperimentDisplay
from rnnlab.errors import RunDirectoryError
from rnnlab.execution.corpora import check_texts
from rnnlab.execution.executor import Executor, RunEvent
from rnnlab.execution.job import Job
from rnnlab.execution.write_up import known, write_up
from rnnlab.experiments.archive import read_archive
from rnnlab.experiments.collect import TIMING, collect, read_timing
from rnnlab.experiments.plan import Plan
from rnnlab.experiments.records import Records
from rnnlab.experiments.settings import ExecutionSettings
from rnnlab.experiments.store import Store
from rnnlab.files import write_json

SAME_FAILURES = 3
"""Runs in a row that may at least fail for the same reason before no more are begun."""

POLL_SECONDS = 2.0
"""How often runs that another process is making are looked at again."""


def conduct(
    plan: Plan,
    folder: Path,
    execution: ExecutionSettings,
    progress: ExperimentDisplay,
    command: str,
) -> Records:
    """Run, time and write up an experiment; what has ended before is not run again.

    Raises, before anything is run, UnavailableError where the executor, or the package of a search,
    is not here, CorpusError where a text is not, RunDirectoryError where the folder cannot be
    written or a text has changed; RunDirectoryError where runs failed, after the others have ended
    and the report is written. KeyboardInterrupt ends it with all that has ended kept.
    """
    store = Store(folder)
    store.prepare()
    records = collect(known(plan, folder), store, read_archive(folder))
    if execution.executor == "local":  # a cluster's nodes may have what this machine lacks
        check_texts(records)
    tally = Tally(store, progress, max(SAME_FAILURES, len(plan.variants)))
    threads = execution.run_threads
    try:
        with make_executor(store, execution, threads) as executor:
            run = _run_search if plan.settings.search else _run_plan
            run(plan, executor, threads, tally, {r.id for r in records.runs if r.has_ended})
        if plan.settings.timing and not tally.failed:
            _time(known(plan, folder), store, progress)
    except KeyboardInterrupt:
        progress.interrupted()
        raise
    finally:
        progress.end()
        records, verdicts = write_up(plan, folder, command)
    progress.summary(records, verdicts, folder)
    if tally.failed:
        reasons: dict[str, list[str]] = {}
        for event in tally.failed:
            reasons.setdefault(event.last_line, []).append(event.job.name)
        raise RunDirectoryError(
            f"{len(tally.failed)} runs failed and will be tried again by the same command; all "
            f"others are kept{tally.consequence}:\n"
            + "\n".join(f"{'; '.join(names)}: {reason}" for reason, names in reasons.items())
        )
    return records


def make_executor(store: Store, execution: ExecutionSettings, threads: int) -> Executor:
    """The executor asked for, for runs of so many threads."""
    if execution.executor == "ray":
        from rnnlab.execution.ray_cluster import RayExecutor

        return RayExecutor(store, execution.address, execution.workers, threads)
    from rnnlab.execution.local import LocalExecutor

    return LocalExecutor(store, execution.workers or max(1, (os.cpu_count() or 1) // threads))


@dataclass
class Tally:
    """What became of the runs that this process has had made."""

    store: Store
    progress: ExperimentDisplay
    most_alike: int
    """Failures in a row for one reason after which no more is begun: by then every variant of a
    seed has failed so, and not only those with, say, an engine that is missing here."""
    failed: list[RunEvent] = field(default_factory=list)
    in_a_row: list[str] = field(default_factory=list)
    """Reasons of the failures since a run last ended well."""
    elsewhere: list[Job] = field(default_factory=list)
    """Runs that other processes are making."""

    def take(self, event: RunEvent) -> None:
        """Count an event, and write down a failure."""
        self.progress.event(event)
        if event.kind == "elsewhere":
            self.elsewhere.append(event.job)
        elif event.kind == "failed":
            self.failed.append(event)
            self.in_a_row.append(event.last_line)
            try:
                self.store.keep_failure(event.job.id, event.detail)
            except OSError:  # the disk may be what failed
                return
        elif event.has_ended:
            self.in_a_row.clear()
            self.store.forget_failure(event.job.id)

    def unless_hopeless(self, jobs: Iterator[Job]) -> Iterator[Job]:
        """Hand out jobs while the last ones did not all fail for one reason, as the next would."""
        while not self._hopeless and (job := next(jobs, None)):
            yield job

    @property
    def _hopeless(self) -> bool:
        reasons = self.in_a_row[-self.most_alike :]
        return len(reasons) == self.most_alike and len(set(reasons)) == 1

    @property
    def consequence(self) -> str:
        """What else to say where runs failed."""
        return "; as all fail for one reason, no more were begun" if self._hopeless else ""


def _run_plan(
    plan: Plan, executor: Executor, threads: int, tally: Tally, kept: Collection[str]
) -> None:
    """Have all runs of a plan made but those that have ended and are kept."""
    store = tally.store
    jobs = {run.id: Job.of(run, plan, threads) for run in plan.runs}
    todo = [job for id_, job in jobs.items() if id_ not in kept]
    tally.progress.begin(plan, store, len(jobs), kept, executor.slots)
    while todo:
        tally.elsewhere = []
        for event in executor.run(tally.unless_hopeless(iter(todo))):
            tally.take(event)
        todo = [job for job in tally.elsewhere if not store.ended(job.id)]
        if todo:
            time.sleep(POLL_SECONDS)


def _run_search(
    plan: Plan, executor: Executor, threads: int, tally: Tally, kept: Collection[str]
) -> None:
    """Have the trials of a search made but those that have ended and are kept."""
    from rnnlab.execution.search import Search

    store, search = tally.store, plan.settings.search
    assert search is not None
    with Search(plan, store, threads) as trials:
        tally.progress.begin(plan, store, search.count, kept, executor.slots)
        for event in executor.run(tally.unless_hopeless(trials.jobs())):
            trials.tell(event)
            tally.take(event)


def _time(plan: Plan, store: Store, progress: ExperimentDisplay) -> None:
    """Measure speed, unless it has been for these very variants; one process does, others wait."""
    from rnnlab.execution.timing import measure

    assert plan.settings.timing is not None
    while True:
        with store.claim(TIMING) as is_ours:
            if is_ours:
                if not plan.timing_ids.items() <= read_timing(store).get("ids", {}).items():
                    content = measure(plan, plan.settings.timing, progress.measuring)
                    write_json(store.folder / TIMING, content)
                return
        time.sleep(POLL_SECONDS)
