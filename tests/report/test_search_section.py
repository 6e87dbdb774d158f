"""What a report says of a search."""

import math
import re
import tomllib
from html import unescape
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from made_up_search import BEST, SPACE, figure, go_through, search_plan

from rnnlab.config import Settings
from rnnlab.execution.search import Search
from rnnlab.experiments.outcomes import OUTCOMES
from rnnlab.experiments.records import Records, RunRecord
from rnnlab.experiments.searched import searched_plan
from rnnlab.experiments.store import Store
from rnnlab.report.content import Section
from rnnlab.report.search_section import ENOUGH, search_sections

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
    found = searched_plan(plan, folder)
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
def section(records: Records) -> Section:
    (section,) = search_sections(records)
    return section


def best(records: Records) -> tuple[str, float]:
    figures = [(r.variant, r.outcomes[BEST]) for r in records.runs if r.status == "finished"]
    return min(figures, key=lambda pair: pair[1])


def test_the_best_settings_can_be_trained_with(
    records: Records, section: Section, tmp_path: Path
) -> None:
    name, value = best(records)
    finished = sum(run.status == "finished" for run in records.runs)
    sentence = f"The best of {finished} finished trials: {value:.3f} ({LABEL})."
    assert sentence in section.html
    assert sentence in section.markdown
    toml = re.findall(r"```toml\n(.*?)```", section.markdown, re.DOTALL)[0]
    (tmp_path / "best.toml").write_text(toml)
    assert Settings.from_toml(tmp_path / "best.toml") == records.plan.variant_settings(name)
    assert "engine" not in tomllib.loads(toml), "what has its default is left out"
    assert toml.strip() in unescape(section.html)


def test_importances_are_in_order(section: Section) -> None:
    table = section.markdown.split("|---|---|---|\n")[1]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()]
    assert {row[0]: row[1] for row in rows} == {
        "learning_rate": "0.0001 to 1, logarithmic", "hidden_size": "8 to 64",
        "dropout": "0 to 0.9", "cell": "lstm, gru",
    }  # fmt: skip
    shares = [int(row[2].removesuffix("%")) for row in rows]
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) == pytest.approx(100, abs=2)
    assert '<th scope="row">learning_rate</th>' in section.html


def test_there_is_a_plot_a_setting(records: Records, section: Section) -> None:
    root = ElementTree.fromstring(f"<div>{section.html}</div>")
    plots = list(root.iter("svg"))
    name, value = best(records)
    change = next(v.change for v in records.plan.variants if v.name == name)
    assert [plot.attrib["aria-label"].split(": ")[0] for plot in plots] == [
        f"{LABEL} against {setting}; the best" for setting in SPACE
    ]
    assert f"{value:.4g} at {change['hidden_size']}" in plots[1].attrib["aria-label"]
    assert {"lstm", "gru"} <= {text.text for text in plots[3].iter("text")}


def test_few_trials_have_no_importances(tmp_path: Path) -> None:
    (section,) = search_sections(searched(tmp_path, 5))
    assert f"not shown for fewer than {ENOUGH} finished trials" in section.markdown
    assert "%" not in section.markdown


def test_nothing_is_said_before_a_trial_has_finished(tmp_path: Path) -> None:
    none = searched(tmp_path, 3, {"learning_rate": {"low": 0.2, "high": 0.5}})
    assert search_sections(none) == []
    infinite = [
        RunRecord(run.id, run.variant, 0, "finished", outcomes={BEST: math.inf})
        for run in none.runs
    ]
    assert search_sections(Records(none.plan, infinite)) == []
