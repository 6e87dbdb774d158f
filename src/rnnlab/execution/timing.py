"""Measures the speed of all variants, one after the other, on an otherwise idle machine.

Runs that share a machine slow each other down, so their own timings are hard to compare. Here each
round measures each variant once, so that a change in the machine's speed affects all of them.
"""

import math
from collections.abc import Callable
from dataclasses import asdict
from itertools import count

import numpy as np

from rnnlab.bench.benchmark import time_interleaved
from rnnlab.bench.tasks import Task
from rnnlab.engines.threads import using_threads
from rnnlab.execution.corpora import resolve_corpora
from rnnlab.execution.single_run import continue_phrases
from rnnlab.experiments.plan import Plan
from rnnlab.experiments.records import Timing
from rnnlab.experiments.settings import TimingSettings
from rnnlab.runs.environment import environment
from rnnlab.runs.preparation import Prepared, prepare

TRAINING, PREDICTION = "training", "prediction"


def measure(
    plan: Plan, timing: TimingSettings, watch: Callable[[str, float], None]
) -> dict[str, object]:
    """Time training steps and, if the plan has phrases, their continuation.

    watch is called with what is about to be measured and the fraction of all measurements done, 0
    to 1. Returns the content of timing.json. Raises as `prepare`.
    """
    with using_threads(timing.threads):
        return _measure(plan, timing, watch)


def _measure(
    plan: Plan, timing: TimingSettings, watch: Callable[[str, float], None]
) -> dict[str, object]:
    ready = {}
    for variant in plan.variants:
        # The speed does not depend on the learning rate, and training does not diverge at this one.
        settings = resolve_corpora(plan.variant_settings(variant.name), plan.origin)
        settings = settings.with_changes(learning_rate=1e-6)
        if timing.threads:
            settings = settings.with_changes(threads=timing.threads)
        ready[variant.name] = prepare(settings)
    tasks: dict[str, Task] = {
        f"{TRAINING}: {name}": each.trainer.steps_without_end() for name, each in ready.items()
    }
    if plan.settings.phrases:
        tasks |= {f"{PREDICTION}: {name}": _texts(each, plan) for name, each in ready.items()}
    measurements = len(tasks) * (timing.rounds + 1)
    done = count()

    def report_progress(name: str, number: int) -> None:
        watch(f"{name}, {f'round {number}' if number else 'warming up'}", next(done) / measurements)

    rates = time_interleaved(tasks, timing.rounds, timing.seconds, report_progress)
    timings = []
    for name, each in ready.items():
        training_seconds = _training_seconds(each)
        for number in range(timing.rounds):
            speed = rates[f"{TRAINING}: {name}"][number]
            outcomes = {"tokens_per_second": speed, "training_seconds": training_seconds(speed)}
            if plan.settings.phrases:
                outcomes["prediction_seconds"] = 1 / rates[f"{PREDICTION}: {name}"][number]
            timings.append(asdict(Timing(name, number, outcomes)))
    return {"environment": environment(), "ids": plan.timing_ids, "timings": timings}


def _texts(ready: Prepared, plan: Plan) -> Task:
    """Continue all phrases again and again; an item is one continuation of all phrases."""
    while True:
        continue_phrases(ready.model, plan.settings.phrases, plan.settings.phrase_length)
        yield 1


def _training_seconds(ready: Prepared) -> Callable[[float], float]:
    """Return a function from tokens per second to the seconds that a run's budget lasts."""
    training, batches = ready.settings.training, ready.trainer.batches
    tokens = float(training.max_tokens or math.inf)
    if training.num_epochs:
        rng = np.random.default_rng(0)
        counts = [batches.epoch(rng)[0] for _ in range(20)]  # an epoch's offset is random
        per_epoch = sum(counts) / len(counts) * batches.batch_size * batches.num_steps
        tokens = min(tokens, training.num_epochs * per_epoch)
    seconds = training.max_seconds or math.inf
    return lambda speed: min(tokens / speed, seconds)
