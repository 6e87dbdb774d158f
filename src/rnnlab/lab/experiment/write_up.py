"""What an experiment's folder holds, written up; needs no torch."""

from pathlib import Path

from rnnlab.lab.experiment.collect import collect, write_archive
from rnnlab.lab.experiment.plan import Plan
from rnnlab.lab.experiment.records import Records
from rnnlab.lab.experiment.store import Store
from rnnlab.lab.experiment.verdicts import ClaimVerdict, judge
from rnnlab.lab.report.write import write_report


def write_up(plan: Plan, folder: Path, command: str = "") -> tuple[Records, list[ClaimVerdict]]:
    """Write archive and report from what the folder holds."""
    records = collect(known(plan, folder), Store(folder), command)
    verdicts = judge(records)
    sections = []
    if plan.settings.search:
        from rnnlab.lab.report.search import search_sections

        sections = search_sections(records)
    write_archive(records, folder)
    write_report(records, verdicts, folder, sections)
    return records, verdicts


def known(plan: Plan, folder: Path) -> Plan:
    """The plan itself; that of a search with the variants it has suggested so far."""
    if not plan.settings.search:
        return plan
    from rnnlab.lab.experiment.searched import searched_plan

    return searched_plan(plan, folder)
