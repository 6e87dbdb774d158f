"""A whole experiment is killed many times; nothing is lost and no run is made twice."""

import json
import os
import random
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from command_line import Cli
from interrupted import PROCESSES
from quick_workers import run_in_group_of_parent, use_server_of_tests

from rnnlab.cli import main
from rnnlab.experiments.outcomes import OUTCOMES
from rnnlab.experiments.plan import read_plan

pytestmark = pytest.mark.usefixtures("quick_workers")

KILLS = int(os.environ.get("RNNLAB_KILLS", "4"))
RUNS = 12


def ended(folder: Path) -> list[Path]:
    """The outcome of each run that has ended."""
    return sorted(folder.glob("runs/*/outcome.json"))


def command(file: Path) -> None:
    """Run the command in a group of its own; torch was imported before this process forked."""
    os.setpgid(0, 0)
    use_server_of_tests(run_in_group_of_parent)
    main(["experiment", str(file), "--quiet"])


def outcomes(folder: Path) -> dict[str, dict[str, Any]]:
    """The outcomes of each run, except for timings."""
    found = {}
    for file in ended(folder):
        content = json.loads(file.read_text())
        timed = {name for name, outcome in OUTCOMES.items() if outcome.timed}
        kept = {name: v for name, v in content["outcomes"].items() if name not in timed}
        weights = (file.parent / "checkpoint" / "last" / "model.safetensors").read_bytes()
        found[file.parent.name] = {"outcomes": kept, "texts": content["texts"], "weights": weights}
    return found


@pytest.mark.parametrize("moments", [random.Random(4)], ids=["seed-4"])
def test_killed_experiments_end_with_the_same_results(
    cli: Cli, content: dict[str, Any], tmp_path: Path, moments: random.Random
) -> None:
    content |= {"seeds": 6, "phrases": ["The cat"], "phrase_length": 20}
    for name in ("undisturbed", "killed"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "experiment.toml").write_text(tomli_w.dumps(content))
    undisturbed, killed = tmp_path / "undisturbed", tmp_path / "killed"
    began = time.monotonic()
    assert cli("experiment", str(undisturbed / "experiment.toml")).returncode == 0
    whole = time.monotonic() - began

    made: dict[str, int] = {}
    in_the_middle = 0
    for _ in range(KILLS):
        process = PROCESSES.Process(target=command, args=(killed / "experiment.toml",))
        process.start()
        assert process.pid
        while process.is_alive() and os.getpgid(process.pid) != process.pid:
            time.sleep(0.001)  # until it leads a group that can be killed
        # Wait until no, one or two more runs have ended, then for any part of the next ones.
        target = len(made) + moments.choice([0, 0, 1, 1, 2])
        while len(ended(killed)) < target and process.is_alive():
            time.sleep(0.01)
        time.sleep(moments.uniform(0, whole / RUNS))
        with suppress(ProcessLookupError):  # it may just have ended
            # Kill all its processes, or only the main one.
            kill = moments.choice([os.kill, os.killpg])
            kill(process.pid, signal.SIGKILL)
        process.join()
        in_the_middle += process.exitcode == -signal.SIGKILL
        for file in ended(killed):
            # A run that was made twice would have another outcome file.
            assert made.setdefault(file.parent.name, file.stat().st_ino) == file.stat().st_ino
    assert in_the_middle >= KILLS // 2
    last = cli("experiment", str(killed / "experiment.toml"))
    assert last.returncode == 0, last.stderr
    for name, number in made.items():
        assert (killed / "runs" / name / "outcome.json").stat().st_ino == number

    expected = outcomes(undisturbed)
    assert len(expected) == RUNS
    assert set(expected) == {run.id for run in read_plan(killed / "experiment.toml").runs}
    assert outcomes(killed) == expected
