"""The display of an experiment in progress."""

import io
import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from made_up_records import HELD_OUT, VARIANTS, made_up_plan, made_up_records
from made_up_search import BEST, go_through, search_plan

from rnnlab.data.copies import Copies
from rnnlab.display.experiment import ExperimentDisplay, duration
from rnnlab.display.plain_console import PlainConsole
from rnnlab.execution.executor import Job, RunEvent
from rnnlab.execution.search import Search
from rnnlab.experiments.optuna_study import plan_with_trials
from rnnlab.experiments.records import Records, RunRecord
from rnnlab.experiments.store import Store
from rnnlab.experiments.verdicts import judge_claims


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


def summary_of(records: Records, columns: int = 200) -> str:
    out = io.StringIO()
    console = PlainConsole(file=out, width=columns, highlight=False, soft_wrap=True)
    display = ExperimentDisplay(console=console)
    display.summary(records, judge_claims(records), Path("out"))
    return out.getvalue()


def test_one_seed_ends_in_a_table_and_not_in_verdicts() -> None:
    text = summary_of(made_up_records(made_up_plan(seeds=1, timing=None), points=3))
    assert "NOT SHOWN" not in text
    assert "not enough for a test" not in text
    assert text.count("With one seed, 4 comparisons cannot be tested.") == 1
    rows = {name: line for name, *_ in VARIANTS for line in text.splitlines()
            if line.strip().startswith(name)}  # fmt: skip
    assert len(rows) == len(VARIANTS)
    assert "2.1" in rows["GRU"]


def with_parts(records: Records, **copies: Any) -> Records:
    """The same records, with an n-gram model in the first variant and copies in the text."""
    runs = [
        replace(
            run,
            data={**run.data, "copies": Copies(**{**asdict(NO_COPIES), **copies}).to_dict()},
            parts={HELD_OUT: {"network": 2.25, "ngram": 2.5}} if run.variant == "LSTM" else {},
        )
        for run in records.runs
    ]
    return replace(records, runs=runs)


NO_COPIES = Copies(5000, 0.0, 100, 0.02, 90_000, 90, 0.01)


def test_parts_of_a_mixture_and_copies_are_told_after_the_verdicts() -> None:
    records = made_up_records(made_up_plan(seeds=3), points=3)
    text = summary_of(with_parts(records))
    rows = [line.split() for line in text.splitlines() if "alone" in line]
    assert rows == [
        ["its", "network", "alone", "2.250", "±", "0.000"],
        ["its", "n-gram", "alone", "2.500", "±", "0.000"],
    ]
    assert "copies    0.0% of the characters of the held-out text are in copies from the" in text
    assert "2.0% of its lines are lines of it.\n" in text
    assert "alone" not in summary_of(records)
    assert "copies" not in summary_of(records)


def test_a_quick_version_and_deciding_copies_are_told() -> None:
    records = made_up_records(made_up_plan(seeds=1, timing=None), points=3)
    quick = replace(records, command=f"{records.command} --quick")
    assert (
        "\nnote      Quick version: 1 seed, 100 epochs, to see that everything works. Draw no "
        in (summary_of(quick))
    )
    copied = summary_of(with_parts(records, copied_share=0.34))
    assert "\nnote      34.0% of the characters of the held-out text are in copies" in copied
    assert "lines of it: the figures show what was learned by heart.\n" in copied


def test_several_seeds_end_in_verdicts() -> None:
    text = summary_of(made_up_records(made_up_plan(seeds=3), points=3))
    assert "SUPPORTED: " in text
    assert "With one seed" not in text


def test_a_search_prints_its_winner(content: dict[str, Any], tmp_path: Path) -> None:
    plan, store = search_plan(content, 6, outcome=BEST), Store(tmp_path)
    go_through(Search(plan, store))
    found = plan_with_trials(plan, tmp_path)
    outcomes = {run.id: store.outcome(run.id) or {} for run in found.runs}
    runs = [RunRecord(run.id, run.variant, 0, "finished", outcomes=outcomes[run.id]["outcomes"])
            for run in found.runs]  # fmt: skip
    text = summary_of(Records(found, runs))
    assert "best      The best of 6 finished trials: " in text
    assert "learning_rate = " in text


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (89, "89 s"), (91, "2 min"), (5399, "90 min"), (9000, "2.5 h")],
)
def test_durations(seconds: float, words: str) -> None:
    assert duration(seconds) == words
