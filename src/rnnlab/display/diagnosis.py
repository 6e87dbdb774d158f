"""Print what `rnnlab doctor` found."""

import json
from collections.abc import Sequence
from itertools import groupby

from rich.console import Console

from rnnlab.console import PlainConsole
from rnnlab.doctor.diagnosis import Diagnosis


def write_diagnosis(diagnosis: Diagnosis, *, as_json: bool) -> None:
    """Print a diagnosis in words or as one JSON object."""
    if as_json:
        print(json.dumps(diagnosis.to_dict(), indent=2))
        return
    console = PlainConsole(highlight=False, soft_wrap=True)
    console.print(f"run         {diagnosis.run}", markup=False)
    console.print(f"state       {diagnosis.state}", markup=False)
    for finding in diagnosis.findings:
        console.print(f"\n{finding.title}", style="bold", markup=False)
        _write_list("evidence", finding.evidence, console)
        _write_list("try", finding.advice, console)
    if diagnosis.healthy:
        found = "healthy: none of these illnesses was found"
        found = found if diagnosis.looked_at else "nothing could be looked for"
        console.print(f"\n{found}", style="bold")
    console.print()
    _write_list("looked for", [", ".join(diagnosis.looked_at) or "nothing"], console)
    left_out = groupby(diagnosis.not_asked.items(), key=lambda item: item[1])
    lines = [f"{', '.join(name for name, _ in group)}: {why}" for why, group in left_out]
    _write_list("left out", lines, console)


def _write_list(heading: str, lines: Sequence[str], console: Console) -> None:
    for number, line in enumerate(lines):
        console.print(f"{'' if number else heading:<12}{line}", markup=False)
