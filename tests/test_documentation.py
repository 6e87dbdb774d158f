"""The pages about experiments list what the code has."""

import re
from pathlib import Path
from typing import get_args

import pytest

from rnnlab.execution.ray_cluster import ENVIRONMENT, MAX_RETRIES, PATIENCE
from rnnlab.experiments.archive import ARCHIVE, TEXTS, TIMING
from rnnlab.experiments.claims import ComparisonSettings
from rnnlab.experiments.folder import FILE
from rnnlab.experiments.optuna_study import JOURNAL
from rnnlab.experiments.outcomes import OUTCOMES
from rnnlab.experiments.settings import ExperimentSettings

DOCS = Path(__file__).parents[1] / "docs"
HOW_TO, FOLDER, VERDICTS, CLUSTER = (
    (DOCS / f"{page}.md").read_text(encoding="utf-8")
    for page in (
        "how-to/experiments", "reference/experiment-folder", "explanation/verdicts",
        "how-to/cluster",
    )
)  # fmt: skip


def first_column(page: str, header: str) -> list[str]:
    """The names in the first column of the table of a page that begins with `header`."""
    rows = page.partition(f"| {header} |")[2].partition("\n\n")[0].splitlines()[2:]
    return [name for row in rows for name in re.findall(r"`([^`]+)`", row.split("|")[1])]


@pytest.mark.parametrize(
    ("page", "header", "names"),
    [
        (HOW_TO, "key", ExperimentSettings.model_fields),
        (FOLDER, "name", OUTCOMES),
        (
            FOLDER, "file",
            [FILE, "cells/", "runs/ID/", ARCHIVE, TEXTS, JOURNAL, "search.lock", TIMING,
             "failures/ID.txt", "report.html", "report.md"],
        ),
    ],
)  # fmt: skip
def test_tables_are_complete(page: str, header: str, names: list[str]) -> None:
    assert sorted(first_column(page, header)) == sorted(names)


def test_every_expectation_is_explained() -> None:
    verdicts = VERDICTS.partition("\n## ")[0]
    listed = re.findall(r"^- ((?:`[a-z ]+`(?:, )?)+):", verdicts, flags=re.MULTILINE)
    explained = [name for names in listed for name in re.findall("`([^`]+)`", names)]
    expectations = get_args(ComparisonSettings.model_fields["expect"].annotation)
    assert sorted(explained) == sorted(expectations)
    comment = re.search(r"expect = \"equivalent\" +# (.*)", HOW_TO)
    assert comment
    assert sorted(comment[1].split(", ")) == sorted(expectations)


def test_what_is_compared_by_ratio_is_named() -> None:
    ratios = {name for name, outcome in OUTCOMES.items() if outcome.is_ratio}
    assert all("perplexity" in name or "second" in name for name in ratios)
    others = OUTCOMES.keys() - ratios
    assert not [name for name in others if "perplexity" in name or "second" in name]


def test_the_cluster_s_variables_and_retries_are_those_of_the_code() -> None:
    assert MAX_RETRIES == 3
    assert "up to three times for each run" in CLUSTER
    for name, value in (ENVIRONMENT | PATIENCE).items():
        assert f"`{name}={value}`" in CLUSTER
