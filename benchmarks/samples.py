"""What samples cost: training on lines against one running text, scoring, streaming.

training: tokens/s on the lines of a file as samples, and on the same file as one running text, in
turns, with the same model and batches. The state is reset in the middle of a batch, so the
difference is what resets and random access cost.
scoring: lines/s of `model.score` in batches.
streaming: seconds and memory for preparing many made-up lines that are read from disk each time.

    python benchmarks/samples.py names.txt
    python benchmarks/samples.py names.txt --stream 5000000
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np

from rnnlab.config import DataSettings, Settings
from rnnlab.data.dataset import Dataset, load_dataset
from rnnlab.lm.compute import Compute
from rnnlab.lm.model import LanguageModel
from rnnlab.lm.ngram_joining import CountedNGrams
from rnnlab.lm.text_model import TextModel
from rnnlab.lm.train import Trainer

ROUNDS, SECONDS = 5, 2.0
SETTINGS = Settings().with_changes(hidden_size=256, optimizer="adamw", learning_rate=0.003)
BATCH_LINES = 2_000
MIB = 2**20


def trainer_of(dataset: Dataset, compute: Compute) -> Trainer:
    """Return a trainer for a model of a text or of samples."""
    model = LanguageModel(SETTINGS.model, dataset.tokenizer.size, 0, dataset.start)
    return Trainer(model, compute, dataset.batches(SETTINGS.data), SETTINGS.training)


def training(file: str) -> dict[str, float]:
    """Return tokens/s as samples and as a text, medians over rounds, and the ratio."""
    compute = Compute.choose(SETTINGS.machine, SETTINGS.model.cell)
    steps = {
        unit: trainer_of(load_dataset(DataSettings(corpus=(file,), unit=unit)), compute)
        .steps_without_end()
        for unit in ("text", "lines")
    }  # fmt: skip
    speeds: dict[str, list[float]] = {unit: [] for unit in steps}
    for _ in range(ROUNDS + 1):
        for unit, own in steps.items():
            tokens, began = 0, time.perf_counter()
            while (spent := time.perf_counter() - began) < SECONDS:
                tokens += next(own)
            speeds[unit].append(tokens / spent)
    text, lines = (speeds[unit][1:] for unit in ("text", "lines"))  # the first warms up
    ratios = [mine / theirs for mine, theirs in zip(lines, text, strict=True)]
    return {
        "text": median(text), "lines": median(lines), "ratio": median(ratios),
        "ratio_low": min(ratios), "ratio_high": max(ratios),
    }  # fmt: skip


def scoring(file: str) -> dict[str, float]:
    """Return lines/s of the network alone and of the network with n-grams."""
    dataset = load_dataset(DataSettings(corpus=(file,), unit="lines"))
    compute = Compute.choose(SETTINGS.machine, SETTINGS.model.cell)
    model = LanguageModel(SETTINGS.model, dataset.tokenizer.size, 0, dataset.start)
    found = TextModel(model, dataset.tokenizer, "none", compute)
    lines = dataset.splits["train"].text[1:-1].split("\n")[: 10 * BATCH_LINES]
    ids = dataset.splits["train"].all_ids
    ngrams = CountedNGrams.count(ids, dataset.tokenizer.size, 10, dataset.start)
    speeds = {"characters": float(np.mean([len(line) for line in lines]))}
    for name in ("network", "both"):
        if name == "both":
            found.mixture = ngrams.join(model, compute)
        scorer, times = found.scorer(), []
        for begin in range(0, len(lines), BATCH_LINES):
            part = lines[begin : begin + BATCH_LINES]
            began = time.perf_counter()
            scorer.score(part)
            times.append(len(part) / (time.perf_counter() - began))
        speeds[name] = median(times)
    return speeds


def prepare_stream(file: str) -> None:
    """Prepare a file of lines for training; print seconds and the largest memory."""
    import torch  # noqa: F401, so that its memory is not counted

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    began = time.perf_counter()
    dataset = load_dataset(DataSettings(corpus=(file,), unit="lines"))
    next(iter(dataset.batches(SETTINGS.data).epoch(np.random.default_rng(0))[1]))
    spent = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": spent, "peak_mib": peak, "more_mib": peak - before}))


def streaming(lines: int) -> dict[str, float]:
    """Measure `prepare_stream` for so many made-up names, in a process of its own."""
    with TemporaryDirectory() as folder:
        file, rng = Path(folder) / "lines.txt", np.random.default_rng(0)
        syllables = np.array(["ka", "lo", "mi", "ra", "sen", "to", "vi", "dor", "el", "un"])
        with file.open("w") as stream:
            for begin in range(0, lines, 100_000):
                size = min(100_000, lines - begin)
                parts = syllables[rng.integers(0, 10, (size, 7))]
                stream.write("\n".join(map("".join, parts)) + "\n")
        done = subprocess.run(
            [sys.executable, __file__, str(file), "--prepare"], stdout=subprocess.PIPE, text=True,
            check=True, env=os.environ | {"XDG_CACHE_HOME": folder},
        )  # fmt: skip
        return {"mib": file.stat().st_size / MIB, **json.loads(done.stdout)}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("file", help="text file with a sample a line")
    parser.add_argument("--stream", type=int, default=0, help="so many made-up lines are streamed")
    parser.add_argument("--prepare", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.prepare:
        prepare_stream(args.file)
        return
    found = training(args.file)
    print(
        f"training: {found['lines']:,.0f} tokens/s on lines, {found['text']:,.0f} on a running "
        f"text, ratio {found['ratio']:.2f} ({found['ratio_low']:.2f} .. {found['ratio_high']:.2f})"
    )
    speeds = scoring(args.file)
    print(
        f"scoring: {speeds['network']:,.0f} lines/s by the network, {speeds['both']:,.0f} with "
        f"n-grams; {speeds['characters']:.1f} characters a line"
    )
    if args.stream:
        stream = streaming(args.stream)
        print(
            f"streaming {args.stream:,} lines, {stream['mib']:.0f} MiB: {stream['seconds']:.0f} s, "
            f"at most {stream['peak_mib']:.0f} MiB, {stream['more_mib']:.0f} more than torch alone"
        )


if __name__ == "__main__":
    main()
