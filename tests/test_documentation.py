"""The pages about experiments list what the code has."""

import json
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


def test_the_keys_of_a_run_s_files_are_explained(trained: tuple[Path, str]) -> None:
    run = trained[0]
    page = (DOCS / "reference" / "run-directory.md").read_text(encoding="utf-8")
    _, metrics, result = page.split("\n## ")
    train, held_out = metrics.split("One of the kind")
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    for kind, text in (("train", train), ("held-out", held_out)):
        keys = next(line.keys() for line in lines if line["kind"] == kind)
        assert first_column(text, "key") == list(keys)
    optional = {"bits_per_character_quantiles", "start"}
    content = json.loads((run / "result.json").read_text())
    assert [key for key in first_column(result, "key") if key not in optional] == list(content)
    assert set(re.findall(r"`([^`]+)`", result)) >= {"stopped_by", *content["data"]}
    files = {Path(name).parts[0] for name in first_column(page, "file")}
    assert {file.name for file in run.iterdir()} <= files


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
