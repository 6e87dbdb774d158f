"""Illnesses that the log alone shows: divergence, clipping, overfitting, too large batches."""

import math
from statistics import median

from rnnlab.console import counted
from rnnlab.data.splits import is_held_out
from rnnlab.doctor.advice import (
    decays_fast,
    flag,
    longer_budget,
    lower_rate,
    rounded,
    smaller_batch,
    weaker_decay,
)
from rnnlab.doctor.diagnosis import Finding, MissingEvidence
from rnnlab.doctor.evidence import MIN_LINES, Evidence
from rnnlab.doctor.history import History, mean_clipped_share, mean_nats
from rnnlab.lm.optimizers import peak_learning_rate

LOST_SHARE = 0.5
"""Share of what had been learned. A jump of the loss that training recovers from is smaller, or
ends within the twentieth of a run over which the loss is averaged."""

MIN_LOST_NATS = 0.2
"""A smaller rise is the noise of a run that has hardly learned anything yet."""

NOISE = 0.1
"""Share of a loss by which means over a twentieth of a run may differ without a trend."""

EVERY_STEP = 0.95
"""Share of clipped steps in the second half of a run. Clipping is meant for rare steep places
(Pascanu, Mikolov and Bengio 2013, arXiv:1211.5063, section 3.2). Above this share the limit, not
the gradient, sets the length of every update."""

RISE = 0.02
"""Share by which held-out nats must have risen above their minimum; over LATE_EVALUATIONS this is
more than the noise between evaluations."""

LATE_EVALUATIONS = 3
"""Number of last evaluations that must all lie above that: a single one may be noise."""

FEW_BATCHES = 20
"""Batches per epoch; with so few, one update averages over a twentieth of the text."""

FEW_UPDATES = 300
"""Updates in the whole run. So few leave even a well-tuned network in the first fall of its loss;
with more, a large batch may be slow but is a legitimate choice."""

WANTED_BATCHES = 100
"""Batches per epoch that the advice aims at."""

STILL_FALLING = 0.01
"""Share by which training nats fall from the third quarter of a run to the last, if it has not
settled."""


def diverged(evidence: Evidence) -> Finding | None:
    """Find a loss or gradient that became NaN or infinite, or a loss that rose and stayed high."""
    history, settings = evidence.history, evidence.settings
    if not history.training and not history.stopped_by:
        raise MissingEvidence("nothing has been logged yet")
    shown = _stopped(history) or _not_finite(history) or _exploded(history)
    if not shown:
        return None
    advice = [] if settings.model.init == "torch" else [flag(settings, "init", "torch")]
    advice += [*weaker_decay(settings), lower_rate(settings, 10, clip=True)]
    if not settings.training.warmup:
        advice.append("then, if it diverges again, --warmup 0.05")
    return Finding("diverged", "diverged", tuple(shown), tuple(advice))


def clipping(evidence: Evidence) -> Finding | None:
    """Find clipping of nearly every gradient in the second half of a run with SGD.

    All other optimizers divide by the size of the gradients, and lose nothing if all are clipped.
    """
    history, settings, _ = evidence.history, evidence.settings, evidence.curve
    limit = settings.training.clip_norm
    if settings.training.optimizer != "sgd":
        return None
    lines = history.part(0.5, 1)
    share = mean_clipped_share(lines)
    if not limit or share < EVERY_STEP:
        return None
    norm = median(line.gradient_norm for line in lines if line.gradient_norm > 0)
    shown = (
        f"{share:.0%} of the steps after step {lines[0].step:,} were clipped",
        f"their gradient norm is {norm:.3g} (median), {norm / limit:.3g} times clip_norm {limit:g}",
    )
    rate = peak_learning_rate(settings.training) * limit / norm
    advice = [
        flag(settings, "clip_norm", 2 * norm, "twice the usual norm"),
        f"then, if that diverges, --learning-rate {rounded(rate)}: steps stay as long as now",
    ]
    return Finding("clipping every step", "clipping every step", shown, tuple(advice))


def overfitting(evidence: Evidence) -> Finding | None:
    """Find a held-out loss that rose and stayed high while the training loss kept falling."""
    history, settings, _ = evidence.history, evidence.settings, evidence.curve
    held_out = history.held_out
    if not is_held_out(settings.data, "validation"):
        raise MissingEvidence("nothing was held out for validation (--split)")
    if not held_out and history.progress * settings.training.num_evaluations >= 1:
        raise MissingEvidence(
            "there is no held-out evaluation: the validation split is too short (--split)"
        )
    if len(held_out) <= LATE_EVALUATIONS:
        raise MissingEvidence(
            f"{counted(len(held_out), 'held-out evaluation')}{history.so_far}; at least "
            f"{LATE_EVALUATIONS + 1} are needed (--num-evaluations)"
        )
    lowest = min(held_out, key=lambda line: line.nats_per_token)
    late = held_out[-LATE_EVALUATIONS:]
    then, now = history.nats_near(lowest.step), mean_nats(history.part(0.95, 1))
    least = min(line.nats_per_token for line in late)
    if least <= lowest.nats_per_token * (1 + RISE) or now >= then:
        return None
    if now >= min([*_guessing(history), math.inf]) or decays_fast(settings):
        return None  # the network fits neither text
    if history.ended_by_patience:  # the remedy was used: checkpoint/best holds the best weights
        return None
    end = sum(line.nats_per_token for line in late) / len(late)
    rise = end / lowest.nats_per_token - 1
    shown = (
        f"held-out nats per token: {lowest.nats_per_token:.3f} at step {lowest.step:,}, the "
        f"lowest; {end:.3f} in the last {len(late)} evaluations, {rise:.0%} more",
        f"training nats per token: {then:.3f} at step {lowest.step:,}, {now:.3f} at the end",
    )
    advice = []
    if settings.model.dropout < 0.5:
        advice.append(flag(settings, "dropout", 0.3 if settings.model.dropout < 0.3 else 0.5))
    advice.append("more text; until then checkpoint/best has the weights of the lowest loss")
    if not settings.training.patience:
        advice.append("to stop soon after that, --patience 3")
    title = f"overfitting since step {lowest.step:,}"
    return Finding("overfitting", title, shown, tuple(advice))


def batch_too_large(evidence: Evidence) -> Finding | None:
    """Find several epochs made of very few updates while the loss was still falling."""
    history, curve, data = evidence.history, evidence.curve, evidence.settings.data
    tokens = history.train_tokens or evidence.text.tokens
    batches = max(1, tokens // (data.batch_size * data.num_steps))
    if data.batch_size * data.num_steps == 1:
        return None
    few = batches <= FEW_BATCHES and history.steps / history.progress < FEW_UPDATES
    if not few or history.steps < 2 * batches or curve.fall < STILL_FALLING:
        return None
    shown = (
        f"one batch of {data.batch_size} x {data.num_steps} tokens is {1 / batches:.0%} of the "
        f"{tokens:,} training tokens: {counted(batches, 'update')} per epoch",
        f"{history.steps:,} updates in all, and training nats per token were still falling: "
        f"{_quarters(evidence)}",
    )
    settings = evidence.settings
    wanted = max(1, min(tokens // (data.num_steps * WANTED_BATCHES), data.batch_size // 2))
    advice = smaller_batch(settings, 2 ** int(math.log2(wanted)))
    advice += longer_budget(settings)
    title = "batch too large for the text"
    return Finding(title, title, shown, (*advice, "or more text"))


def _quarters(evidence: Evidence) -> str:
    curve = evidence.curve
    return (
        f"{curve.third_quarter_nats:.3f} in the third quarter of the run, "
        f"{curve.last_quarter_nats:.3f} in the last"
    )


def _stopped(history: History) -> list[str]:
    if history.stopped_by != "divergence":
        return []
    shown = [
        f"training stopped after step {history.steps:,}: at the next step the loss or gradient was "
        "not finite, or the loss too large for a perplexity"
    ]
    if history.training:
        last = history.training[-1]
        shown.append(
            f"last logged: {last.nats_per_token:.3g} nats per token, gradient norm "
            f"{last.gradient_norm:.3g}"
        )
    return shown


def _not_finite(history: History) -> list[str]:
    shown = [
        f"{what} is NaN or infinite at step {line.step:,}"
        for what, lines in (
            ("training loss", history.training),
            ("held-out loss", history.held_out),
        )
        for line in lines
        if math.isnan(line.nats_per_token)
    ]
    shown += [
        f"gradient norm is NaN or infinite at step {line.step:,}"
        for line in history.training
        if math.isnan(line.gradient_norm)
    ]
    return shown[:1]


def _exploded(history: History) -> list[str]:
    if len(history.training) < MIN_LINES:
        return []
    twentieths = [history.part(k / 20, (k + 1) / 20) for k in range(20)]
    means = [mean_nats(lines) for lines in twentieths]
    lowest, end = min(means), means[-1]
    learned = max([means[0], *_guessing(history)]) - lowest
    if end - lowest > max(LOST_SHARE * learned, NOISE * lowest, MIN_LOST_NATS):
        step = twentieths[means.index(lowest)][-1].step
        return [f"training nats per token: {lowest:.3g} at step {step:,}, {end:.3g} at the end"]
    before, model = mean_nats(history.part(0.5, 0.75)), history.settings.model
    begins_there = model.init == "torch" and not model.tie_weights
    for guessing in _guessing(history):
        has_settled = end > before * (1 - NOISE)
        if end > guessing * (1 + NOISE) and (has_settled or begins_there):
            return [
                f"training nats per token: {before:.3g} in the third quarter of the run, {end:.3g} "
                f"at the end; guessing among {history.vocabulary_size} tokens"
                f"{', as this network did at first,' * begins_there} gives {guessing:.3g}"
            ]
    return []


def _guessing(history: History) -> list[float]:
    """Return the nats per token of uniform guessing, if the vocabulary is known."""
    return [math.log(history.vocabulary_size)] if history.vocabulary_size else []
