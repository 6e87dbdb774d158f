"""The report as two pages, HTML and Markdown, each made from its template."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from rnnlab.experiments.comparison import ClaimVerdict
from rnnlab.experiments.records import Records
from rnnlab.files import write_atomically
from rnnlab.report.figures import Figures, draw_figures
from rnnlab.report.formatting import sentence
from rnnlab.report.markdown import aligned, escaped, fenced, prose
from rnnlab.report.report import Report, make_report
from rnnlab.report.texts_section import forest

HERE = Path(__file__).parent


def write_report(
    records: Records, verdicts: Sequence[ClaimVerdict], directory: Path
) -> tuple[Path, Path]:
    """Write report.html and report.md into `directory`, and return their paths.

    The same records give the same bytes.
    """
    report = make_report(records, verdicts)
    html, markdown = directory / "report.html", directory / "report.md"
    figures = draw_figures(records, report.search)
    figures = replace(figures, texts=forest(records, report.verdicts))
    write_atomically(html, html_page(report, figures).encode())
    write_atomically(markdown, markdown_page(report).encode())
    return html, markdown


def html_page(report: Report, figures: Figures) -> str:
    """Return one HTML page that needs no other file; all text in it is escaped."""
    environment = _environment()
    environment.filters["next"] = next
    style = Markup((HERE / "report.css").read_text(encoding="utf-8"))
    template = environment.get_template("report.html.jinja")
    return template.render(report=report, figures=figures, style=style, figure_numbers=count(1))


def markdown_page(report: Report) -> str:
    """Return the report as Markdown that also reads well as plain text; all text is escaped."""
    environment = _environment()
    environment.finalize = escaped
    environment.filters |= {"aligned": aligned, "fenced": fenced, "prose": prose}
    return environment.get_template("report.md.jinja").render(report=report)


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    environment.filters["sentence"] = sentence
    return environment
