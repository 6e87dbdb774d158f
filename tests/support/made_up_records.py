"""Made-up records of an experiment, with everything that can occur in a report."""

import math
from dataclasses import replace
from typing import Any

import numpy as np

from rnnlab.experiments.plan import Plan, make_plan
from rnnlab.experiments.records import Points, Records, RunRecord, Timing

BASELINES = {"uniform": 4.807, "unigram": 4.082, "6-gram": 2.140, "xz": 2.510, "bzip2": 2.355}

# name, group, change, final held-out bits/character, training perplexity, tokens/s, decay
VARIANTS: list[tuple[str, str, dict[str, Any], float, float, float, float]] = [
    ("LSTM", "cells", {}, 2.196, 1.62, 142_600, 0.9),
    ("GRU", "cells", {"cell": "gru"}, 2.171, 1.55, 171_300, 1.4),
    ("RNN, tanh", "cells", {"cell": "rnn"}, 2.436, 2.31, 402_700, 4.8),
    ("RNN, ReLU", "cells", {"cell": "rnn-relu"}, 2.391, 2.12, 409_900, 6.1),
    ("batch size 64", "batches", {"batch_size": 64}, 2.266, 1.98, 231_800, 0.9),
    ("batch size 16", "batches", {"batch_size": 16}, 2.189, 1.43, 97_100, 0.9),
    ("sequence length 60", "batches", {"num_steps": 60}, 2.211, 1.66, 148_200, 1.0),
    ("dropout 0.5", "regularisation and size", {"dropout": 0.5}, 2.049, 2.26, 138_400, 0.8),
    (
        "weight decay 0.1",
        "regularisation and size",
        {"optimizer": "adamw", "weight_decay": 0.1},
        2.158,
        1.71,
        139_000,
        0.9,
    ),
    ("512 units", "regularisation and size", {"hidden_size": 512}, 2.301, 1.21, 61_500, 1.1),
    (
        "512 units, dropout 0.5",
        "regularisation and size",
        {"hidden_size": 512, "dropout": 0.5},
        2.043,
        1.94,
        60_900,
        1.0,
    ),
    ("learning rate 5", "regularisation and size", {"learning_rate": 5.0}, 2.23, 1.5, 142_100, 1.2),
]
OUTCOMES = (
    "held_out_bits_per_character",
    "best_held_out_bits_per_character",
    "training_perplexity",
    "tokens_per_second",
    "training_seconds",
    "gradient_decay",
)
PHRASES = ("time traveller", "when he wakes up", "the time traveller finds himself")
WORDS = [
    "the",
    "and",
    "of",
    "a",
    "i",
    "to",
    "was",
    "time",
    "machine",
    "saw",
    "little",
    "upon",
    "had",
]
HELD_OUT = "held_out_bits_per_character"
CLAIMS: list[dict[str, Any]] = [
    {
        "text": "Dropout of 0.5 lowers the loss on unseen text, whatever the size.",
        "note": "Of the last weights, since the report looks at no others.",
        "comparison": [
            {"variant": "dropout 0.5", "against": "LSTM", "outcome": HELD_OUT, "expect": "lower"},
            {
                "variant": "512 units, dropout 0.5", "against": "512 units", "outcome": HELD_OUT,
                "expect": "lower",
            },
        ],
    },
    {
        "text": "A larger batch changes nothing but the speed.",
        "comparison": [
            {
                "variant": "batch size 64", "against": "LSTM", "outcome": HELD_OUT,
                "expect": "equivalent", "margin": 0.02,
            },
            {
                "variant": "batch size 64", "against": "LSTM", "outcome": "tokens_per_second",
                "expect": "higher",
            },
        ],
    },
    {
        "text": "A learning rate of 5 is as good as one of 1.",
        "note": "Within 0.035 bits/character.",
        "comparison": [
            {
                "variant": "learning rate 5", "against": "LSTM", "outcome": HELD_OUT,
                "expect": "equivalent", "margin": 0.035,
            },
        ],
    },
    {
        "text": "Dropout helps the larger network more than the smaller one.",
        "comparison": [
            {
                "variant": "512 units, dropout 0.5", "against": "dropout 0.5", "outcome": HELD_OUT,
            },
        ],
    },
]  # fmt: skip


def made_up_plan(**changes: Any) -> Plan:
    """The plan: twelve variants in three groups, six seeds; `changes` replace keys of the file.

    Variants that change nothing of themselves get a size of their own, so that they differ.
    """
    content: dict[str, Any] = {
        "title": "What helps a small LSTM on a small text?",
        "question": "Which changes to the textbook's LSTM lower the loss on text it has not seen, "
        "and what does each of them cost in speed?",
        "source": "the course's lab report, measured on a GPU that it does not name",
        "note": "All variants see the same number of characters, so that those with a smaller "
        "batch take more steps.",
        "base": {
            "corpus": "timemachine", "preprocessing": "letters", "hidden_size": 256,
            "num_epochs": 100, "learning_rate": 1.0, "optimizer": "sgd", "num_steps": 35,
        },
        "seeds": 6,
        "outcomes": list(OUTCOMES),
        "phrases": list(PHRASES),
        "gradient_flow": True,
        "timing": {"rounds": 7},
        "variant": [
            {"name": name, "group": group, "change": change}
            for name, group, change, *_ in VARIANTS
        ],
        "claim": CLAIMS,
        **changes,
    }  # fmt: skip
    if "variant" not in changes:
        variants = content["variant"]
        variants[0]["note"] = "as the textbook has it"
        variants[0]["reported"] = {"training_perplexity": 1.1, "tokens_per_second": 298_764.3}
        variants[4]["reported"] = {"training_perplexity": 2.3, "tokens_per_second": 560_241.0}
        variants[11]["note"] = "the report calls this stable"
    content["variant"] = [
        {"change": {"hidden_size": 256 + i}, **variant}
        for i, variant in enumerate(content["variant"])
    ]
    return make_plan(content, "small_lstm", "experiment.toml")


def made_up_records(plan: Plan | None = None, points: int = 50) -> Records:
    """Return records of all runs of a plan; one seed of `learning rate 5` has diverged."""
    plan = plan or made_up_plan()
    rng = np.random.default_rng(0)
    facts = {name: figures for name, _, _, *figures in VARIANTS}
    for number, variant in enumerate(plan.variants):
        facts.setdefault(variant.name, list(VARIANTS[number % len(VARIANTS)][3:]))
    luck = {seed: rng.normal(0, 0.012) for seed in plan.settings.seeds}
    runs = []
    for planned in plan.runs:
        held_out, training, speed, decay = facts[planned.variant]
        run = RunRecord(planned.id, planned.variant, planned.seed, "finished")
        if (planned.variant, planned.seed) == ("learning rate 5", 3):
            reason = "loss is nan after step 1,204 (epoch 37), learning rate 5"
            runs.append(replace(run, status="diverged", reason=reason))
            continue
        shift = luck[planned.seed] + rng.normal(0, 0.006)
        curves = _curves(rng, held_out + shift, training * math.exp(shift), points)
        best = min(y for _, y in curves["held_out"])
        runs.append(
            replace(
                run,
                outcomes={
                    "held_out_bits_per_character": held_out + shift,
                    "best_held_out_bits_per_character": best + 0.01,
                    "overfitting_bits_per_character": held_out + shift - best,
                    "training_perplexity": training * math.exp(shift),
                    "tokens_per_second": speed * math.exp(rng.normal(-0.4, 0.1)),
                    "training_seconds": 15_352_200 / speed * math.exp(rng.normal(0.4, 0.1)),
                    "initial_gradient_decay": decay + 1.2,
                    "gradient_decay": decay + rng.normal(0, 0.1),
                },
                curves=curves,
                baselines=BASELINES,
                gradient_flow={
                    "initial": _flow(rng, decay + 1.2),
                    "trained": _flow(rng, decay),
                },
                texts=[_text(rng, phrase) for phrase in plan.settings.phrases],
                data={"corpus_sha256": "8424dbd9", "tokens": {"train": 153_522, "test": 8_529}},
                environment=environment(planned.seed),
            )
        )
    timings = [
        Timing(
            variant.name,
            round_,
            {
                "tokens_per_second": (speed := facts[variant.name][2] * rng.normal(1, 0.01)),
                "training_seconds": 15_352_200 / speed,
            },
        )
        for round_ in range(plan.settings.timing.rounds if plan.settings.timing else 0)
        for variant in plan.variants
    ]
    command = "rnnlab experiment experiments/small_lstm/experiment.toml"
    return Records(plan, runs, timings, environment(9) if timings else {}, command)


def environment(day: int) -> dict[str, Any]:
    return {
        "date": f"2025-11-{day + 10:02}T08:15:00+00:00", "rnnlab": "0.2.0",
        "commit": "4f0c9d1b7a20", "python": "3.11.14", "torch": "2.13.0+cpu", "numpy": "2.3.4",
        "tokenizers": "0.22.1", "platform": "Linux-6.12-x86_64-with-glibc2.41",
        "cpu": "AMD EPYC 9B45", "cpu_capability": "AVX512", "cores": 2, "threads": 1, "gpu": None,
    }  # fmt: skip


def _curves(
    rng: np.random.Generator, held_out: float, perplexity: float, points: int
) -> dict[str, Points]:
    """Return a falling training curve and a held-out curve that rises after its first third."""
    epochs = np.linspace(100 / points, 100, points)
    share = epochs / 100
    training = math.log(perplexity) + (2.9 - math.log(perplexity)) * np.exp(-4 * share)
    training += rng.normal(0, 0.012, points)
    rise = max(0.0, 0.9 - math.log(perplexity)) * 0.28
    shape = 1.9 * np.exp(-14 * share) + rise * np.maximum(0, share - 1 / 3) ** 1.2
    bits = held_out + shape - shape[-1] + rng.normal(0, 0.006, points)
    return {
        "training": list(zip(epochs.tolist(), training.tolist(), strict=True)),
        "held_out": list(zip(epochs.tolist(), bits.tolist(), strict=True)),
    }


def _flow(rng: np.random.Generator, decades: float) -> list[float]:
    steps = np.arange(51)
    return list(0.03 * 10 ** (-decades * steps / 30 + rng.normal(0, 0.08, 51)))


def _text(rng: np.random.Generator, phrase: str) -> str:
    return f"{phrase} {' '.join(rng.choice(WORDS, 18))}"


def untimed(records: Records) -> Records:
    """Return the records of an experiment that does not measure speed separately."""
    settings = records.plan.settings.model_copy(update={"timing": None})
    return replace(records, plan=replace(records.plan, settings=settings), timings=[])
