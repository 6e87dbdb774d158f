"""What rnnlab 0.1.0 wrote is still read, evaluated, diagnosed and resumed."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from command_line import Cli
from safetensors.torch import load_file

import rnnlab
from rnnlab.experiments.plan import read_plan
from rnnlab.experiments.store import Store
from rnnlab.runs.files import state_files
from rnnlab.runs.run import Run
from rnnlab.runs.state_saver import newest_state

HERE = Path(__file__).parent / "made_by_0_1"
TEXT = HERE / "fable.txt"


@pytest.fixture
def old(tmp_path: Path) -> Path:
    return shutil.copytree(HERE, tmp_path / "old")


def weights(run: Path) -> dict[str, torch.Tensor]:
    return load_file(run / "checkpoint" / "last" / "model.safetensors")


def keys(content: object, place: str = "") -> set[str]:
    """Every key of nested JSON objects, with the keys around it."""
    if not isinstance(content, dict):
        return set()
    inner = (keys(value, f"{place}{key}.") for key, value in content.items())
    return {f"{place}{key}" for key in content}.union(*inner)


def test_runs_are_read() -> None:
    finished, stopped = Run.open(HERE / "finished"), Run.open(HERE / "stopped")
    assert finished.settings.flat().keys() == set(finished.settings.names())
    assert (finished.settings.model.hidden_size, finished.settings.training.num_epochs) == (4, 2)
    assert finished.result["training"]["steps"] == 108
    assert stopped.result["training"]["stopped_by"] == "SIGINT"
    assert [line["kind"] for line in finished.metrics].count("held-out") == 3
    assert len(finished.metrics) == 9
    assert "validation, carried: 2.961 bits/character" in repr(finished)
    assert newest_state(stopped.directory).facts.trainer.counters.step == 54


def test_models_generate_and_are_evaluated(cli: Cli) -> None:
    written = rnnlab.load(HERE / "finished").generate("The", length=20, temperature=0)
    assert len(written) == 23
    done = cli("evaluate", str(HERE / "finished"), "--text", str(TEXT), "--json")
    assert done.returncode == 0, done.stderr
    assert "baselines left out" in done.stderr, "the text is not where it was"
    records = json.loads(done.stdout)["evaluations"]
    assert [record["characters"] for record in records] == [2450, 2450]
    assert 2 < records[0]["bits_per_character"] < 4


def test_runs_are_diagnosed(cli: Cli) -> None:
    for name in ("finished", "stopped"):
        done = cli("doctor", str(HERE / name), "--json")
        assert done.returncode == 0, done.stderr
        assert "the training text is not available" in done.stdout


def test_an_interrupted_run_is_resumed(cli: Cli, old: Path) -> None:
    """It ends where the run that was not interrupted had ended, and has the same files."""
    run, finished = old / "stopped", old / "finished"
    done = cli(
        *("train", "--resume", str(run), "--corpus", str(TEXT)),
        *("--num-epochs", "2", "--num-evaluations", "3"),
    )
    assert done.returncode == 0, done.stderr
    assert "resumed   from step 54, 50% of the budget\n" in done.stdout
    assert weights(run).keys() == weights(finished).keys()
    for name, tensor in weights(finished).items():  # another machine has other last bits
        torch.testing.assert_close(weights(run)[name], tensor, rtol=1e-3, atol=1e-4)
    result, before = Run.open(run).result, Run.open(finished).result
    assert keys(before) <= keys(result)
    for record, was in zip(result["evaluations"], before["evaluations"], strict=True):
        for name in ("xz", "bzip2"):  # left out of so short a text now
            del was["baselines"][name]
        assert keys(was) <= keys(record)
        assert record["nats_per_token"] == pytest.approx(was["nats_per_token"], rel=1e-3)
        vocabulary = was["baselines"]["uniform"]["perplexity"]
        assert record["baselines"]["uniform"]["perplexity"] == pytest.approx(vocabulary)
    assert cli("doctor", str(run)).returncode == 0
    done = cli("evaluate", str(run), "--json")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_finished_run_is_given_a_larger_budget(old: Path) -> None:
    steps = int(state_files(old / "finished")[0].stem)
    run = rnnlab.train(resume=old / "finished", corpus=str(TEXT), num_epochs=3, quiet=True)
    assert run.result["training"]["resumed_at"] == [steps]
    assert run.result["training"]["epochs"] == 3


def test_an_experiment_keeps_its_runs_and_its_report(cli: Cli, old: Path) -> None:
    folder = old / "experiment"
    plan = read_plan(folder / "experiment.toml")
    runs = json.loads((folder / "records.json").read_text())["runs"]
    assert [run.id for run in plan.runs] == [run["id"] for run in runs]
    (run,) = (folder / "runs").iterdir()
    ended = Store(folder).ended(run.name)
    assert ended is not None
    assert ended.status == "finished"
    report = folder / "report.md"
    before = report.read_text()
    shutil.rmtree(folder / "runs")  # a report needs the records only
    assert cli("report", str(folder)).returncode == 0
    assert figures(report.read_text()) == figures(before)


def figures(report: str) -> list[str]:
    """The cells of the tables of a report that are numbers."""
    cells = [cell.strip() for line in report.splitlines() for cell in line.split("|")]
    return [cell for cell in cells if cell[:1].isdigit()]
