"""Searches whose runs are made up: an outcome.json with a figure that is known for all settings."""

import json
import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import optuna

from rnnlab.config import Settings
from rnnlab.execution.executor import Job, RunEvent
from rnnlab.execution.search import Search
from rnnlab.experiments.optuna_study import JOURNAL, study_name
from rnnlab.experiments.plan import Plan, make_plan
from rnnlab.experiments.store import OUTCOME, Store
from rnnlab.files import write_json

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
    """The small experiment's content as a search."""
    content = {key: value for key, value in content.items() if key != "grid"}
    content["base"] = content["base"] | (base or {})
    content["search"] = {"settings": settings, "count": count, **more}
    content["seeds"] = seeds
    return make_plan(content, "small", "experiment.toml")


def figure(settings: Settings) -> float:
    """Best at learning rate 0.01, 40 units, without dropout, whatever the cell."""
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
    """Make up the runs of a search, one after the other; leave after `count` of them."""
    made: list[Job] = []
    with search:
        for job in search.jobs():
            search.record(make_up(job, search.store, figure(job.settings)))
            made.append(job)
            if len(made) == count:
                break
    return made


def frozen(plan: Plan, folder: Path) -> list[optuna.trial.FrozenTrial]:
    """The trials of a search, read by Optuna itself."""
    backend = optuna.storages.journal.JournalFileBackend(str(folder / JOURNAL))
    storage = optuna.storages.JournalStorage(backend)
    return optuna.load_study(study_name=study_name(plan), storage=storage).get_trials()


def told(plan: Plan, folder: Path) -> list[tuple[dict[str, Any], float | None]]:
    """Settings and figures, without suggestions that were cut off."""
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
        with store.claim(job.id) as mine, (folder / "made").open("a") as log:
            assert mine and not store.ended(job.id)
            store.clear(job.id)
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
"""Run a search, with runs that take some time; FOLDER/made has a line for each that was made."""

TRAIN = """
from rnnlab.execution.local import LocalExecutor
with Search(plan, store) as search:
    for event in LocalExecutor(store, 1).run(search.jobs()):
        search.record(event)
        assert event.kind in ("started", "finished"), event
        if event.kind == "started":
            print(event.job.id)
"""
"""Run a search for real; prints what it starts."""


def process(folder: Path, plan: Plan, work: str) -> subprocess.Popen[str]:
    """A process of its own that joins a search."""
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
