"""Measures the overhead of the executor `ray` over `local`, and how to divide cores among runs.

Overhead: an experiment of very short runs, one for each core at once, by each executor. The time of
starting (processes, imports, Ray itself) is separate from the time that each further run adds.

Threads: an experiment of longer runs (LSTM, H 256, --engine and --tokens): one run at a time with a
thread for each core, against one run for each core with one thread.

Each measurement is a separate process that makes the whole experiment in an empty folder. Variants
take turns. Figures are medians over the rounds with their range, and a ratio is the median of the
ratios in each round. Do not use the machine meanwhile.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from rnnlab.console import counted
from rnnlab.execution.executor import Executor, Job
from rnnlab.execution.local import LocalExecutor
from rnnlab.experiments.plan import make_plan
from rnnlab.experiments.store import Store
from rnnlab.runs.environment import environment

SHORT_RUNS, LONG_RUNS = 12, 6
SHORT = {"hidden_size": 16, "embedding_size": 4, "corpus_limit": 20_000, "num_epochs": 1}
LONG = {"hidden_size": 256, "num_steps": 35, "corpus_limit": 50_000}
"""Each run measures its baselines, too, so the text is short."""


class Variant(NamedTuple):
    """A way to make the runs of an experiment."""

    executor: str
    slots: int
    threads: int

    def __str__(self) -> str:
        return f"{self.executor}, {self.slots} at once, {counted(self.threads, 'thread')}"


def measure(variant: Variant, base: Mapping[str, Any], runs: int) -> dict[str, float]:
    """Make an experiment in a separate process; returns its timings as `make_experiment`."""
    arguments = [sys.executable, __file__, "--one", json.dumps([variant, base, runs])]
    done = subprocess.run(arguments, stdout=subprocess.PIPE, text=True, check=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def make_experiment(variant: Variant, base: Mapping[str, Any], runs: int) -> dict[str, float]:
    """Make all runs and return timings in seconds.

    all: of all runs; first: until every slot has finished a run; each: for each run after that.
    """
    began = time.perf_counter()
    content = {
        "question": "How long does it take?",
        "seeds": runs,
        "base": {"corpus": "python-reference", "sample_length": 0, **base},
        "variant": [{"name": "only"}],
    }
    plan = make_plan(content, "executors", __file__)
    jobs = (Job.of(run, plan, variant.threads) for run in plan.runs)
    ends = []
    with TemporaryDirectory() as folder, ExitStack() as stack:
        store = Store(Path(folder))
        executor: Executor = LocalExecutor(store, variant.slots)
        if variant.executor == "ray":
            from rnnlab.execution.ray_cluster import RayExecutor

            ray = RayExecutor(store, "", variant.slots, variant.threads)
            executor = stack.enter_context(ray)
        for event in executor.run(jobs):
            assert event.kind in ("started", "finished"), event
            if event.kind == "finished":
                ends.append(time.perf_counter() - began)
    first, last = ends[variant.slots - 1], ends[-1]
    return {"all": last, "first": first, "each": (last - first) / (runs - variant.slots)}


def compare(
    what: str, variants: list[Variant], base: Mapping[str, Any], runs: int, rounds: int
) -> dict[str, Any]:
    """Measure the variants in turns; ratios are to the first variant."""
    seconds: dict[Variant, list[dict[str, float]]] = {variant: [] for variant in variants}
    for number in range(rounds):
        for variant in variants:
            report_progress(f"{what}: round {number + 1} of {rounds}: {variant}")
            seconds[variant].append(measure(variant, base, runs))
    rows = []
    for variant, times in seconds.items():
        row: dict[str, Any] = {"variant": str(variant)}
        figures = {name: [each[name] for each in times] for name in ("all", "first", "each")}
        figures["times_as_fast"] = [
            theirs["all"] / mine["all"]
            for theirs, mine in zip(seconds[variants[0]], times, strict=True)
        ]
        for name, values in figures.items():
            row[name] = {"median": median(values), "range": [min(values), max(values)]}
        rows.append(row)
    return {"what": what, "runs": runs, "settings": dict(base), "rows": rows}


def show(result: Mapping[str, Any]) -> None:
    """Print a comparison as a table."""
    columns = {
        "all": ("all runs [s]", 1),
        "first": ("until first [s]", 1),
        "each": ("each after [s]", 2),
        "times_as_fast": ("times as fast", 2),
    }
    print(f"\n{result['what']}: {result['runs']} runs, {result['settings']}")
    print(f"{'':<28}" + "".join(f"{label:>26}" for label, _ in columns.values()))
    for row in result["rows"]:
        cells = []
        for name, (_, digits) in columns.items():
            low, high = row[name]["range"]
            middle = row[name]["median"]
            cells.append(f"{middle:.{digits}f} ({low:.{digits}f} .. {high:.{digits}f})")
        print(f"{row['variant']:<28}" + "".join(f"{cell:>26}" for cell in cells))


def report_progress(text: str) -> None:
    """Print progress on standard error."""
    print(text, file=sys.stderr, flush=True)


def main() -> None:
    """Measure and print."""
    cores = os.cpu_count() or 1
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3, help="measurements of each variant")
    parser.add_argument("--tokens", type=int, default=100_000, help="of a long run")
    parser.add_argument("--engine", default="native", help="of a long run")
    parser.add_argument("--only", choices=("overhead", "threads"), help="one of the two")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        variant, base, runs = json.loads(args.one)
        print(json.dumps(make_experiment(Variant(*variant), base, runs)))
        return
    results = []
    if args.only != "threads":
        variants = [Variant("local", cores, 1), Variant("ray", cores, 1)]
        results.append(compare("overhead", variants, SHORT, SHORT_RUNS, args.rounds))
    if args.only != "overhead":
        variants = [Variant("local", 1, cores), Variant("local", cores, 1)]
        base = {**LONG, "engine": args.engine, "max_tokens": args.tokens}
        results.append(compare("threads", variants, base, LONG_RUNS, args.rounds))
    machine = environment()
    if args.json:
        print(json.dumps({"results": results, "machine": machine}, indent=2))
        return
    print(f"{machine['cpu']}, {cores} cores, torch {machine['torch']}")
    for result in results:
        show(result)


if __name__ == "__main__":
    main()
