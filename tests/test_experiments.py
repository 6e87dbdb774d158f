"""Every experiment file that ships can be planned; the lab report's holds the report's own data."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from command_line import Cli

from rnnlab.config import read_toml
from rnnlab.experiments.folder import SHIPPED, find_shipped
from rnnlab.experiments.plan import Plan, make_plan, read_plan
from rnnlab.experiments.settings import apply_quick

REPORT = Path(__file__).parents[2] / "shared" / "lab_report.toml"


FILES = [*SHIPPED.glob("*.toml"), *Path(__file__).parents[1].glob("experiments/*/experiment.toml")]


@pytest.mark.parametrize("file", sorted(FILES), ids=lambda file: f"{file.parent.name}-{file.stem}")
def test_it_can_be_planned_in_both_sizes(file: Path) -> None:
    full = read_plan(file)
    small = make_plan(apply_quick(read_toml(file)), file.stem, str(file))
    assert len(full.settings.seeds) * max(1, len(full.texts)) >= 6
    assert 0 < len(small.runs) < len(full.runs)
    assert len({run.id for run in full.runs}) == len(full.runs)


@pytest.fixture(scope="module")
def plan() -> Plan:
    return read_plan(find_shipped("lab-report"))


def test_each_row_runs_twice_on_its_own_engine_and_on_native(plan: Plan) -> None:
    rows = [v for v in plan.variants if v.group == "The rows of the report"]
    assert len(rows) == 11
    for row in rows:
        own = plan.variant_settings(row.name).flat()
        native = plan.variant_settings(f"{row.name}, native").flat()
        assert own["engine"] in ("builtin", "textbook")
        assert {**own, "engine": "native"} == native
        assert set(row.reported) == {
            "training_perplexity", "tokens_per_second", "training_seconds", "prediction_seconds",
        }  # fmt: skip


def test_the_protocol_is_the_reports_and_what_it_lacked_is_held_out(plan: Plan) -> None:
    base = plan.base.flat()
    assert base["split"] == (10000, 5000, 0)
    assert (base["num_epochs"], base["batch_size"], base["num_steps"]) == (500, 32, 35)
    assert (base["optimizer"], base["learning_rate"], base["clip_norm"]) == ("sgd", 1.0, 1.0)
    assert (base["hidden_size"], base["input"], base["batching"]) == (256, "one-hot", "sequential")


def test_all_eight_claims_are_put_to_the_test(plan: Plan) -> None:
    numbers = [claim.text.split(".")[0].split(",")[0] for claim in plan.claims]
    assert sorted(set(numbers)) == list("12345678")


@pytest.mark.skipif(not REPORT.is_file(), reason="the report's data is not part of the project")
def test_rows_figures_phrases_and_claims_are_those_of_the_report(plan: Plan) -> None:
    report = tomllib.loads(REPORT.read_text(encoding="utf-8"))
    variants = {variant.name: variant for variant in plan.variants}
    names = {
        "perplexity": "training_perplexity", "tokens_per_second": "tokens_per_second",
        "train_seconds": "training_seconds", "predict_seconds": "prediction_seconds",
    }  # fmt: skip
    for row in report["row"]:
        variant = variants[row["name"]]
        assert variant.reported == {names[key]: value for key, value in row["reported"].items()}
        change: dict[str, Any] = {
            "engine": "builtin" if row["code"] == "concise" else "textbook",
            **({"init": "normal"} if row["code"] == "scratch" else {}),
            **row.get("change", {}),
        }
        assert variant.change == change
    assert list(plan.settings.phrases) == report["defaults"]["phrases"]
    claims = [claim.text.split(" ", 1)[1] for claim in plan.claims if claim.text[1] == "."]
    assert claims == [claim["text"] for claim in report["claim"]]


@pytest.mark.usefixtures("quick_workers")
def test_the_lab_report_is_run_and_written_up(cli: Cli, tmp_path: Path) -> None:
    """All of it at its smallest, on a text that is always available."""
    content = read_toml(find_shipped("lab-report"))
    content["phrase_length"] = 5
    content["base"] |= {
        "corpus": "python-reference", "num_evaluations": 1, "sample_length": 0, "hidden_size": 16,
        "split": [4000, 1000, 0],
    }  # fmt: skip
    for variant in content["variant"]:
        if "hidden_size" in variant["change"]:
            variant["change"]["hidden_size"] = 32
    content["quick"] = {"seeds": 1, "num_epochs": 1, "timing": {"rounds": 1, "seconds": 0.01}}
    file = tmp_path / "experiment.toml"
    file.write_text(tomli_w.dumps(content), encoding="utf-8")
    done = cli("experiment", str(file), "--quick")
    assert done.returncode == 0, done.stderr
    assert "runs      36 finished" in done.stdout
    report = (tmp_path / "quick" / "report.md").read_text(encoding="utf-8")
    for variant in content["variant"]:
        assert variant["name"] in report
    for claim in content["claim"]:
        # One seed can show nothing about them.
        assert claim["text"].split(". ", 1)[1][:30] not in report
    for figure in ("298,764", "28,158", "0.3679", "165.3"):  # reported
        assert figure in report
    assert "the time traveller tells the narrator" in report
