"""The illness of a run that ended while it was learning, far from what simple methods reach."""

from rnnlab.console import counted
from rnnlab.doctor.advice import default_rate, flag, longer_budget, smaller_batch
from rnnlab.doctor.diagnosis import Finding, MissingEvidence
from rnnlab.doctor.evidence import Evidence
from rnnlab.doctor.history import mean_nats
from rnnlab.lm.optimizers import peak_learning_rate

BEHIND = 0.1
"""Share by which a network's bits per character are above those of the n-gram on the same text. A
network that has learned its text is below, or close."""

STILL_LEARNING = 0.02
"""Share by which the lowest held-out loss fell in the second half of the run. The last quarter
alone would say nothing about schedules that end at a rate of 0."""

MIN_EVALUATIONS = 4


def training_too_short(evidence: Evidence) -> Finding | None:
    """Find a run that was learning when its budget ended, far behind what simple methods reach.

    It is far behind the n-gram, or no better than the token frequencies.

    Other illnesses that slow learning down come first: a longer budget does not cure them.
    """
    history, settings = evidence.history, evidence.settings
    if evidence.diverged:
        raise MissingEvidence("the run diverged")
    if history.reached is None:
        raise MissingEvidence("there is no final evaluation with an n-gram to compare with")
    shown = None if evidence.explained else _below_unigram(evidence)
    shown = shown or _behind_ngram(evidence)
    if not shown:
        return None
    advice = longer_budget(settings)
    rate = peak_learning_rate(settings.training)
    if rate <= default_rate(settings):
        advice.append(flag(settings, "learning_rate", 3 * rate, "faster, unless it diverges"))
    batch_size = settings.data.batch_size
    advice += smaller_batch(settings, batch_size // (4 if settings.training.max_seconds else 2))
    return Finding("training too short", "training too short", shown, tuple(advice))


def _below_unigram(evidence: Evidence) -> tuple[str, ...] | None:
    """Return what shows that a model is no better than one that ignores its input."""
    history, reached = evidence.history, evidence.history.reached
    if reached is None or reached.bits_per_character < reached.unigram_bits_per_character:
        return None
    before, after = mean_nats(history.part(0, 0.5)), mean_nats(history.part(0.5, 1))
    if not after < before * (1 - STILL_LEARNING):
        return None
    return (
        f"{reached.split} bits per character: {reached.bits_per_character:.3f}, token "
        f"frequencies alone {reached.unigram_bits_per_character:.3f}: the model is no better",
        f"training nats per token were still falling: {before:.3f} in the first half of the run, "
        f"{after:.3f} in the second",
    )


def _behind_ngram(evidence: Evidence) -> tuple[str, ...] | None:
    """Return what shows that a model is far behind the n-gram and was still learning."""
    history, reached = evidence.history, evidence.history.reached
    if reached is None:
        return None
    if len(history.held_out) < MIN_EVALUATIONS:
        raise MissingEvidence(
            f"{counted(len(history.held_out), 'held-out evaluation')}{history.so_far}; at least "
            f"{MIN_EVALUATIONS} are needed (--num-evaluations)"
        )
    middle = history.steps / 2
    before = [line.nats_per_token for line in history.held_out if line.step <= middle]
    after = [line.nats_per_token for line in history.held_out if line.step > middle]
    if not before or not after or evidence.explained:
        return None
    then, now = min(before), min(after)
    behind = reached.bits_per_character / reached.ngram_bits_per_character - 1
    if behind < BEHIND or now > then * (1 - STILL_LEARNING):
        return None
    return (
        f"{reached.split} bits per character: {reached.bits_per_character:.3f}, the n-gram "
        f"{reached.ngram_bits_per_character:.3f}: {behind:.0%} behind",
        f"held-out nats per token were still falling: {then:.3f} at best in the first half of the "
        f"run, {now:.3f} in the second",
    )
