"""Searches with made-up runs: each outcome.json has a figure computed from the settings."""

import json
import math
import subprocess
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Literal

import optuna
from quick_workers import use_server_of_tests

from rnnlab.config import Settings
from rnnlab.execution.executor import Job, RunEvent
from rnnlab.execution.local import LocalExecutor
from rnnlab.execution.search import Search
from rnnlab.experiments.optuna_study import JOURNAL, study_name
from rnnlab.experiments.plan import Plan, make_plan
from rnnlab.experiments.store import OUTCOME, Store
from rnnlab.files import write_json
from rnnlab.signals import forked_before_computing

BEST = "validation_bits_per_character"

RATE: dict[str, Any] = {"learning_rate": {"low": 1e-4, "high": 1.0, "log": True}}
SPACE: dict[str, Any] = RATE | {
    "hidden_size": {"low": 8, "high": 64},
    "dropout": {"low": 0.0, "high": 0.9},
    "cell": {"choices": ["lstm", "gru"]},
}


def search_plan(
    content: dict[str, Any],
    count: int,
    settings: dict[str, Any] = SPACE,
    base: dict[str, Any] | None = None,
    seeds: object = 1,
    **more: Any,
) -> Plan:
    """Return the plan of a search, from the content of the small experiment."""
    content = {key: value for key, value in content.items() if key != "grid"}
    content["base"] = content["base"] | (base or {})
    content["search"] = {"settings": settings, "count": count, **more}
    content["seeds"] = seeds
    return make_plan(content, "small", "experiment.toml")


def figure(settings: Settings) -> float:
    """Return a figure that is best at learning rate 0.01, 40 units and no dropout, for any cell."""
    return (
        abs(math.log10(settings.training.learning_rate) + 2)
        + abs(settings.model.hidden_size - 40) / 40
        + settings.model.dropout
    )


def make_up(job: Job, store: Store, value: float | None) -> RunEvent:
    """End a run with a figure, or as diverged."""
    kind: Literal["finished", "diverged"] = "diverged" if value is None else "finished"
    outcomes = {} if value is None else {BEST: value, "tokens_per_second": value}
    store.directory(job.id).mkdir(parents=True)
    content = {"format": 1, "status": kind, "reason": "", "outcomes": outcomes}
    write_json(store.directory(job.id) / OUTCOME, content)
    return RunEvent(job, kind)


def go_through(
    search: Search, figure: Callable[[Settings], float | None] = figure, count: int | None = None
) -> list[Job]:
    """Make up the runs of a search one after the other, `count` of them or all."""
    made: list[Job] = []
    with search:
        for job in search.jobs():
            search.record(make_up(job, search.store, figure(job.settings)))
            made.append(job)
            if len(made) == count:
                break
    return made


def frozen(plan: Plan, folder: Path) -> list[optuna.trial.FrozenTrial]:
    """Return the trials of a search, read by Optuna's own journal backend."""
    backend = optuna.storages.journal.JournalFileBackend(str(folder / JOURNAL))
    storage = optuna.storages.JournalStorage(backend)
    return optuna.load_study(study_name=study_name(plan), storage=storage).get_trials()


def told(plan: Plan, folder: Path) -> list[tuple[dict[str, Any], float | None]]:
    """Return settings and figures of all trials except suggestions that were cut off."""
    trials = frozen(plan, folder)
    assert {trial.state.name for trial in trials} <= {"COMPLETE", "FAIL"}
    return [(trial.params, trial.value) for trial in trials if trial.state.name == "COMPLETE"]


HEAD = """
import json, math, sys, time
from pathlib import Path
from rnnlab.files import write_json
from rnnlab.execution.executor import RunEvent
from rnnlab.experiments.plan import make_plan
from rnnlab.execution.search import Search
from rnnlab.experiments.store import Store

folder = Path(sys.argv[1])
store, plan = Store(folder), make_plan(json.loads(sys.argv[2]), "small", "file")
"""

MAKE_UP = """
with Search(plan, store) as search:
    for job in search.jobs():
        with store.claim(job.id) as is_ours, (folder / "made").open("a") as log:
            assert is_ours and not store.ended(job.id)
            store.remove_run(job.id)
            store.directory(job.id).mkdir(parents=True)
            time.sleep(0.03)
            value = abs(math.log10(job.settings.training.learning_rate) + 2)
            write_json(
                store.directory(job.id) / "outcome.json",
                {"format": 1, "status": "finished", "reason": "",
                 "outcomes": {"validation_bits_per_character": value}},
            )
            print(job.id, file=log)
        search.record(RunEvent(job, "finished"))
assert "torch" not in sys.modules
"""
"""Program: run a search with made-up runs that take some time; FOLDER/made lists their ids."""


def train(folder: Path, plan: Plan, sender: Connection) -> None:
    """Run a search with real training, in a forked process; sends the ids of its runs."""
    forked_before_computing()
    use_server_of_tests()
    store, started = Store(folder), []
    with Search(plan, store) as search:
        for event in LocalExecutor(store, 1).run(search.jobs()):
            search.record(event)
            assert event.kind in ("started", "finished"), event
            if event.kind == "started":
                started.append(event.job.id)
    sender.send(started)


def process(folder: Path, plan: Plan, work: str) -> subprocess.Popen[str]:
    """Start a process that joins a search."""
    assert plan.settings.search is not None
    content = {
        "question": "?",
        "seeds": list(plan.settings.seeds),
        "base": plan.settings.base,
        "search": plan.settings.search.model_dump(mode="json"),
    }
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", HEAD + work, folder, json.dumps(content)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
