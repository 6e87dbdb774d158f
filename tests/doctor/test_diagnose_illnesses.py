"""Runs made to show each illness, and healthy ones; docs/doctor.md holds the same table."""

from pathlib import Path

import pytest
from sick_runs import HEALTHY, SICK, SMALL

import rnnlab
from rnnlab.doctor.diagnose import RULES
from rnnlab.doctor.diagnosis import Diagnosis
from rnnlab.errors import DivergenceError

PAGE = Path(__file__).parents[2] / "docs" / "doctor.md"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


def diagnosed(folder: Path, name: str, settings: dict) -> Diagnosis:
    directory = folder / name.replace(" ", "-")
    try:
        rnnlab.train(**SMALL | settings, run_dir=directory, quiet=True)
    except DivergenceError:
        assert "diverged" in SICK[name][1]
    return rnnlab.diagnose(directory)


def verdict(diagnosis: Diagnosis) -> str:
    return ", ".join(finding.illness for finding in diagnosis.findings) or "healthy"


def documented(name: str) -> str:
    """The verdict that docs/doctor.md says was given."""
    rows = [line.strip("| ").split(" | ") for line in PAGE.read_text().splitlines()]
    (found,) = (row[-1].strip() for row in rows if len(row) > 1 and row[0] == name)
    return found


@pytest.mark.parametrize("name", SICK)
def test_a_sick_run_is_told_its_illness_and_no_other(folder: Path, name: str) -> None:
    settings, illnesses = SICK[name]
    diagnosis = diagnosed(folder, name, settings)
    assert verdict(diagnosis) == ", ".join(illnesses) == documented(name)
    for finding in diagnosis.findings:
        assert all(any(c.isdigit() for c in line) for line in finding.evidence), finding
        assert finding.advice[0].startswith("--"), finding
        assert finding.title.startswith(finding.illness)


@pytest.mark.parametrize("name", HEALTHY)
def test_a_healthy_run_is_told_nothing(folder: Path, name: str) -> None:
    diagnosis = diagnosed(folder, name, HEALTHY[name])
    assert diagnosis.findings == ()
    assert diagnosis.healthy
    assert (diagnosis.looked_at, diagnosis.not_asked) == (tuple(RULES), {})
    assert documented(name) == "healthy"


def test_every_illness_has_a_run() -> None:
    assert {illness for _, illnesses in SICK.values() for illness in illnesses} == set(RULES)
    assert len(HEALTHY) >= 10


def test_overfitting_names_the_step_of_the_lowest_held_out_loss(folder: Path) -> None:
    name = "50 epochs of 8,000 characters"
    directory = folder / name.replace(" ", "-")
    if not directory.exists():
        diagnosed(folder, name, SICK[name][0])
    held_out = [line for line in rnnlab.Run.open(directory).metrics if line["kind"] == "held-out"]
    lowest = min(held_out, key=lambda line: line["nats_per_token"])
    (finding,) = rnnlab.diagnose(directory).findings
    assert finding.title == f"overfitting since step {lowest['step']:,}"
    assert f"{lowest['nats_per_token']:.3f} at step {lowest['step']:,}" in finding.evidence[0]
