"""The settings that rnnlab chooses against six that people choose by hand, on any texts.

All train for the same seconds and join the same n-gram model, so only the network's settings
differ. Figures are bits per character of the test split (the last 5%), state carried.

    python benchmarks/by_hand.py --seconds 30 names.txt novel.txt code.py
"""

import argparse
import shutil
from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import rnnlab
from rnnlab.console import counted

COMMON: dict[str, Any] = {"optimizer": "adamw", "schedule": "cosine", "ngram_order": 10}
BY_HAND: dict[str, dict[str, Any]] = {
    "H 128, dropout 0.2, rate 0.01": {
        "hidden_size": 128, "dropout": 0.2, "learning_rate": 0.01},
    "H 256, rate 0.003": {"hidden_size": 256, "learning_rate": 0.003},
    "H 256, dropout 0.3, rate 0.006": {
        "hidden_size": 256, "dropout": 0.3, "learning_rate": 0.006},
    "H 384, dropout 0.3, rate 0.005": {
        "hidden_size": 384, "dropout": 0.3, "learning_rate": 0.005},
    "2 x H 256, dropout 0.3, rate 0.004": {
        "num_layers": 2, "hidden_size": 256, "dropout": 0.3, "layer_dropout": 0.2,
        "learning_rate": 0.004},
    "H 512, dropout 0.5, rate 0.004": {
        "hidden_size": 512, "dropout": 0.5, "learning_rate": 0.004},
}  # fmt: skip
AUTOMATIC = "chosen by rnnlab"


def runs(text: str, seconds: float, seeds: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield for each setting and seed its name and the final evaluation, in turns."""
    for seed in range(seeds):
        for name, settings in {AUTOMATIC: None, **BY_HAND}.items():
            folder = Path(mkdtemp())
            run = rnnlab.train(
                corpus=text, max_seconds=seconds, seed=seed, run_dir=folder / "run", quiet=True,
                automatic=settings is None, **(COMMON | settings if settings else {}),
            )  # fmt: skip
            (found,) = (
                each
                for each in run.result["evaluations"]
                if each["split"] == "test" and each["context"] == "carried"
            )
            shutil.rmtree(folder)
            yield name, found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("texts", nargs="+")
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--seeds", type=int, default=1)
    args = parser.parse_args()
    for text in args.texts:
        print(f"{text}, {args.seconds:g} s, {counted(args.seeds, 'seed')}", flush=True)
        figures: dict[str, list[float]] = {}
        for name, found in runs(text, args.seconds, args.seeds):
            bits = figures.setdefault(name, [])
            bits.append(found["bits_per_character"])
            mean = sum(bits) / len(bits)
            if len(bits) == args.seeds:
                print(f"  {mean:.4f}  {name}", flush=True)
        ngram = found["baselines"]["ngram"]
        print(f"  {ngram['bits_per_character']:.4f}  {ngram['order']}-gram", flush=True)


if __name__ == "__main__":
    main()
