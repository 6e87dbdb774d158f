"""The command line as a user calls it, and made-up text to call it with."""

import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

Cli = Callable[..., subprocess.CompletedProcess[str]]

TINY = [
    *("--hidden-size", "16", "--embedding-size", "4"),
    *("--batch-size", "4", "--num-steps", "10", "--threads", "1"),
]
"""Flags of a model that trains in an instant."""

RNNLAB = Path(sys.executable).with_name("rnnlab")


def made_up_text(sentences: int, seed: int = 0) -> str:
    """English enough to be learned in seconds."""
    rng = random.Random(seed)
    nouns = ["cat", "dog", "bird", "house", "river", "stone"]
    verbs = ["sees", "finds", "loses", "follows"]
    return "".join(
        f"The {rng.choice(nouns)} {rng.choice(verbs)} the {rng.choice(nouns)}.\n"
        for _ in range(sentences)
    )


def run_rnnlab(*args: str, **options: Any) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "COLUMNS": "100", **options.pop("env", {})}
    return subprocess.run(
        [RNNLAB, *args], capture_output=True, text=True, timeout=300, env=environment, **options
    )
