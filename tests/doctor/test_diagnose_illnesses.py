"""Runs made to show each illness, and healthy ones.

docs/explanation/doctor-tried-on.md holds the same table.
"""

import json
import math
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from sick_runs import HEALTHY, NAMES, SICK, SMALL, made_up_names

import rnnlab
from rnnlab.config import Settings
from rnnlab.doctor.diagnose import RULES
from rnnlab.doctor.diagnosis import Diagnosis
from rnnlab.errors import DivergenceError
from rnnlab.runs.effects import check_effects
from rnnlab.runs.training import train

COPIED = "a text that stands twice in the corpus"
"""Its advice is another text."""

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "doctor-tried-on.md"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    (folder / "names.txt").write_text(made_up_names(), encoding="utf-8")
    return folder


def asked_for(settings: dict[str, Any], names: Path) -> dict[str, Any]:
    asked = SMALL | settings
    return asked | ({"corpus": str(names)} if asked["corpus"] == "names" else {})


def diagnosed(folder: Path, name: str, settings: dict[str, Any]) -> Diagnosis:
    """Train if that was not done before."""
    directory = folder / name.replace(" ", "-")
    if not directory.exists():
        asked = asked_for(settings, folder / "names.txt")
        with suppress(DivergenceError):
            rnnlab.train(automatic=False, **asked, run_dir=directory, quiet=True)
    return rnnlab.diagnose(directory)


def treat(directory: Path, asked: dict[str, Any], before: float) -> None:
    """Train until the held-out loss is lower than before."""
    settings, start = Settings().with_changes("train", **asked), Settings().flat()
    check_effects(settings, [n for n, value in settings.flat().items() if value != start[n]])
    with suppress(DivergenceError):
        train(settings, directory, stop_when=lambda _, bits: "better" if bits < before else "")


def verdict(diagnosis: Diagnosis) -> str:
    return ", ".join(finding.illness for finding in diagnosis.findings) or "healthy"


def documented(name: str) -> str:
    """The verdict that docs/explanation/doctor-tried-on.md says was given."""
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


def flags_in(advice: str) -> dict[str, Any]:
    """Return the settings that an advice names, if it begins with flags; otherwise none."""
    found = re.match(r"((?:--[a-z-]+ (?!--)(?:\S+ )?)+)\(now ", advice)
    words = re.findall(r"--([a-z-]+) ((?!--)\S+)?", found[1]) if found else []
    settings: dict[str, Any] = {}
    for flag, value in words:
        if flag.startswith("no-"):
            settings[flag.removeprefix("no-").replace("-", "_")] = False
        else:
            is_number = re.fullmatch(r"[\d.e+-]+", value)
            settings[flag.replace("-", "_")] = json.loads(value) if is_number else value
    return settings


def best_bits(directory: Path) -> float:
    """The lowest held-out bits per character during training; infinity if there is none."""
    lines = [line for line in rnnlab.Run.open(directory).metrics if line["kind"] == "held-out"]
    figures = [line["bits_per_character"] for line in lines]
    return min((bits for bits in figures if bits is not None), default=math.inf)


@pytest.mark.parametrize("name", [name for name in SICK if name != COPIED])
def test_following_any_advice_in_flags_lowers_the_held_out_loss(folder: Path, name: str) -> None:
    settings = SICK[name][0]
    diagnosis = diagnosed(folder, name, settings)
    before = best_bits(Path(diagnosis.run))
    advice = {line: flags_in(line) for each in diagnosis.findings for line in each.advice}
    treatments = {line: flags for line, flags in advice.items() if flags}
    assert all(flags_in(each.advice[0]) for each in diagnosis.findings)
    tried: list[dict[str, Any]] = []
    for number, (line, flags) in enumerate(treatments.items()):
        if flags not in tried:
            treated = folder / f"{name}, treated {number}".replace(" ", "-")
            treat(treated, asked_for(settings | flags, folder / "names.txt"), before)
            assert best_bits(treated) < before, line
            tried.append(flags)


@pytest.mark.parametrize("name", HEALTHY)
def test_a_healthy_run_is_told_nothing(folder: Path, name: str) -> None:
    diagnosis = diagnosed(folder, name, {"corpus": "names", **NAMES} | HEALTHY[name])
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
