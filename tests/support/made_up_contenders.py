"""Contenders of a comparison without runs: codes that are drawn, and settings."""

from pathlib import Path
from typing import Any

import numpy as np

from rnnlab.comparison.contender import Contender, CurvePoint
from rnnlab.comparison.measured_text import MeasuredText
from rnnlab.config import Settings
from rnnlab.lm.code_length import CodeLength

CHARACTERS = 4_000


def made_up_contender(
    name: str = "run",
    mean_bits: float = 2.0,
    *,
    seed: int = 0,
    draw: int = 0,
    characters: int = CHARACTERS,
    unusual_end: str = "",
    **change: Any,
) -> Contender:
    """A run whose code is `mean_bits` a character and noise, half of it shared by all runs."""
    settings = Settings().with_changes(seed=seed, num_epochs=2, corpus=("made-up",), **change)
    shared = np.random.default_rng(0).exponential(size=characters)
    own = np.random.default_rng(draw + 1).exponential(size=characters)
    nats = np.log(2) * (mean_bits - 1 + (shared + own) / 2)
    code = CodeLength(np.arange(1, characters + 1), nats)
    bits = code.total / np.log(2) / characters
    curve = [
        CurvePoint(1000.0 * step, 2.0 * step, 0.1 * step, bits + 2 / step) for step in range(1, 21)
    ]
    figures = {
        "held_out_bits_per_character": float(bits), "held_out_perplexity": float(2**bits),
        "validation_bits_per_character": min(p.bits_per_character for p in curve),
        "training_perplexity": float(2**bits) - 1, "parameters": 1234.0,
        "tokens_trained": 20_000.0, "epochs": 2.0, "training_seconds": 40.0 + draw,
        "tokens_per_second": 20_000 / (40.0 + draw),
    }  # fmt: skip
    return Contender(
        name, Path(name), settings, settings.flat(), "ab" * 32, "CharTokenizer, 28 tokens", "t",
        "best", MeasuredText("made-up, test split", "x" * characters), code, figures,
        {"7-gram, Kneser-Ney": 2.1}, "windows:256: text", curve, {"cpu": "one"}, unusual_end,
    )  # fmt: skip
