"""A report is made and kept."""

from collections.abc import Sequence
from pathlib import Path

from rnnlab.experiments.records import Records
from rnnlab.experiments.verdicts import ClaimVerdict
from rnnlab.files import write_atomically
from rnnlab.report.content import Section, gather
from rnnlab.report.html import html_page
from rnnlab.report.markdown import markdown_page


def write_report(
    records: Records,
    verdicts: Sequence[ClaimVerdict],
    directory: Path,
    sections: Sequence[Section] = (),
) -> tuple[Path, Path]:
    """Write report.html and report.md into `directory`, and return their paths.

    The same records give the same bytes. `sections` stand between the plots and the samples.
    """
    report = gather(records, verdicts, sections)
    html, markdown = directory / "report.html", directory / "report.md"
    write_atomically(html, html_page(records, report).encode())
    write_atomically(markdown, markdown_page(report).encode())
    return html, markdown
