"""Searches by several processes, some of which are killed."""

import random
import subprocess
import sys
from pathlib import Path
from typing import Any

from command_line import made_up_text
from interrupted import PROCESSES, ended_well
from made_up_search import BEST, MAKE_UP, RATE, frozen, process, search_plan, told, train

from rnnlab.experiments.optuna_study import JOURNAL, read_trials
from rnnlab.experiments.store import Store


def test_several_processes_make_exactly_count_runs_and_none_twice(
    content: dict[str, Any], tmp_path: Path
) -> None:
    plan = search_plan(content, 24, RATE)
    for worker in [process(tmp_path, plan, MAKE_UP) for _ in range(2)]:
        output = worker.communicate(timeout=120)
        assert (worker.returncode, output) == (0, ("", ""))
    made = (tmp_path / "made").read_text().split()
    assert len(made) == len(set(made)) == 24
    assert len(told(plan, tmp_path)) == len(frozen(plan, tmp_path)) == 24


def test_a_killed_search_ends_like_an_undisturbed_one(
    content: dict[str, Any], tmp_path: Path
) -> None:
    plan = search_plan(content, 14, RATE)
    undisturbed, disturbed = tmp_path / "undisturbed", tmp_path / "disturbed"
    undisturbed.mkdir()
    disturbed.mkdir()
    journal = disturbed / JOURNAL
    journal.touch()
    moments = random.Random(5)
    for _ in range(3):
        worker = process(disturbed, plan, MAKE_UP)
        size = journal.stat().st_size + moments.randrange(200, 2500)  # within about two trials
        while journal.stat().st_size < size:
            assert worker.poll() is None
        worker.kill()
        worker.communicate()
    for folder in (disturbed, undisturbed):
        worker = process(folder, plan, MAKE_UP)
        output = worker.communicate(timeout=120)
        assert (worker.returncode, output) == (0, ("", ""))
    made = (disturbed / "made").read_text().split()
    assert len(made) == len(set(made)) == 14
    assert told(plan, disturbed) == told(plan, undisturbed)


def test_processes_that_train_share_a_search(content: dict[str, Any], tmp_path: Path) -> None:
    text = tmp_path / "short.txt"
    text.write_text(made_up_text(150), encoding="utf-8")
    plan = search_plan(content, 5, RATE, {"corpus": str(text), "sample_length": 0})
    started: list[str] = []
    receiver, sender = PROCESSES.Pipe(duplex=False)
    workers = [PROCESSES.Process(target=train, args=(tmp_path, plan, sender)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        assert ended_well(worker)
        started += receiver.recv()
    assert len(started) == len(set(started)) == 5
    for trial, read in zip(frozen(plan, tmp_path), read_trials(plan, tmp_path), strict=True):
        outcome = Store(tmp_path).outcome(read.run(plan).id)
        assert outcome is not None
        assert trial.value == outcome["outcomes"][BEST]
        assert trial.intermediate_values.keys() == {1}  # of two evaluations: the last is the end


def test_without_optuna_the_error_says_what_to_install() -> None:
    code = """
import sys
sys.modules["optuna"] = None
from rnnlab.errors import UnavailableError
try:
    import rnnlab.execution.search
except UnavailableError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == (
        "search needs the package optuna; install it with pip install 'rnnlab[search]'\n"
    )
    assert done.stderr == ""
