"""Run directories as a training leaves them, made up in no time."""

import json
from pathlib import Path
from typing import Any

from rnnlab.config import Settings

CHARACTERS = 8_949


def train_line(step: int, bits: float, of: int) -> dict[str, Any]:
    return {
        "kind": "train", "step": step, "epoch": step // 10, "tokens": 640 * step,
        "seconds": 0.05 * step, "progress": step / of, "nats_per_token": 0.69 * bits,
        "bits_per_character": bits, "perplexity": 2.0**bits, "tokens_per_second": 12_800.0,
        "gradient_norm": 0.4, "clipped_share": 0.0, "learning_rate": 0.01,
    }  # fmt: skip


def held_out_line(step: int, bits: float) -> dict[str, Any]:
    return {
        "kind": "held-out", "step": step, "split": "validation", "context": "windows:256",
        "nats_per_token": 0.69 * bits, "bits_per_character": bits, "perplexity": 2.0**bits,
        "is_best": True,
    }  # fmt: skip


def append(run: Path, *lines: dict[str, Any]) -> None:
    with (run / "metrics.jsonl").open("a") as stream:
        stream.write("".join(f"{json.dumps(line)}\n" for line in lines))


def lines_of(first: int, last: int, bits: float, of: int) -> list[dict[str, Any]]:
    """Lines of steps, whose loss falls towards some bits per character."""
    found = []
    for step in range(first, last + 1):
        found.append(train_line(step, bits + 4 / step, of))
        if step % 5 == 0:
            found.append(held_out_line(step, bits + 0.1 + 4 / step))
    return found


def evaluation(split: str, bits: float, context: str) -> dict[str, Any]:
    return {
        "corpus": "timemachine", "corpus_sha256": "84" * 32, "split": split, "context": context,
        "split_characters": CHARACTERS, "tokens": CHARACTERS - 1, "characters": CHARACTERS,
        "nats_per_token": 0.69 * bits, "bits_per_character": bits, "perplexity": 2.0**bits,
        "checkpoint": "best", "learns_on": False, "parts": {},
        "baselines": {
            "uniform": {"bits_per_character": 6.15},
            "unigram": {"bits_per_character": 4.39},
            "ngram": {"bits_per_character": 2.25, "order": 6, "smoothing": "modified Kneser-Ney"},
            "xz": {"bits_per_character": 2.66},
        },
        "leads": {
            "ngram": {"bits_per_character": 2.25 - bits, "low": 2.2 - bits, "high": 2.3 - bits}
        },
    }  # fmt: skip


def made_up_run(
    folder: Path, bits: float = 2.1, *, steps: int = 40, of: int = 40, ended: str = "budget",
    **settings: Any,
) -> Path:  # fmt: skip
    """A run of some steps; ended: by what, "" if it has not ended."""
    folder.mkdir(parents=True)
    own = Settings().with_changes(**{"corpus": ("timemachine",), "hidden_size": 64, **settings})
    (folder / "config.toml").write_text(own.to_toml())
    append(folder, *lines_of(1, steps, bits, of))
    (folder / "samples.txt").write_text(
        f"--- step 5\nthe tine\n--- step {steps}\nthe time\nmachine\n"
    )
    if ended:
        splits = [(s, c) for s in ("validation", "test") for c in ("carried", "windows:256")]
        result = {
            "format": 1, "complete": True,
            "training": {"steps": steps, "seconds": 2.0, "stopped_by": ended, "perplexity": 4.0},
            "model": {"parameters": 42_439},
            "data": {"vocabulary": 71, "tokens": {"train": 161_081}, "copies": {}},
            "evaluations": [
                evaluation(s, bits - 0.05 * (s == "validation") + 0.01 * (c != "carried"), c)
                for s, c in splits
            ],
        }  # fmt: skip
        (folder / "result.json").write_text(json.dumps(result))
    return folder
