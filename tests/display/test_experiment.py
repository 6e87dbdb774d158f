"""The display of an experiment in progress."""

import io
import json
from pathlib import Path
from typing import Any

import pytest

from rnnlab.console import PlainConsole
from rnnlab.display.experiment import ExperimentDisplay, duration
from rnnlab.execution.executor import Job, RunEvent
from rnnlab.experiments.store import Store


def test_without_a_terminal_each_run_gets_a_line(make: Any, tmp_path: Path) -> None:
    plan, out = make(), io.StringIO()
    progress = ExperimentDisplay(
        console=PlainConsole(file=out, width=200, highlight=False, soft_wrap=True)
    )
    jobs = [Job.of(run, plan, 1) for run in plan.runs]
    progress.begin(plan, Store(tmp_path), 4, {jobs[0].id}, 2)
    progress.event(RunEvent(jobs[1], "started", "here"))
    progress.event(RunEvent(jobs[1], "diverged", "training diverged at step 3"))
    progress.event(RunEvent(jobs[2], "failed", "Traceback\nRuntimeError: no"))
    progress.event(RunEvent(jobs[3], "elsewhere"))
    progress.end()
    lines = out.getvalue().splitlines()
    assert lines[:2] == [
        "question  Does a GRU learn more than an LSTM?",
        "runs      2 variants x 2 seeds = 4 runs, 1 of them done before; 2 at once",
    ]
    assert lines[3].startswith("    [1/3] diverged cell=gru, seed 0: training diverged at step 3, ")
    assert lines[4].startswith("    [2/3] failed cell=lstm, seed 1: RuntimeError: no")
    assert lines[5] == "          cell=gru, seed 1: another process is making it"


def test_the_live_table_shows_the_progress_of_each_run(make: Any, tmp_path: Path) -> None:
    plan, out, store = make(), io.StringIO(), Store(tmp_path)
    console = PlainConsole(file=out, width=100, force_terminal=True, color_system=None)
    progress = ExperimentDisplay(console=console)
    job = Job.of(plan.runs[3], plan, 1)
    progress.begin(plan, store, 4, {plan.runs[0].id, plan.runs[1].id}, 2)
    progress.event(RunEvent(job, "started", "here"))
    directory = store.directory(job.id)
    directory.mkdir(parents=True)
    held_out = json.dumps({"kind": "held-out", "step": 4})
    (directory / "metrics.jsonl").write_text(f'{{"progress": 0.37}}\n{held_out}\n{{"progr')
    shown = PlainConsole(file=io.StringIO(), width=100)
    shown.print(progress._table())
    text = shown.file.getvalue()  # type: ignore[attr-defined]
    progress.end()
    assert [" ".join(line.split()) for line in text.splitlines() if "cell=" in line] == [
        "cell=lstm 1/2",
        "cell=gru 1/2 seed 1, 37%",
    ]
    assert "0 of 2 runs done, unknown time left" in text


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (89, "89 s"), (91, "2 min"), (5399, "90 min"), (9000, "2.5 h")],
)
def test_durations(seconds: float, words: str) -> None:
    assert duration(seconds) == words
