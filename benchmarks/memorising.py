"""Seconds of training until the lab report's training perplexity of 1.1, by engine and precision.

The recipe lab-report is trained for each engine and precision with several seeds, in turns. The
seconds are those of training, without evaluations. Shown is the median over the seeds.
"""

import argparse
import json
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

WAYS = (("native", "float32"), ("native", "bfloat16"), ("builtin", "float32"))
PERPLEXITY = 1.1


def seconds_until(engine: str, precision: str, seed: int, folder: Path) -> float:
    """Train once; raises ValueError if the perplexity is not reached."""
    import rnnlab

    run = rnnlab.train(
        config="lab-report", engine=engine, precision=precision, seed=seed, num_log_lines=500,
        num_evaluations=1, sample_length=0, quiet=True,
        run_dir=folder / f"{engine}-{precision}-{seed}",
    )  # fmt: skip
    for line in run.metrics:
        if line["kind"] == "train" and line["perplexity"] <= PERPLEXITY:
            return float(line["seconds"])
    raise ValueError(f"{engine}, {precision}, seed {seed}: perplexity stays above {PERPLEXITY}")


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
