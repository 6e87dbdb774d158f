"""Quality per second: rnnlab's automatic settings against what people would use instead.

Every contender trains on the same text for the same seconds with the same threads, and is scored on
the last tenth of the text, which nothing is chosen by. The seconds are those from the first batch
to the last, and for rnnlab also those in which n-grams are counted and joined.

    python benchmarks/quality.py --output quality             all; again: what is missing
    python benchmarks/quality.py --output quality --only rnnlab transformer
    python benchmarks/quality.py --output quality --report    only table and picture
    python benchmarks/quality.py --output quality --tune transformer --seconds 10

With --reference-speed the seconds are those of a machine on which a certain network trains at that
many tokens per second. See README.md here.
"""

import argparse
import math
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any

from quality_records import Record, Records, tell
from quality_report import report, show_tuning
from quality_scoring import target_nats
from quality_training import CANDIDATES, SIZES, for_budget, train

import rnnlab
from rnnlab.bench.tasks import items_per_second
from rnnlab.config import CHOSEN, CONTEXTS, DataSettings, Settings
from rnnlab.data.dataset import Dataset, load_dataset
from rnnlab.engines.threads import using_threads
from rnnlab.lm.code_length import CodeLength, code_of_tokens
from rnnlab.lm.compute import Compute
from rnnlab.lm.evaluate import bits_per_character
from rnnlab.lm.model import LanguageModel
from rnnlab.lm.train import Trainer
from rnnlab.runs.automatic import choose_precision
from rnnlab.runs.environment import environment
from rnnlab.runs.evaluation import dataset_baselines

RNNLAB, DYNAMIC = "rnnlab", "rnnlab dynamic"
OPPONENTS = ("d2l", "nn.LSTM", "transformer", "minGRU")
FIXED = {
    "n-gram": "ngram",
    "PPMd learning on": "ppmd",
    "PPMd restarted": "ppmd-restarted",
    "xz": "xz",
    "bzip2": "bzip2",
}
"""Contenders that do not train for a time, and rnnlab's names for them."""
SPLIT = (0.9, 0.0, 0.1)

REFERENCE = {"hidden_size": 384, "batch_size": 32, "num_steps": 64, "device": "cpu"}
"""The LSTM that a machine's speed is measured with."""
REFERENCE_SECONDS = 3.0

TUNING_SHARE = 0.9
"""Of the training text for training when sizes are tuned; the rest is scored."""
TUNING_SEED = 1000


def reference_speed(dataset: Dataset) -> float:
    """Return the tokens per second that the reference network trains at now."""
    settings = choose_precision(Settings().with_changes(**REFERENCE), REFERENCE)
    compute = Compute.choose(settings.machine, settings.model.cell)
    model = LanguageModel(settings.model, dataset.tokenizer.size, 0)
    batches = dataset.batches(settings.data)
    steps = Trainer(model, compute, batches, settings.training).steps_without_end()
    next(steps)  # warms up
    return items_per_second(map(float, steps), REFERENCE_SECONDS)


def scores(code: CodeLength, nats_per_token: float | None = None) -> dict[str, float | None]:
    """Return the figures of a code for the held-out text."""
    return {
        "bits_per_character": bits_per_character(code.total, code.characters),
        "nats_per_character": code.total / code.characters,
        "nats_per_token": nats_per_token,
    }


class Fixed:
    """Scores n-gram models and compressors, which learn from all of the training text."""

    def __init__(self, dataset: Dataset) -> None:
        self.text, self.baselines = dataset.splits["test"].text, dataset_baselines(dataset)

    @cached_property
    def codes(self) -> dict[str, CodeLength]:
        """Their codes for the held-out text."""
        return self.baselines.codes(self.text)

    def measure(self, name: str) -> Record:
        """Return the figures of one of them."""
        about = self.baselines.records(self.codes)[FIXED[name]]
        return {"contexts": {"carried": scores(self.codes[FIXED[name]])}, "about": about}


def measure_opponent(
    name: str, dataset: Dataset, nominal: float, seconds: float, seed: int
) -> Record:
    """Train and score a network of torch; its size is that for the `nominal` seconds."""
    ids, test = dataset.splits["train"].all_ids, dataset.splits["test"]
    size = for_budget(SIZES[name], nominal) if name in SIZES else None
    trained = train(name, ids, dataset.tokenizer.size, seconds, seed, size)
    contexts = {}
    for context in CONTEXTS:
        nats = target_nats(trained.network, test.ids, context)
        code = code_of_tokens(dataset.tokenizer, test.text, nats)
        contexts[context] = scores(code, float(nats.mean()))
    return {"contexts": contexts, "about": trained.about}


def measure_rnnlab(corpus: str, seconds: float, seed: int, threads: int, folder: Path) -> Record:
    """Train with automatic settings and score both parts together, and each alone."""
    shutil.rmtree(folder, ignore_errors=True)  # of an interrupted call
    began = time.time()
    run = rnnlab.train(
        corpus=corpus, split=SPLIT, max_seconds=seconds, seed=seed, threads=threads, device="cpu",
        run_dir=folder, quiet=True,
    )  # fmt: skip
    result, settings = run.result, run.settings.flat()
    # The settings are written after all preparations, just before the first step.
    before = (folder / "config.toml").stat().st_mtime - began
    training = result["training"]
    contexts: Record = {}
    parts: dict[str, Record] = {}
    for found in result["evaluations"]:
        contexts[found["context"]] = per_character(found)
        for part, own in found["parts"].items():
            parts.setdefault(part, {})[found["context"]] = per_character(own)
    about = {
        "seconds": training["elapsed_seconds"], "seconds_before": before,
        "steps": training["steps"], "tokens": training["tokens"],
        "epochs": training["tokens"] / result["data"]["tokens"]["train"],
        "precision": training["precision"], "engine": training["engine"],
        "parameters": result["model"]["parameters"],
        "settings": {name: settings[name] for name in CHOSEN},
    }  # fmt: skip
    return {"contexts": contexts, "parts": parts, "about": about}


def per_character(found: Mapping[str, Any]) -> dict[str, float]:
    """Return the figures of an evaluation of rnnlab, or of a part of it."""
    bits = found["bits_per_character"]
    return {
        "bits_per_character": bits,
        "nats_per_character": bits * math.log(2),
        "nats_per_token": found["nats_per_token"],
    }


def measure_dynamic(folder: Path) -> Record:
    """Score a run of rnnlab again, while it learns on through the held-out text."""
    (found,), _ = rnnlab.evaluate(folder, splits="test", contexts=(), baselines=False, dynamic=True)
    return {"contexts": {"carried": per_character(found.to_dict())}, "about": {}}


def rounds(names: Sequence[str], seconds: Sequence[float], seeds: int) -> Iterator[Record]:
    """Yield what is to be measured; contenders take turns, and so do budgets and seeds."""
    for seed in range(seeds):
        for budget in seconds:
            for name in names:
                if name not in FIXED:
                    yield {"contender": name, "seconds": budget, "seed": seed}
        if seed == 0:
            yield from (
                {"contender": n, "seconds": None, "seed": None} for n in names if n in FIXED
            )


def measure_all(args: argparse.Namespace, names: Sequence[str], dataset: Dataset) -> None:
    """Measure what is missing."""
    records = Records(args.output / "quality.jsonl", ("contender", "seconds", "seed", "corpus"))
    corpus = {"corpus": args.corpus, "corpus_sha256": dataset.corpus.sha256}
    missing = [r | corpus for r in rounds(names, args.seconds, args.seeds)]
    missing = [r for r in missing if r not in records]
    if not missing:
        return
    speed = reference_speed(dataset)
    factor = args.reference_speed / speed if args.reference_speed else 1.0
    tell(f"{speed:,.0f} tokens/s here, so seconds are multiplied by {factor:.3f}")
    machine, fixed, seed = environment(), Fixed(dataset), missing[0]["seed"]
    for number, record in enumerate(missing, start=1):
        if record["seed"] not in (seed, None):
            seed, speed = record["seed"], reference_speed(dataset)  # tells how the machine drifts
        record |= {
            "machine": machine, "speed": speed, "factor": factor,
            "reference_speed": args.reference_speed,
        }  # fmt: skip
        if (name := record["contender"]) in FIXED:
            found = fixed.measure(name)
        else:
            found = measure(record, dataset, args.threads, args.output / "runs")
        records.add(record | found)
        bits = found["contexts"]["carried"]["bits_per_character"]
        at = f", {record['seconds']:g} s, seed {record['seed']}" if record["seconds"] else ""
        tell(f"[{number}/{len(missing)}] {name}{at}: {bits:.4f} bits/character")


def measure(record: Record, dataset: Dataset, threads: int, runs: Path) -> Record:
    """Train and score one contender once."""
    name, nominal, seed = record["contender"], record["seconds"], record["seed"]
    seconds = nominal * record["factor"]
    folder = runs / f"{Path(record['corpus']).stem}-{nominal:g}s-seed{seed}"
    if name == RNNLAB:
        return measure_rnnlab(record["corpus"], seconds, seed, threads, folder)
    if name == DYNAMIC:
        if not (folder / "result.json").is_file():
            measure_rnnlab(record["corpus"], seconds, seed, threads, folder)
        return measure_dynamic(folder)
    return measure_opponent(name, dataset, nominal, seconds, seed)


def tune(args: argparse.Namespace, dataset: Dataset) -> None:
    """Try sizes and rates on training text: train on its beginning, score its last tenth."""
    records = Records(args.output / "tuning.jsonl", ("contender", "seconds", "size", "corpus"))
    text = dataset.splits["train"].all_ids
    cut = int(len(text) * TUNING_SHARE)
    speed = reference_speed(dataset)
    factor = args.reference_speed / speed if args.reference_speed else 1.0
    for seconds in args.seconds:
        for size in for_budget(CANDIDATES[args.tune], seconds):
            record = {
                "contender": args.tune, "seconds": seconds, "size": asdict(size),
                "corpus": args.corpus, "speed": speed, "factor": factor,
            }  # fmt: skip
            if record in records:
                continue
            trained = train(
                args.tune, text[:cut], dataset.tokenizer.size, seconds * factor, TUNING_SEED, size
            )
            nats = float(target_nats(trained.network, text[cut:], "carried").mean())
            records.add(record | {"nats_per_token": nats, "about": trained.about})
            tell(f"{seconds:g} s, {size}: {nats:.4f} nats/token")
    print(show_tuning(records.all, args.tune))


def main() -> None:
    """Measure and report."""
    everyone = (RNNLAB, *OPPONENTS, *FIXED)
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    add = parser.add_argument
    add("--seconds", type=float, nargs="+", default=[10, 30, 60, 180], help="training budgets")
    add("--seeds", type=int, default=5, help="trainings for each budget")
    add("--corpus", default="tinyshakespeare", help="named corpus or text file")
    add("--output", type=Path, required=True, help="folder for records, runs and picture")
    add("--only", nargs="+", choices=everyone, metavar="NAME", help=", ".join(everyone))
    add("--dynamic", action="store_true", help="also score rnnlab while it learns on")
    add("--threads", type=int, default=0, help="CPU threads of all contenders; 0: all cores")
    add(
        "--reference-speed",
        type=float,
        default=0.0,
        help="tokens/s of the machine whose seconds they are",
    )
    add("--report", action="store_true", help="measure nothing")
    add("--tune", choices=CANDIDATES, help="try sizes of a contender on training text")
    args = parser.parse_args()
    args.output.mkdir(parents=True, exist_ok=True)
    if not args.report:
        names = list(args.only or everyone)
        if args.dynamic:
            names.insert(names.index(RNNLAB) + 1 if RNNLAB in names else 0, DYNAMIC)
        data = DataSettings(corpus=(args.corpus,), split=SPLIT)
        with using_threads(args.threads):
            dataset = load_dataset(data)
            if args.tune:
                tune(args, dataset)
                return
            measure_all(args, names, dataset)
    print(report(args.output, args.corpus))


if __name__ == "__main__":
    main()
