"""What a report says about a search, on both pages."""

import math
import tomllib
from html import unescape
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from made_up_search import BEST, SPACE, figure, go_through, search_plan

from rnnlab.config import Settings
from rnnlab.execution.search import Search
from rnnlab.experiments.optuna_study import plan_with_trials
from rnnlab.experiments.outcomes import OUTCOMES
from rnnlab.experiments.records import Records, RunRecord
from rnnlab.experiments.store import Store
from rnnlab.experiments.verdicts import judge_claims
from rnnlab.report.figures import search_slices
from rnnlab.report.pages import write_report
from rnnlab.report.search_section import ENOUGH, SearchSection, search_section

CONTENT: dict[str, Any] = {
    "question": "Which settings are best?",
    "base": {"corpus": "timemachine", "num_epochs": 1, "split": [0.8, 0.1, 0.1]},
}


LABEL = OUTCOMES[BEST].label


def limited(settings: Settings) -> float | None:
    """Runs at a learning rate above 0.1 diverge."""
    return None if settings.training.learning_rate > 0.1 else figure(settings)


def searched(folder: Path, count: int, space: dict[str, Any] = SPACE) -> Records:
    plan, store = search_plan(CONTENT, count, space, outcome=BEST), Store(folder)
    go_through(Search(plan, store), limited)
    found = plan_with_trials(plan, folder)
    runs = []
    for run in found.runs:
        outcome = store.outcome(run.id)
        assert outcome is not None
        runs.append(
            RunRecord(run.id, run.variant, 0, outcome["status"], outcomes=outcome["outcomes"])
        )
    return Records(found, runs)


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> Records:
    return searched(tmp_path_factory.mktemp("search"), 40)


@pytest.fixture(scope="module")
def section(records: Records) -> SearchSection:
    section = search_section(records)
    assert section is not None
    return section


@pytest.fixture(scope="module")
def pages(records: Records, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """HTML and Markdown."""
    html, markdown = write_report(records, judge_claims(records), tmp_path_factory.mktemp("pages"))
    return unescape(html.read_text(encoding="utf-8")), markdown.read_text(encoding="utf-8")


def best(records: Records) -> tuple[str, float]:
    figures = [(r.variant, r.outcomes[BEST]) for r in records.runs if r.status == "finished"]
    return min(figures, key=lambda pair: pair[1])


def test_the_best_settings_can_be_trained_with(
    records: Records, section: SearchSection, pages: tuple[str, str], tmp_path: Path
) -> None:
    name, value = best(records)
    finished = sum(run.status == "finished" for run in records.runs)
    sentence = f"The best of {finished} finished trials: {value:.3f} ({LABEL})."
    toml = "\n".join(section.best_settings)
    for page in pages:
        assert sentence in page
        assert toml in page
    (tmp_path / "best.toml").write_text(toml)
    assert Settings.from_toml(tmp_path / "best.toml") == records.plan.variant_settings(name)
    assert "engine" not in tomllib.loads(toml), "settings with their default are left out"


def test_importances_are_in_order(section: SearchSection, pages: tuple[str, str]) -> None:
    html, markdown = pages
    assert {name: values for name, values, _ in section.settings} == {
        "learning_rate": "0.0001 to 1, logarithmic", "hidden_size": "8 to 64",
        "dropout": "0 to 0.9", "cell": "lstm, gru",
    }  # fmt: skip
    shares = [int(importance.removesuffix("%")) for *_, importance in section.settings]
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) == pytest.approx(100, abs=2)
    lines = [" ".join(line.split()) for line in markdown.splitlines()]
    for name, values, importance in section.settings:
        assert f'<th scope="row">{name}</th><td>{values}</td><td>{importance}</td>' in html
        assert f"| {name} | {values} | {importance} |" in lines


def test_every_setting_has_a_plot(
    records: Records, section: SearchSection, pages: tuple[str, str]
) -> None:
    drawn = search_slices(section)
    plots = [ElementTree.fromstring(plot) for plot in drawn]
    name, value = best(records)
    change = next(v.change for v in records.plan.variants if v.name == name)
    assert [plot.attrib["aria-label"].split(": ")[0] for plot in plots] == [
        f"{LABEL} against {setting}; the best" for setting in SPACE
    ]
    assert f"{value:.4g} at {change['hidden_size']}" in plots[1].attrib["aria-label"]
    assert {"lstm", "gru"} <= {text.text for text in plots[3].iter("text")}
    assert all(unescape(plot) in pages[0] for plot in drawn)


def test_few_trials_have_no_importances(tmp_path: Path) -> None:
    section = search_section(searched(tmp_path, 5))
    assert section is not None
    assert f"not shown for fewer than {ENOUGH} finished trials" in section.about_importances
    assert {importance for *_, importance in section.settings} == {""}


def test_there_is_no_section_before_a_trial_has_finished(tmp_path: Path) -> None:
    none = searched(tmp_path, 3, {"learning_rate": {"low": 0.2, "high": 0.5}})
    assert search_section(none) is None
    infinite = [
        RunRecord(run.id, run.variant, 0, "finished", outcomes={BEST: math.inf})
        for run in none.runs
    ]
    assert search_section(Records(none.plan, infinite)) is None
