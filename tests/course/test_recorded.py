"""What the course says of long experiments is what their records say."""

import importlib.util
from pathlib import Path

import pytest

from rnnlab.course.recorded import FILE, recorded
from rnnlab.errors import UsageError

ROOT = Path(__file__).parents[2]


def test_it_is_what_the_experiments_found() -> None:
    file = ROOT / "docs" / "make_course_records.py"
    specification = importlib.util.spec_from_file_location("make_course_records", file)
    assert specification is not None
    assert specification.loader is not None
    maker = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(maker)
    assert FILE.read_text(encoding="utf-8") == maker.content(), (
        "run `python docs/make_course_records.py`"
    )


def test_commands_are_those_that_make_the_experiments() -> None:
    for name, folder in (("lab-report", "lab_report"), ("report-ideas", "report_ideas")):
        found = recorded(name)
        kind, what = found.command.removeprefix("rnnlab ").split()
        assert (kind, what) in (("reproduce", name), ("experiment", f"experiments/{folder}"))
        seeds = {len(own) for figures in found.figures.values() for own in figures.values()}
        assert seeds == {6}


def test_another_name_is_refused() -> None:
    words = r"^unknown experiment 'report'; .* \(choices: lab-report, report-ideas\)$"
    with pytest.raises(UsageError, match=words):
        recorded("report")
