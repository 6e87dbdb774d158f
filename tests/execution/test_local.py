"""Runs as processes on this machine, with real training."""

import os
import signal
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from rnnlab.execution import local
from rnnlab.execution.executor import Job
from rnnlab.execution.local import LocalExecutor
from rnnlab.experiments.plan import Plan
from rnnlab.experiments.store import Store
from rnnlab.runs.run import Run


def jobs_of(plan: Plan) -> list[Job]:
    return [Job.of(run, plan, threads=1) for run in plan.runs]


def test_every_run_is_made_once_two_at_a_time(make: Any, tmp_path: Path) -> None:
    plan, store = make(phrases=["The cat"], phrase_length=10, gradient_flow=True), Store(tmp_path)
    events = list(LocalExecutor(store, 2).run(iter(jobs_of(plan))))
    kinds = [event.kind for event in events]
    assert sorted(kinds) == ["finished"] * 4 + ["started"] * 4
    running = 0
    for kind in kinds:
        running += 1 if kind == "started" else -1
        assert 0 <= running <= 2
    for run in plan.runs:
        outcome = store.outcome(run.id)
        assert outcome is not None
        assert set(outcome["outcomes"]) == {
            "training_perplexity", "tokens_per_second", "training_seconds",
            "held_out_bits_per_character", "best_held_out_bits_per_character",
            "validation_bits_per_character", "overfitting_bits_per_character", "prediction_seconds",
            "initial_gradient_decay", "gradient_decay",
        }  # fmt: skip
        (text,) = outcome["texts"]
        assert text.startswith("The cat")
        assert len(text) == len("The cat") + 10
        made = Run.open(store.directory(run.id))
        assert made.settings.model == run.settings.model
        assert made.settings.training.seed == run.seed
        test = next(r for r in made.result["evaluations"] if r["context"] == "carried")
        assert outcome["outcomes"]["best_held_out_bits_per_character"] == pytest.approx(
            next(
                r["bits_per_character"]
                for r in made.result["evaluations"]
                if r["split"] == "test" and r["context"] == "carried"
            )
        )
        assert test["baselines"]


def test_a_diverged_run_has_an_outcome_and_a_failed_run_has_none(make: Any, tmp_path: Path) -> None:
    plan, store = make(seeds=1), Store(tmp_path)
    good, other = jobs_of(plan)
    diverging = replace(
        other, settings=good.settings.with_changes(optimizer="sgd", learning_rate=1e30, clip_norm=0)
    )
    missing = replace(good, id="gone", settings=good.settings.with_changes(corpus="nowhere.txt"))
    events = {
        event.job.id: event
        for event in LocalExecutor(store, 1).run(iter([diverging, missing, good]))
        if event.kind != "started"
    }
    assert events[diverging.id].kind == "diverged"
    assert events[diverging.id].detail.startswith("training diverged at step ")
    assert store.ended(diverging.id) is not None
    assert events["gone"].kind == "failed"
    assert events["gone"].detail.startswith("corpus 'nowhere.txt' is neither a named corpus nor")
    assert store.ended("gone") is None
    assert events[good.id].kind == "finished"


def test_a_killed_worker_fails_only_its_own_run(make: Any, tmp_path: Path) -> None:
    plan, store = make(seeds=1), Store(tmp_path)
    long, short = jobs_of(plan)
    long = replace(long, settings=long.settings.with_changes(num_epochs=10**6))
    executor = LocalExecutor(store, 1)
    kinds = []
    for event in executor.run(iter([long, short])):
        kinds.append((event.job.id, event.kind))
        if event.kind == "started" and event.job is long:
            (process,) = [process for _, process in executor._busy.values()]
            os.kill(process.pid or 0, signal.SIGKILL)
        if event.kind == "failed":
            assert event.detail == "its process ended with signal 9; was there enough memory?"
    assert kinds == [
        (long.id, "started"), (long.id, "failed"), (short.id, "started"), (short.id, "finished"),
    ]  # fmt: skip


def test_closing_the_iterator_ends_the_workers(make: Any, tmp_path: Path) -> None:
    plan, store = make(seeds=1), Store(tmp_path)
    endless = [
        replace(job, settings=job.settings.with_changes(num_epochs=10**6)) for job in jobs_of(plan)
    ]
    executor = LocalExecutor(store, 2)
    events = executor.run(iter(endless))
    assert [next(events).kind, next(events).kind] == ["started", "started"]
    processes = [process for _, process in executor._busy.values()]
    events.close()  # type: ignore[attr-defined]
    assert [process.is_alive() for process in processes] == [False, False]
    assert all(store.ended(job.id) is None for job in endless)


def test_a_run_claimed_by_another_process_is_skipped(make: Any, tmp_path: Path) -> None:
    plan, store = make(seeds=1), Store(tmp_path)
    mine, others = jobs_of(plan)
    with store.claim(others.id):
        ended = {
            event.job.id: event.kind
            for event in LocalExecutor(store, 1).run(iter([others, mine]))
            if event.kind != "started"
        }
    assert ended == {others.id: "elsewhere", mine.id: "finished"}
    assert store.ended(others.id) is None


def test_without_a_forkserver_each_run_gets_a_new_interpreter(
    make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows has neither a forkserver nor signal masks."""
    monkeypatch.setattr(local, "HAS_FORKSERVER", False)
    monkeypatch.setattr(local, "PROCESSES", get_context("spawn"))
    monkeypatch.delattr(signal, "pthread_sigmask")
    plan, store = make(seeds=1), Store(tmp_path)
    job = Job.of(plan.runs[0], plan, threads=1)
    events = list(LocalExecutor(store, 1).run(iter([job])))
    assert [event.kind for event in events] == ["started", "finished"]
    assert store.ended(job.id)
