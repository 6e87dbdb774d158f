"""Seconds of training until the lab report's training perplexity of 1.1, by engine and precision.

The recipe lab-report is trained for each engine and precision with several seeds, in turns. The
seconds are those of training, without evaluations. Shown is the median over the seeds.

With --sooner the same network is trained with rnnlab's own optimization, in the precision that
rnnlab chooses here.
"""

import argparse
import json
import math
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from rnnlab.config import Settings
from rnnlab.runs.automatic import choose_precision, optimization
from rnnlab.runs.precedence import starting_settings
from rnnlab.runs.preparation import Prepared
from rnnlab.runs.training import train
from rnnlab.runs.watcher import Line, Watcher

WAYS = {
    f"{engine} {precision}": {"engine": engine, "precision": precision}
    for engine, precision in (("native", "float32"), ("native", "bfloat16"), ("builtin", "float32"))
}
SOONER = {"input": "embedding", "embedding_size": 64, "optimizer": "adamw", "num_epochs": 30}
"""With a linear schedule, so the number of epochs counts."""
PERPLEXITY = 1.1


class Reached(Watcher):
    """Ends training at the perplexity."""

    seconds = math.nan

    def begin(self, directory: Path, ready: Prepared) -> None:
        """See `Watcher`."""
        self._trainer = ready.trainer

    def line(self, line: Line) -> None:
        """See `Watcher`."""
        is_first = math.isnan(self.seconds)
        if is_first and line["kind"] == "train" and line["perplexity"] <= PERPLEXITY:
            self.seconds = float(line["seconds"])
            self._trainer.stop("perplexity")


def sooner() -> dict[str, Any]:
    """Return the changes to the lab report's settings that memorise its text soonest."""
    settings = starting_settings("lab-report").with_changes(**SOONER)
    changes = SOONER | optimization(settings) | {"learning_rate": 0.01}
    return changes | {"precision": choose_precision(Settings(), ()).machine.precision}


def seconds_until(changes: Mapping[str, Any], seed: int, folder: Path) -> float:
    """Train once; raises ValueError if the perplexity is not reached."""
    settings = starting_settings("lab-report").with_changes(
        **changes, seed=seed, num_log_lines=500, num_evaluations=1, sample_length=0
    )
    reached = Reached()
    train(settings, folder, [reached])
    if math.isnan(reached.seconds):
        raise ValueError(f"{changes}, seed {seed}: perplexity stays above {PERPLEXITY}")
    return reached.seconds


def main() -> None:
    """Measure, and print a line each or JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--sooner", action="store_true")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    ways = {"sooner": sooner()} if arguments.sooner else WAYS
    found: dict[str, list[float]] = {}
    for seed in range(arguments.seeds):
        for way, changes in ways.items():
            with TemporaryDirectory() as folder:
                seconds = seconds_until(changes, seed, Path(folder) / "run")
            found.setdefault(way, []).append(seconds)
    if arguments.json:
        print(json.dumps({way: median(seconds) for way, seconds in found.items()}))
        return
    for way, seconds in found.items():
        print(f"{way:18}{median(seconds):6.1f} s ({min(seconds):.1f} .. {max(seconds):.1f})")


if __name__ == "__main__":
    main()
