"""What `rnnlab check-cell` prints."""

from collections.abc import Sequence

from rnnlab.cells.checks import CellCheck


def write_checks(checks: Sequence[CellCheck]) -> None:
    """Print a line for each check."""
    width = max(len(check.name) for check in checks)
    for check in checks:
        print(f"{'ok  ' if check.passed else 'FAIL'}  {check.name:<{width}}  {check.words}")
