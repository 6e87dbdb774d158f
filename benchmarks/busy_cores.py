"""How fast `native` trains while other programs use the cores.

Measured are training steps with one thread, with one thread for each core, and with the number that
training chooses, in turn, while some other processes compute without end. Shown are tokens/s
relative to one thread: medians over the rounds and their range.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median

import torch

from rnnlab.bench.benchmark import items_per_second
from rnnlab.bench.tasks import VOCABULARY, Case, Task
from rnnlab.cores import usable_cores
from rnnlab.engines import ENGINES
from rnnlab.engines.thread_pace import ThreadPace
from rnnlab.lm.compute import Compute
from rnnlab.lm.model import LanguageModel
from rnnlab.lm.train import Trainer

CASE = Case("lstm", "float32", hidden_size=256, batch_size=32, num_steps=64)


@contextmanager
def busy(count: int) -> Iterator[None]:
    """Let so many processes compute without end."""
    programs = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for program in programs:
            program.kill()
            program.wait()


def training(threads: int, *, adapts: bool) -> Task:
    """Return training steps with so many threads, or at most so many."""
    model = LanguageModel(CASE.settings.model, VOCABULARY, seed=0)
    compute = Compute(ENGINES["native"], threads=threads)
    pace = ThreadPace(adapts=adapts)
    trainer = Trainer(model, compute, CASE.sequences(), CASE.settings.training, pace=pace)
    return trainer.steps_without_end()


def measure(programs: int, rounds: int, seconds: float) -> dict[str, list[float]]:
    """Return the speeds relative to one thread: their median, the lowest and the highest."""
    cores = usable_cores().count
    tasks = {
        "one": training(1, adapts=False),
        "all": training(cores, adapts=False),
        "chosen": training(cores, adapts=True),
    }
    ratios: dict[str, list[float]] = {"all": [], "chosen": []}
    with busy(programs):
        for task in tasks.values():
            items_per_second(task, seconds)
        for _ in range(rounds):
            speeds = {name: items_per_second(task, seconds) for name, task in tasks.items()}
            for name, values in ratios.items():
                values.append(speeds[name] / speeds["one"])
    return {name: [median(found), min(found), max(found)] for name, found in ratios.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--programs", type=int, nargs="+", default=[0, 1, 2, 4])
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=1.5, help="of one measurement")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    found = {
        programs: measure(programs, arguments.rounds, arguments.seconds)
        for programs in arguments.programs
    }
    if arguments.json:
        print(json.dumps(found))
        return
    print(f"relative to one thread, {usable_cores().count} cores, torch {torch.__version__}")
    for programs, row in found.items():
        shown = (f"{name} {a:.2f} ({b:.2f} .. {c:.2f})" for name, (a, b, c) in row.items())
        print(f"{programs} other programs:", ", ".join(shown))


if __name__ == "__main__":
    main()
