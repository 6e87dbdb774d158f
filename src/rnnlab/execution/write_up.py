"""What an experiment's folder holds, written up; needs no torch."""

from pathlib import Path

from rnnlab.errors import RunDirectoryError
from rnnlab.experiments.archive import Archive, read_archive, write_archive
from rnnlab.experiments.collect import collect
from rnnlab.experiments.folder import FILE, reopen
from rnnlab.experiments.plan import Plan
from rnnlab.experiments.records import Records
from rnnlab.experiments.store import Store
from rnnlab.experiments.verdicts import ClaimVerdict, judge
from rnnlab.report.pages import write_report


def write_up(plan: Plan, folder: Path, command: str = "") -> tuple[Records, list[ClaimVerdict]]:
    """Write archive and report from what the folder holds."""
    archive = read_archive(folder)
    records = collect(known(plan, folder), Store(folder), archive, command)
    verdicts = judge(records)
    ended = {run.id: run for run in records.runs if run.has_ended}
    write_archive(Archive(archive.runs | ended, records.command, records.looks), folder)
    write_report(records, verdicts, folder)
    return records, verdicts


def write_again(folder: Path) -> Path:
    """Write the report of an experiment that has been run; returns the page.

    Raises UsageError where `folder` is none of an experiment, RunDirectoryError where no run of
    its file has ended.
    """
    plan = reopen(folder)
    there = collect(known(plan, folder), Store(folder), read_archive(folder))
    if not any(run.has_ended for run in there.runs):
        raise RunDirectoryError(
            f"{folder}: no run that its {FILE} asks for has ended; run `rnnlab experiment {folder}`"
        )
    write_up(plan, folder)
    return folder / "report.html"


def known(plan: Plan, folder: Path) -> Plan:
    """The plan itself; that of a search with the variants it has suggested so far."""
    if not plan.settings.search:
        return plan
    from rnnlab.experiments.searched import searched_plan

    return searched_plan(plan, folder)
