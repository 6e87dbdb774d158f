"""Hopeless runs end early."""

from pathlib import Path
from statistics import median
from typing import Any

from command_line import made_up_text
from made_up_search import RATE, frozen, make_up, search_plan

from rnnlab.execution.executor import Job, RunEvent
from rnnlab.execution.pruning import Pruning
from rnnlab.execution.search import Search
from rnnlab.execution.single_run import run_one
from rnnlab.experiments.store import Store
from rnnlab.runs.run import Run


def test_the_median_of_finished_runs_decides(content: dict[str, Any], tmp_path: Path) -> None:
    plan, store = search_plan(content, 7, RATE), Store(tmp_path)

    def following(job: Job) -> Pruning:
        assert job.trial is not None
        return Pruning(job.trial, num_evaluations=10)

    with Search(plan, store) as search:
        jobs = search.jobs()
        for offset in range(5):
            job = next(jobs)
            pruning = following(job)
            for evaluation in range(1, 11):
                assert pruning(evaluation / 10, 5 - evaluation / 8 + offset) == ""
            search.record(make_up(job, store, 4.0 + offset))
        slow, bad = next(jobs), next(jobs)
    pruning = following(slow)
    assert pruning(0.1, 99.0) == ""  # no run is pruned in the first fifth of its budget
    assert pruning(0.25, float("nan")) == ""
    assert pruning(0.35, 5 - 3 / 8 + 2) == ""  # the median itself
    # Cut off there and made again: nothing is reported twice, and the decisions are the same.
    pruning = following(slow)
    assert pruning(0.1, 99.0) == pruning(0.35, 5 - 3 / 8 + 2) == ""
    assert pruning(0.45, 5 - 4 / 8 + 2) == ""
    assert pruning(0.5, 99.0).startswith("at 50% of its budget")
    assert following(slow)(0.5, 99.0).startswith("at 50% of its budget")
    pruning = following(bad)
    assert pruning(1.0, 99.0) == ""  # at the end pruning saves nothing
    reason = (
        "at 20% of its budget behind the median of the finished runs: 6.751 held-out bits/character"
    )
    assert pruning(0.2, 5 - 2 / 8 + 2.001) == reason == pruning.reason
    reported = frozen(plan, tmp_path)[5].intermediate_values
    assert reported == {1: 99.0, 3: 6.625, 4: 6.5, 5: 99.0}


def test_hopeless_runs_end_early_by_the_median_rule(
    content: dict[str, Any], tmp_path: Path
) -> None:
    """Real training; every decision against the rule, recomputed from the run directories."""
    space = {
        "learning_rate": {"choices": [0.003, 0.01, 0.03, 1e-9]},
        "hidden_size": {"low": 8, "high": 24},
    }
    text = tmp_path / "short.txt"
    text.write_text(made_up_text(150), encoding="utf-8")
    base = {"corpus": str(text), "num_evaluations": 5, "num_epochs": 2}
    plan, store = search_plan(content, 10, space, base), Store(tmp_path)
    finished: list[list[float]] = []
    pruned: list[Run] = []
    with Search(plan, store) as search:
        for job in search.jobs():
            ended = run_one(job, store.directory(job.id))
            search.record(RunEvent(job, ended.status, ended.reason))
            run = Run.open(store.directory(job.id))
            held_out = [m["bits_per_character"] for m in run.metrics if m["kind"] == "held-out"]
            # From a fifth of the budget on, but not at its end, where pruning saves nothing.
            behind = [
                len(finished) >= 5 and min(held_out[: i + 1]) > median(f[i] for f in finished)
                for i in range(min(4, len(held_out)))
            ]
            if ended.status == "pruned":
                assert behind.index(True) + 1 == len(held_out)
                check_pruned(run, store.outcome(job.id) or {}, ended.reason)
                pruned.append(run)
            else:
                assert not any(behind)
                finished.append(held_out)
    rates = [run.settings.training.learning_rate for run in pruned]
    assert min(rates) == 1e-9
    states = [trial.state.name for trial in frozen(plan, tmp_path)]
    assert states.count("PRUNED") >= len(pruned) >= 2


def check_pruned(run: Run, outcome: dict[str, Any], reason: str) -> None:
    """A run that ended early is complete up to its end, and is not evaluated on the test split."""
    assert (outcome["status"], outcome["reason"]) == ("pruned", reason)
    assert outcome["outcomes"].keys() == {
        "training_perplexity", "tokens_per_second", "training_seconds"
    }  # fmt: skip
    result = run.result
    assert result["training"]["stopped_by"] == reason
    assert result["training"]["epochs"] < 2
    assert result["evaluations"] == []
    assert run.model.generate("The", length=3, temperature=0).startswith("The")
