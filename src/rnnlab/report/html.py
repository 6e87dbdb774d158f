"""The report as one HTML page that needs nothing from anywhere else."""

from itertools import count
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from rnnlab.experiments.records import Records
from rnnlab.report import captions
from rnnlab.report.content import Content
from rnnlab.report.formatting import sentence
from rnnlab.report.plots import gradient_flow, learning_curves, speed_and_quality

HERE = Path(__file__).parent


class Numbers:
    """Counts figures in the order in which the page shows them."""

    def __init__(self) -> None:
        self._figures = count(1)

    def figure(self) -> int:
        """The next figure's number."""
        return next(self._figures)


def html_page(records: Records, report: Content) -> str:
    """Lay the report out; all text in it is escaped, but for that of `report.sections`."""
    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined
    )
    environment.filters["sentence"] = sentence
    curves, flow = learning_curves(records), gradient_flow(records)
    speed = speed_and_quality(records)
    contents = [
        ("verdicts", "Verdicts", report.verdicts), ("outcomes", "Outcomes", True),
        ("curves", "Learning curves", curves), ("speed", "Speed against quality", speed),
        ("flow", "Gradient flow", flow),
        *((f"section-{i}", s.title, True) for i, s in enumerate(report.sections, start=1)),
        ("samples", "Samples", report.samples_caption),
        ("unfinished", "Unfinished runs", report.unfinished), ("protocol", "Protocol", True),
    ]  # fmt: skip
    return environment.get_template("page.html.jinja").render(
        records=records,
        report=report,
        style=Markup((HERE / "style.css").read_text(encoding="utf-8")),
        contents=[(anchor, title) for anchor, title, there in contents if there],
        curves=curves,
        flow=flow,
        speed=speed,
        numbers=Numbers(),
        captions=captions,
    )
