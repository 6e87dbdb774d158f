"""Settings of small runs that show one illness each, and of healthy ones: a second or two each."""

import random
from typing import Any

SMALL: dict[str, Any] = {
    "corpus": "python-reference",
    "corpus_limit": 40_000,
    "split": (0.95, 0.05, 0.0),
    "hidden_size": 48,
    "embedding_size": 16,
    "batch_size": 16,
    "num_steps": 32,
    "num_epochs": 4,
    "num_log_lines": 40,
    "num_evaluations": 8,
    "sample_length": 0,
    "threads": 1,
}

NAMES: dict[str, Any] = {"corpus_limit": 0, "batch_size": 8, "num_epochs": 10}
"""What is different on `made_up_names`, which `corpus = names` stands for."""

SICK: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "a relu that explodes": (
        {"cell": "rnn-relu", "optimizer": "sgd", "learning_rate": 50.0, "clip_norm": 0.0},
        ("diverged",),
    ),
    "adamw at 5, after a warm-up": (
        {"learning_rate": 5.0, "warmup": 0.9},
        ("diverged", "saturated gates"),
    ),
    "gru, rmsprop at 0.3": (
        {"cell": "gru", "optimizer": "rmsprop", "learning_rate": 0.3},
        ("diverged", "saturated gates"),
    ),
    "two layers whose weights start at 0.001": (
        {
            "init": "normal", "init_std": 0.001, "num_layers": 2,
            "optimizer": "sgd", "learning_rate": 3.0,
        },
        ("stuck at the unigram level",),
    ),
    "98% input dropout": ({"input_dropout": 0.98}, ("stuck at the unigram level",)),
    "sgd, clip_norm 0.001": ({"optimizer": "sgd", "clip_norm": 0.001}, ("clipping every step",)),
    "forget_bias 30": ({"forget_bias": 30.0}, ("saturated gates",)),
    "adamw at 0.3": ({"learning_rate": 0.3, "seed": 1}, ("saturated gates",)),  # 0: overfits too
    "tanh, adamw at 0.1": (  # seed 0: units die too, or not, by the last digit of the arithmetic
        {"cell": "rnn", "learning_rate": 0.1, "seed": 1}, ("saturated gates",),
    ),
    "relu, adamw at 0.1": (
        {"cell": "rnn-relu", "learning_rate": 0.1, "num_steps": 4, "batch_size": 64},
        ("dead units",),
    ),
    "50 epochs of 8,000 characters": (
        {"corpus_limit": 8_000, "num_epochs": 50, "learning_rate": 0.01, "batch_size": 8},
        ("overfitting",),
    ),
    "1,000 characters learned by heart": (
        {
            "corpus_limit": 1_000, "num_epochs": 150, "batch_size": 2, "num_steps": 16,
            "hidden_size": 128, "learning_rate": 0.01, "split": (0.9, 0.1, 0.0),
        },
        ("overfitting",),
    ),
    "adamw at 0.00002": ({"learning_rate": 2e-5}, ("learning rate too low",)),
    "adamw at 0.0001": ({"learning_rate": 1e-4}, ("learning rate too low",)),
    "sgd at 0.01": ({"optimizer": "sgd", "learning_rate": 0.01}, ("learning rate too low",)),
    "90% dropout": ({"dropout": 0.9}, ("regularization too strong",)),
    "weight decay 3": ({"weight_decay": 3.0}, ("regularization too strong",)),
    "a batch of 4,096 tokens": (
        {"batch_size": 128, "num_epochs": 5},
        ("batch too large for the text",),
    ),
    "a batch of 2,048 tokens, 1 second": (
        {
            "corpus_limit": 10_000, "batch_size": 32, "num_steps": 64, "hidden_size": 128,
            "num_epochs": 0, "max_seconds": 1.0,
        },
        ("batch too large for the text",),
    ),
    "4 epochs": ({}, ("training too short",)),
    "4 epochs, cosine": ({"schedule": "cosine"}, ("training too short",)),
    "16,000 words, sgd": (
        {"tokenizer": "word", "optimizer": "sgd", "corpus_limit": 16_000}, ("training too short",)
    ),
    "a text that stands twice in the corpus": (
        {
            "corpus": ("python-reference", "python-reference"), "corpus_limit": 0,
            "num_epochs": 0, "max_tokens": 150_000,
        },
        ("held-out text is a copy", "training too short"),
    ),
}  # fmt: skip
"""For each description: the settings, and the illnesses that the run really has."""

HEALTHY: dict[str, dict[str, Any]] = {
    "lstm, adamw": {},
    "lstm, builtin, cosine": {"engine": "builtin", "schedule": "cosine"},
    "lstm, textbook": {"engine": "textbook", "batch_size": 16, "num_steps": 16},
    "lstm, sgd": {"optimizer": "sgd", "learning_rate": 2.0},
    "two gru layers, dropout, one-cycle": {
        "cell": "gru", "num_layers": 2, "schedule": "one-cycle",
        "dropout": 0.2, "layer_dropout": 0.2, "weight_dropout": 0.2,
    },
    "gru, adagrad, random windows": {"cell": "gru", "optimizer": "adagrad", "batching": "random"},
    "rnn, rmsprop": {"cell": "rnn", "optimizer": "rmsprop"},
    "rnn-relu, adam": {"cell": "rnn-relu", "optimizer": "adam"},
    "bytes, one-hot": {
        "tokenizer": "byte", "input": "one-hot", "embedding_size": 64,  # the default: none is used
    },
    "gru, clipped at every step": {"cell": "gru", "clip_norm": 0.02},
}  # fmt: skip
"""Various cells, engines, optimizers, schedules and tokenizers; see `NAMES`."""


def made_up_names(count: int = 1579, seed: int = 5) -> str:
    """A short text that a small network learns in a second, better than an n-gram."""
    rng, names = random.Random(seed), set[str]()
    while len(names) < count:
        syllables = rng.choices([1, 2, 3], [2, 5, 2])[0]
        name = "".join(
            rng.choice(STARTS) + rng.choice(VOWELS) + rng.choice(ENDS) for _ in range(syllables)
        )
        if 2 < len(name) < 10:
            names.add(name.capitalize())
    lines = sorted(names)
    rng.shuffle(lines)
    return "\n".join(lines) + "\n"


STARTS = (
    "b", "br", "c", "ch", "d", "dr", "f", "fr", "g", "gr", "h", "j", "k", "kr", "l", "m", "n",
    "p", "r", "s", "sh", "st", "t", "th", "tr", "v", "w", "z",
)  # fmt: skip
VOWELS = ("a", "a", "a", "e", "e", "e", "i", "i", "i", "o", "o", "u", "ai", "ea", "ie", "oo", "ia")
ENDS = ("", "", "", "", "n", "r", "l", "s", "th", "m", "nd", "rt", "ck")
