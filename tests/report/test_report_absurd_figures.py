"""A report can be written without warnings, whatever the records contain.

Warnings are errors in these tests.
"""

from dataclasses import replace
from xml.etree import ElementTree

from hypothesis import given, settings
from hypothesis import strategies as st
from made_up_records import OUTCOMES, made_up_plan, made_up_records

from rnnlab.experiments.records import RunRecord
from rnnlab.experiments.verdicts import judge_claims
from rnnlab.report.figures import draw_figures
from rnnlab.report.pages import html_page, markdown_page
from rnnlab.report.report import make_report

PLAN = made_up_plan(
    variant=[{"name": name} for name in "ABC"], claim=[], seeds=3, timing=None,
    base={"corpus": "timemachine", "num_epochs": 3, "split": (0.9, 0.1, 0.0)},
)  # fmt: skip
PLAIN = made_up_records(PLAN, points=3)

FIGURES = (
    st.sampled_from([0.0, 1e-320, 1e-9, 1.0, 2.0, 2.0000000001, 8.0, 1e16, 1e300, float("inf")])
    | st.floats(min_value=0)
    | st.just(float("nan"))
)
"""Losses, speeds, norms: never negative."""

NATS = FIGURES | st.floats()
"""Logarithms, which may be."""


@st.composite
def absurd(draw: st.DrawFn, run: RunRecord) -> RunRecord:
    """A finished run with any figures."""
    epochs = draw(st.lists(st.floats(0, 1e6), max_size=4, unique=True).map(sorted))
    return replace(
        run,
        outcomes={name: draw(FIGURES) for name in OUTCOMES},
        curves={
            "training": [(x, draw(NATS)) for x in epochs],
            "held_out": [(x, draw(FIGURES)) for x in epochs],
        },
        gradient_flow={
            stage: draw(st.lists(FIGURES, max_size=4)) for stage in ("initial", "trained")
        },
        baselines={"6-gram": 2.1},
    )


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_no_figures_break_the_report(data: st.DataObject) -> None:
    records = replace(PLAIN, runs=[data.draw(absurd(run)) for run in PLAIN.runs])
    report = make_report(records, judge_claims(records))
    figures = draw_figures(records, None)
    page, markdown = html_page(report, figures), markdown_page(report)
    assert len(markdown) < 30_000, "no figure is written out with a hundred digits"
    assert "e+" not in "".join(c.sentence for v in report.verdicts for c in v.compared)
    speed = [figures.speed] if figures.speed else []
    drawn = [*figures.curves, *figures.gradient_flow, *speed]
    for plot in (plot for item in drawn for plot in item.plots):
        assert plot in page
        words = " ".join(
            e.get("d", "") + e.get("x", "") for e in ElementTree.fromstring(plot).iter()
        )
        assert "nan" not in words
        assert "inf" not in words
