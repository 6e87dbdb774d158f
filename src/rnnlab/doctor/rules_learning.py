"""Illnesses of a run that learns too little: stuck at the unigram level, learning rate too low."""

from collections.abc import Iterator

from rnnlab.config import Settings
from rnnlab.console import counted
from rnnlab.doctor.advice import default_rate, flag, lower_rate, use_default_rate, weaker_decay
from rnnlab.doctor.diagnosis import Finding, MissingEvidence
from rnnlab.doctor.evidence import Curve, Evidence
from rnnlab.doctor.rules_curve import STILL_FALLING, clipping
from rnnlab.doctor.rules_regularization import strong_dropouts
from rnnlab.lm.optimizers import peak_learning_rate

NEAR_UNIGRAM = 0.05
"""Share within which a loss counts as equal to the unigram entropy. One character of context lowers
it by a fifth in English, so a network that uses its input is soon far below."""

WORTH_READING = 0.05
"""Share by which a bigram must beat the unigram on this text; otherwise there may be nothing to
learn but token frequencies."""

MIN_STEPS = 50
"""Updates before which no network leaves the unigram level, whatever its settings."""

HARDLY_MOVED = 0.25
"""Change of the weights since the start, in units of their initial size. Runs that learned had 0.7
and more; see docs/reference/doctor.md."""

FAR_BELOW = 0.2
"""Share of the optimizer's default learning rate. LSTMs of 48 to 512 units whose loss was still
falling at such a rate or less ended 0.2 to 2 nats higher than at the default."""

FALLS_AT_ALL = 0.002
"""Share by which training nats fall from the third quarter to the last, beyond their noise."""


def stuck_at_unigram(evidence: Evidence) -> Finding | None:
    """Find a loss that stays at the level of a predictor that ignores its input."""
    curve, text, settings = _curve(evidence), evidence.text, evidence.settings
    if text.gain_by_one_token < WORTH_READING or _hardly_moved(evidence):
        return None
    above = curve.last_quarter_nats / text.unigram_nats - 1
    if abs(above) > NEAR_UNIGRAM or curve.fall > STILL_FALLING:
        return None
    shown = (
        f"training nats per token: {curve.last_quarter_nats:.3f} in the last quarter of the run, "
        f"{curve.third_quarter_nats:.3f} in the third; token frequencies alone give "
        f"{text.unigram_nats:.3f}",
        "there is more to learn: knowing the previous token predicts new text "
        f"{text.gain_by_one_token:.0%} better",
    )
    advice = [*_unusual(settings)] or [*_usual(settings)] or [lower_rate(settings, 3)]
    title = "stuck at the unigram level"
    return Finding(title, title, shown, (*advice, "or a longer budget"))


def _unusual(settings: Settings) -> Iterator[str]:
    """Yield the advice against settings that alone keep a network from learning."""
    yield from weaker_decay(settings)
    if settings.model.init != "torch":
        yield flag(settings, "init", "torch")
    for name in strong_dropouts(settings):
        yield flag(settings, name, 0.2, "the network must see its input")


def _usual(settings: Settings) -> Iterator[str]:
    """Yield what helps if nothing is unusual."""
    training, model = settings.training, settings.model
    default, rate = default_rate(settings), peak_learning_rate(training)
    if training.optimizer != "adamw":
        yield flag(settings, "optimizer", "adamw")
    elif rate > default:
        yield use_default_rate(settings)
    elif rate <= FAR_BELOW * default:
        yield flag(settings, "learning_rate", min(default, 10 * rate))
    if model.num_layers > 2:
        yield flag(settings, "num_layers", 2, "deep networks stay there for long")


def learning_rate_too_low(evidence: Evidence) -> Finding | None:
    """Find weights that have hardly moved although there is more to learn, and a loss that is still
    falling at a rate far below the optimizer's default."""
    curve, text, settings = _curve(evidence), evidence.text, evidence.settings
    # A text of a single token has nothing to learn.
    level = text.unigram_nats * (1 - NEAR_UNIGRAM)
    unlearned = text.unigram_nats > 0 and curve.last_quarter_nats > level
    moved = evidence.weights.moved
    rate = peak_learning_rate(settings.training)
    default = default_rate(settings)
    unmoved = _hardly_moved(evidence) and (unlearned or curve.fall > FALLS_AT_ALL)
    slow = rate <= FAR_BELOW * default and curve.fall > STILL_FALLING
    if not (unmoved or slow) or _is_held_back(evidence):
        return None
    shown = (
        f"learning_rate is {rate:g}, the default of {settings.training.optimizer} is {default:g}",
        f"in {evidence.history.steps:,} steps the weights moved by {moved:.2g} of their initial "
        "size; in networks that learned well it was 0.7 and more",
        f"training nats per token: {curve.third_quarter_nats:.3f} in the third quarter of the "
        f"run, {curve.last_quarter_nats:.3f} in the last; token frequencies alone give "
        f"{text.unigram_nats:.3f}",
    )
    advice = flag(settings, "learning_rate", 10 * rate)
    if rate <= FAR_BELOW * default:
        advice = use_default_rate(settings)
    title = "learning rate too low"
    return Finding(title, title, shown, (advice, "or a longer budget"))


def _curve(evidence: Evidence) -> Curve:
    if evidence.history.steps < MIN_STEPS:
        steps = counted(evidence.history.steps, "step")
        raise MissingEvidence(f"{steps}{evidence.history.so_far}; at least {MIN_STEPS} are needed")
    return evidence.curve


def _is_held_back(evidence: Evidence) -> bool:
    """Whether clipping makes every SGD step short, whatever the learning rate."""
    return evidence.settings.training.optimizer == "sgd" and clipping(evidence) is not None


def _hardly_moved(evidence: Evidence) -> bool:
    return evidence.weights.moved < HARDLY_MOVED
