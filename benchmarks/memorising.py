"""Seconds of training until the lab report's training perplexity of 1.1, by engine and precision.

The recipe lab-report is trained for each engine and precision with several seeds, in turns. The
seconds are those of training, without evaluations. Shown is the median over the seeds.
"""

import argparse
import json
import math
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from rnnlab.runs.precedence import starting_settings
from rnnlab.runs.preparation import Prepared
from rnnlab.runs.training import train
from rnnlab.runs.watcher import Line, Watcher

WAYS = (("native", "float32"), ("native", "bfloat16"), ("builtin", "float32"))
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


def seconds_until(engine: str, precision: str, seed: int, folder: Path) -> float:
    """Train once; raises ValueError if the perplexity is not reached."""
    settings = starting_settings("lab-report").with_changes(
        engine=engine, precision=precision, seed=seed, num_log_lines=500, num_evaluations=1,
        sample_length=0,
    )  # fmt: skip
    reached = Reached()
    train(settings, folder / f"{engine}-{precision}-{seed}", [reached])
    if math.isnan(reached.seconds):
        raise ValueError(f"{engine}, {precision}, seed {seed}: perplexity stays above {PERPLEXITY}")
    return reached.seconds


def main() -> None:
    """Measure, and print a line each or JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    found: dict[str, list[float]] = {}
    with TemporaryDirectory() as folder:
        for seed in range(arguments.seeds):
            for way in WAYS:
                found.setdefault(" ".join(way), []).append(seconds_until(*way, seed, Path(folder)))
    if arguments.json:
        print(json.dumps({way: median(seconds) for way, seconds in found.items()}))
        return
    for way, seconds in found.items():
        print(f"{way:18}{median(seconds):6.1f} s ({min(seconds):.1f} .. {max(seconds):.1f})")


if __name__ == "__main__":
    main()
