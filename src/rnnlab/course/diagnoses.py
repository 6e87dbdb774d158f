"""Exercises of "Break it": what a learner takes a patient's illness for, held against its chart.

A wrong answer is told which figure contradicts it. All figures are those of the learner's own run.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from rnnlab.config import LEARNING_RATES
from rnnlab.course.charts import chart
from rnnlab.course.checking import affirmed, exercise
from rnnlab.course.patients import PATIENTS, patient

if TYPE_CHECKING:
    from rnnlab.doctor.evidence import Evidence

NAMES = {
    "diverged": r"diverg|explo|blew up|blows? up|\bnan\b|infinit|not finite",
    "stuck at the unigram level": r"unigram|stuck|plateau|(token|letter|character) frequenc"
    r"|ignores (its|the) input",
    "clipping every step": r"(?<!un)clip",
    "saturated gates": r"gate|saturat",
    "dead units": r"\bdead|dying|\bdie|silent|never (fire|change)",
    "overfitting": r"over-? ?fit|memori[sz]|by heart",
    "regularization too strong": r"regulari[sz]|drop-? ?out|weight.?decay",
    "learning rate too low": r"(rate|steps?|\blr) .*(low|small|tiny|short)"
    r"|(low|small|tiny|short) (learning.?rate|steps|lr)",
    "batch too large for the text": r"batch",
    "held-out text is a copy": r"\bcop(y|ies|ied)|duplicat|leak|contaminat|same text"
    r"|\btwice\b|(is|are|stands?|lies?) in the training",
    "training too short": r"(training|trained|run|budget)( \w+)* (short|small|brief)"
    r"|(too few|more) (epochs|steps)|under-? ?train|long enough|(stopped|ended) too (early|soon)"
    r"|too little training",
}  # fmt: skip
"""What an answer may say, in small letters, by the doctor's name."""

WEAK = r"\b(low|little|small|weak|less|off)\b"
OPPOSITES = {
    "clipping every step": r"(norm|theta|threshold).* (high|large|big)|clip\w* (is |was )?off",
    "regularization too strong": rf"(regulari|drop|decay).*{WEAK}|{WEAK}.*(regulari|drop|decay)",
    "batch too large for the text": rf"batch.*{WEAK}|{WEAK}.*batch",
}
"""What has the same word and means the opposite."""

VAGUE = {
    r"under-? ?fit": "Underfitting is what you see. Name what causes it.",
    r"(rate|\blr)( \w+)* (high|large|big)": "That may be the cause. Name the illness that it has "
    "led to: the doctor looks at what happened, and then at the settings.",
    r"\binit|first weights|clip|regulari|drop|decay|batch": "That may be the cause. Name the "
    "illness that it has led to.",
    r"slow": "That is what you see. Which figure of the chart says what makes it slow?",
    r"few (updates|steps)": "That is what you see. Which setting makes them so few?",
    r"vanish": "Gradients vanish in every one of these networks. Which figure of the chart is odd?",
    r"^(the )?learning.?rate$": "What is wrong with the learning rate?",
}
"""What is said of answers that name no illness."""


def named(answer: str) -> list[str]:
    """Return the illnesses that an answer names, by the doctor's names."""
    words = " ".join(answer.lower().replace("-", " ").split())
    exact = words.replace(" ", "-")
    for name in NAMES:
        if exact == name.replace(" ", "-"):
            return [name]
    words = affirmed(words)
    found = [name for name, pattern in NAMES.items() if re.search(pattern, words)]
    return [n for n in found if n not in OPPOSITES or not re.search(OPPOSITES[n], words)]


def diagnosis_fault(number: int, answer: Any) -> str:
    """Return what contradicts an answer, "" if it is right; trains the patient if need be."""
    if not isinstance(answer, str) or not answer.strip():
        return 'Name the illness in words, such as "overfitting".'
    illness, found = PATIENTS[number].illness, named(answer)
    if found == [illness]:
        return ""
    if len(found) > 1:
        return f"That names several: {', '.join(found)}. Which one is it?"
    if not found:
        words = answer.strip().lower()
        vague = next((reply for sign, reply in VAGUE.items() if re.search(sign, words)), "")
        return vague or f"Name one of the illnesses that the doctor knows: {', '.join(NAMES)}."
    return contradiction(found[0], chart(patient(number)).evidence)


def contradiction(guess: str, evidence: Evidence) -> str:
    """Return the figures of a run that speak against an illness which it does not have."""
    history = evidence.history
    if history.stopped_by == "divergence":
        return (
            f"Training ended after step {history.steps:,}, at {history.progress:.0%} of its "
            f"budget, and its last logged loss is {history.training[-1].nats_per_token:.3g} nats "
            "per token. What else may have been wrong with it: why did it end there?"
        )
    return AGAINST[guess](evidence)


def _not_diverged(e: Evidence) -> str:
    from rnnlab.doctor.history import mean_nats

    first, last = mean_nats(e.history.part(0, 0.25)), mean_nats(e.history.part(0.75, 1))
    return (
        f"No loss in its log is infinite, and it has not lost what it had learned: {first:.2f} "
        f"nats per token in the first quarter of the run, {last:.2f} in the last."
    )


def _not_stuck(e: Evidence) -> str:
    level, curve = e.text.unigram_nats, e.curve
    third, last = curve.third_quarter_nats, curve.last_quarter_nats
    if last > 1.05 * level:
        return (
            f"Token frequencies alone give {level:.2f} nats per token. It ends at {last:.2f}, and "
            "has not even come that far. What keeps it from getting there?"
        )
    if last < 0.95 * level:
        return (
            f"Token frequencies alone give {level:.2f} nats per token. It ends at {last:.2f}, so "
            "it has learned to use what it reads."
        )
    return (
        f"It ends near that level, {level:.2f} nats per token, but it is only passing by: "
        f"{third:.2f} in the third quarter of the run, {last:.2f} in the last."
    )


def _not_clipping(e: Evidence) -> str:
    from rnnlab.doctor.history import mean_clipped_share

    optimizer = e.settings.training.optimizer
    share = mean_clipped_share(e.history.part(0.5, 1))
    words = f"In the second half of the run {share:.0%} of the steps were clipped."
    if optimizer == "sgd":
        return words
    return (
        f"{words} Its optimizer is {optimizer}, which divides by the size of the gradient: with it "
        "clipping, however often it happens, does not make steps short."
    )


def _not_saturated(e: Evidence) -> str:
    shares = {
        f"{each.gate.name} of layer {each.layer}": each.low_share + each.high_share
        for each in e.weights.gates
        if each.gate.name not in ("g", "n")
    }
    name = max(shares, key=lambda gate: shares[gate])
    return (
        f"Nearest to its ends is {name}, with {shares[name]:.0%} of its activations there. The "
        "others lie where the slope lets a gradient through."
    )


def _not_dead(e: Evidence) -> str:
    dead, units = (sum(getattr(layer, what) for layer in e.weights.layers)
                   for what in ("dead", "units"))  # fmt: skip
    return f"Over the text, {dead} of its {units} units never change."


def _not_overfitting(e: Evidence) -> str:
    held_out = e.history.held_out
    lowest, last = min(held_out, key=lambda line: line.nats_per_token), held_out[-1]
    if lowest is last:
        return (
            f"Held-out text is predicted best at the end: {last.nats_per_token:.2f} nats per token "
            f"at step {last.step:,}. With overfitting that curve turns."
        )
    return (
        f"The held-out loss, {lowest.nats_per_token:.2f} nats per token at its lowest and "
        f"{last.nats_per_token:.2f} at the end, stays close to the training loss, "
        f"{e.end_nats:.2f}: it knows neither text by heart."
    )


def _not_regularized(e: Evidence) -> str:
    from rnnlab.doctor.advice import decay_share

    model, share = e.settings.model, decay_share(e.settings)
    largest = max(model.dropout, model.input_dropout, model.layer_dropout, model.weight_dropout)
    return (
        f"Its largest dropout is {largest:g}, and weight decay takes {share:.1g} of every weight "
        "at a step. Neither stops a network from learning."
    )


def _rate_not_low(e: Evidence) -> str:
    training, moved = e.settings.training, e.weights.moved
    usual = LEARNING_RATES[training.optimizer]
    words = (
        f"The learning rate is {training.learning_rate:g}, where {usual:g} is usual for "
        f"{training.optimizer}"
    )
    if moved < 0.25:
        return (
            f"{words}. The weights have hardly moved, {moved:.2g} of their initial size, so the "
            "steps are short; but something other than the rate makes them so."
        )
    return f"{words}, and the weights have moved by {moved:.2g} of their initial size."


def _batch_not_large(e: Evidence) -> str:
    history = e.history
    return (
        f"There were {history.steps:,} updates, {history.steps / history.epochs:.0f} in each "
        "epoch. Are these few? Look at what they have achieved."
    )


def _not_copied(e: Evidence) -> str:
    share = max(copies.copied_share for copies in e.text.copies.values())
    return f"Of the held-out characters, {share:.0%} stand in passages of the training text."


def _not_short(e: Evidence) -> str:
    history = e.history
    before = min(x.nats_per_token for x in history.held_out if x.step <= history.steps / 2)
    after = min(x.nats_per_token for x in history.held_out if x.step > history.steps / 2)
    reached = history.reached
    if reached and reached.bits_per_character < reached.ngram_bits_per_character:
        return (
            f"A run that is too short is behind the n-gram. This one has "
            f"{reached.bits_per_character:.2f} bits per character on held-out text, the n-gram "
            f"{reached.ngram_bits_per_character:.2f}."
        )
    if after > 0.98 * before:
        return (
            f"What would a longer training bring? Held-out nats per token were {before:.2f} at "
            f"best in the first half of the run, and {after:.2f} in the second."
        )
    return (
        f"It was still learning when it ended, from {before:.2f} held-out nats per token in the "
        f"first half to {after:.2f} in the second. But a longer training does not remove what made "
        "it slow. Compare its settings and its chart with what is usual."
    )


AGAINST: dict[str, Callable[[Evidence], str]] = {
    "diverged": _not_diverged,
    "stuck at the unigram level": _not_stuck,
    "clipping every step": _not_clipping,
    "saturated gates": _not_saturated,
    "dead units": _not_dead,
    "overfitting": _not_overfitting,
    "regularization too strong": _not_regularized,
    "learning rate too low": _rate_not_low,
    "batch too large for the text": _batch_not_large,
    "held-out text is a copy": _not_copied,
    "training too short": _not_short,
}
"""By illness, what in a run that does not have it speaks against it."""

for _number in PATIENTS:
    exercise(f"B.{_number}")(partial(diagnosis_fault, _number))
