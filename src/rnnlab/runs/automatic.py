"""Settings chosen from the text, the budget and the speed of this machine.

Each rule is a formula. Its constants were fitted on parts of tinyshakespeare's training text; the
experiments are in docs/explanation/recipes.md. A setting that is given stays as it is, and the
rules for the others take it into account.

Legend: N tokens of training text, D tokens that training reads, so D / N epochs, V vocabulary size,
H hidden units, P weights.
"""

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from rnnlab.config import DEFAULT_SECONDS, Settings
from rnnlab.console import counted
from rnnlab.engines import choose_engine, precision_needs
from rnnlab.errors import CorpusError, UsageError
from rnnlab.lm.compute import choose_device
from rnnlab.lm.moments import Moments
from rnnlab.runs.effects import without_effect
from rnnlab.runs.machine_speed import MachineSpeed, work

HIDDEN_SIZES = (
    32, 48, 64, 96, 128, 160, 192, 224, 256, 320, 384, 448, 512, 640, 768, 896, 1024, 1280, 1536,
    1792, 2048,
)  # fmt: skip

EMBEDDING_SIZE = 64

LARGEST_UNTIMED = 256
"""The largest H without a budget in seconds: nothing says then how long training may take."""

TOKENS_PER_WEIGHT = 2.0
"""In seconds that are given, a larger network is worth its time while it can read so many tokens
for each weight. In equal tokens the largest network is best."""

WEIGHTS_PER_TOKEN = 40
"""More weights than that for each token of training text are not worth the memory."""

MAX_EPOCHS = 12
"""A text that is read more often teaches nothing more."""

NGRAM_ORDERS = {"char": 10, "byte": 10, "word": 4, "bpe": 5}

TYPICAL_DROPOUT = {"dropout": 0.2, "input_dropout": 0.05}
"""While the speed is measured, before the rates are chosen: dropout takes time."""

SHORTEST_SECONDS = 1.0
SHORTEST_TEXT = 100


@dataclass(frozen=True)
class Automatic:
    """The settings in which everything that was not given has been chosen."""

    settings: Settings
    chose: str
    """What was chosen, in words."""
    why: str
    tokens_per_second: float = 0.0
    """What training is expected to reach; 0 if the speed was not measured."""


Measure = Callable[[Settings], MachineSpeed]


def choose_precision(settings: Settings, given: Collection[str]) -> Settings:
    """Take bfloat16 where this machine's processor computes in it and `native` is the fastest."""
    if {"precision", "engine"} & {*given}:
        return settings
    device = choose_device(settings.machine.device)
    if device != "cpu" or precision_needs("bfloat16", device):
        return settings
    engine, _ = choose_engine("auto", settings.model.cell, device, "bfloat16")
    return settings.with_changes(precision="bfloat16") if engine.name == "native" else settings


def choose_settings(
    settings: Settings,
    given: Collection[str],
    tokens: int,
    vocabulary_size: int,
    measure: Measure,
    evaluation_cost: Callable[[Settings], float] = lambda settings: 0.0,
) -> Automatic:
    """Choose what is not given, except for the precision.

    tokens: N. vocabulary_size: V. measure: returns the speed of training with settings like these;
    it is called only if the budget is one in seconds. evaluation_cost: returns the work of one
    evaluation during training, in tokens trained on.

    Raises UsageError for a budget below SHORTEST_SECONDS, CorpusError for a text below
    SHORTEST_TEXT.
    """
    N, V, seconds = tokens, vocabulary_size, budget_seconds(settings)
    if settings.model.tie_weights:  # only one of the two may be given, but they are the same
        given = {*given, "hidden_size", "embedding_size"}
    if N < SHORTEST_TEXT:
        raise CorpusError(
            f"the training split has {N} tokens; it needs at least {SHORTEST_TEXT} to choose "
            "settings for it (--no-automatic takes the defaults instead)"
        )
    if 0 < seconds < SHORTEST_SECONDS:
        raise UsageError(
            f"max_seconds = {seconds:g} is too short to choose settings for; it must be at least "
            f"{SHORTEST_SECONDS:g} (--no-automatic takes the defaults instead)"
        )

    def take(settings: Settings, **values: Any) -> Settings:
        new = {name: value for name, value in values.items() if name not in given}
        if settings.model.input == "one-hot":
            new.pop("input_dropout", None)
        useless = without_effect(settings.with_changes(**new), new)
        return settings.with_changes(**{n: v for n, v in new.items() if n not in useless})

    settings = settings.with_changes(max_seconds=seconds)
    order = NGRAM_ORDERS[settings.data.tokenizer]
    settings = take(settings, **batch_shape(N), ngram_order=order)
    speed = measure(take(settings, **TYPICAL_DROPOUT)) if seconds else None
    moments = Moments(settings.training.num_evaluations, evaluation_cost(settings))

    def affordable(settings: Settings) -> float:
        """Return the tokens that the budget is enough for."""
        training, limits = settings.training, []
        if speed:
            in_time = seconds / speed.seconds_per_token(settings.model, V)
            limits.append(in_time - moments.work(in_time))
        if training.max_tokens:
            limits.append(training.max_tokens)
        if training.num_epochs:
            limits.append(training.num_epochs * N)
        return min(limits)

    def is_worth_its_time(settings: Settings) -> bool:
        weights = work(settings.model, V)
        is_in_time = not speed or weights * TOKENS_PER_WEIGHT <= affordable(settings)
        return is_in_time and weights <= WEIGHTS_PER_TOKEN * N

    possible = [H for H in HIDDEN_SIZES if speed or H <= LARGEST_UNTIMED]
    sizes = [take(settings, hidden_size=H, embedding_size=EMBEDDING_SIZE) for H in possible]
    settings = next(filter(is_worth_its_time, reversed(sizes)), sizes[0])
    possible_epochs = affordable(settings) / N
    if speed or possible_epochs > MAX_EPOCHS:  # the speed may prove higher
        settings = take(settings, num_epochs=MAX_EPOCHS)
    epochs = affordable(settings) / N
    rates = regularization(epochs, N, alone=not settings.model.ngram_order)
    if settings.training.optimizer != "adamw":  # whose decay is not a penalty in the loss
        rates.pop("weight_decay", None)
    settings = take(settings, **rates, **optimization(settings))
    why = f"{N:,} training tokens"
    rate = 0.0
    if speed:
        rate = 1 / speed.seconds_per_token(settings.model, V)
        why += f", {seconds:g} s at about {rate:,.0f} tokens/s here"
    about = f"about {counted(round(epochs), 'epoch')}"
    if round(possible_epochs) > MAX_EPOCHS == epochs:
        about = (
            f"enough for {round(possible_epochs):,} epochs, but more than {MAX_EPOCHS} do not help"
        )
    why += f": {about if epochs >= 1 else 'less than an epoch'}"
    return Automatic(settings, _summary(settings), why, rate)


def batch_shape(N: int) -> dict[str, int]:
    """Return B and T: 32 x 64, smaller for a short text, which needs steps more than speed."""
    T = 64 if N >= 20_000 else 32 if N >= 2_000 else 16
    B = 2 ** math.floor(math.log2(max(1.0, N / (T * 96))))
    return {"batch_size": min(32, max(4, B)), "num_steps": T}


def regularization(epochs: float, N: int, alone: bool = False) -> dict[str, float]:
    """Return the rates of dropout: more for a text that is read often, and for a short one.

    alone: whether no n-gram model joins. Then the network needs more of everything.
    """
    rate = 0.1 + 0.25 * math.log(max(epochs, 0.01) / 4) + 0.1 * max(0.0, math.log(250_000 / N))
    of_input = max(0.1 * _doublings(epochs / 6), 0.2 * _doublings(100_000 / N) * (epochs > 4))
    more = {}
    if alone and epochs > 4:
        rate, of_input, more = rate + 0.15, max(of_input, 0.1), {"weight_decay": 0.1}
    return {
        "dropout": round(min(0.6, max(0.0, rate)), 2),
        "input_dropout": round(of_input, 2),
        **more,
    }


def _doublings(ratio: float) -> float:
    """Return log2 of a ratio, between 0 and 1."""
    return math.log2(min(2.0, max(1.0, ratio)))


def optimization(settings: Settings) -> dict[str, Any]:
    """Return what AdamW converges fastest with: see docs/explanation/recipes.md."""
    if settings.training.optimizer not in ("adam", "adamw"):
        return {"schedule": "linear"}
    rate = 0.015 * min(1.0, math.sqrt(256 / settings.model.hidden_size))
    return {
        "learning_rate": float(f"{rate:.2g}"), "beta1": 0.8, "beta2": 0.95, "schedule": "linear",
        "output_scale": 6.0,
    }  # fmt: skip


def budget_seconds(settings: Settings) -> float:
    """Return the budget in seconds: the default one if there is no other, 0 if there is."""
    training = settings.training
    others = training.num_epochs or training.max_tokens
    return training.max_seconds or (0.0 if others else DEFAULT_SECONDS)


def _summary(settings: Settings) -> str:
    model, data, training = settings.model, settings.data, settings.training
    words = [
        f"H = {model.hidden_size}",
        f"batches of {data.batch_size} x {data.num_steps}",
        f"dropout {model.dropout:g}"
        + (f" and {model.input_dropout:g} of the input" if model.input_dropout else ""),
        f"learning rate {training.learning_rate:g} {training.schedule}",
        f"n-grams to order {model.ngram_order}" if model.ngram_order else "no n-grams",
        settings.machine.precision,
    ]
    return ", ".join(words)
