"""Illnesses of a run that learns too little: stuck at the unigram level, learning rate too low."""

from rnnlab.config import LEARNING_RATES
from rnnlab.doctor.advice import calmer_rate, flag, own_rate, to_own_rate, weaker_decay
from rnnlab.doctor.diagnosis import Finding, NotAtHand
from rnnlab.doctor.evidence import Curve, Evidence
from rnnlab.doctor.rules_curve import STILL_FALLING, clipping
from rnnlab.doctor.rules_regularization import much_dropped
from rnnlab.lm.optimizers import peak_learning_rate

NEAR_UNIGRAM = 0.05
"""Share about the unigram entropy within which a loss counts as there. One token of context is
worth a fifth of it in English characters, so a network that reads at all is soon far below."""

WORTH_READING = 0.05
"""Share by which a bigram has to beat the unigram on this text; where it does not, the unigram
level may be all there is to learn."""

MIN_STEPS = 50
"""Updates before which no network has left the unigram level, whatever its settings."""

HARDLY_MOVED = 0.25
"""What was added to the weights since the start, in units of the size that weights start with. In
runs that learned it was 0.7 and more; see docs/doctor.md."""

FAR_BELOW = 0.2
"""Share of the optimizer's own learning rate. LSTMs of 48 to 512 units whose loss still fell at a
rate up to this ended 0.2 to 2 nats above where they ended at the optimizer's own."""

FALLS_AT_ALL = 0.002
"""Share by which training nats fell from the third quarter to the last, against their noise."""


def stuck_at_unigram(evidence: Evidence) -> Finding | None:
    """The loss stands still where a predictor that reads nothing stands."""
    curve, text, settings = _curve(evidence), evidence.text, evidence.settings
    if text.gain_by_one_token < WORTH_READING or _hardly_moved(evidence):
        return None
    above = curve.last_quarter_nats / text.unigram_nats - 1
    if abs(above) > NEAR_UNIGRAM or curve.fall > STILL_FALLING:
        return None
    shown = (
        f"training nats per token: {curve.last_quarter_nats:.3f} in the last quarter of the run, "
        f"{curve.third_quarter_nats:.3f} in the third; knowing only how frequent each token is "
        f"gives {text.unigram_nats:.3f}",
        f"there is more to learn: reading one token before predicts new text "
        f"{text.gain_by_one_token:.0%} better",
    )
    training, model = settings.training, settings.model
    advice = weaker_decay(settings)
    if model.init != "torch":
        advice.append(flag(settings, "init", "torch"))
    for name in much_dropped(settings):
        advice.append(flag(settings, name, 0.2, "the network has to see what it reads"))
    own, rate = own_rate(settings), peak_learning_rate(training)
    if training.optimizer != "adamw":
        rule = f"with --learning-rate {LEARNING_RATES['adamw']:g}"
        advice.append(flag(settings, "optimizer", "adamw", rule))
    if rate > own:
        advice.append(to_own_rate(settings))
    elif rate <= FAR_BELOW * own:
        advice.append(flag(settings, "learning_rate", min(own, 10 * rate)))
    if model.num_layers > 2:
        advice.append(flag(settings, "num_layers", 2, "deep networks stay there for long"))
    if not advice:
        advice = [calmer_rate(settings, 3)]
    title = "stuck at the unigram level"
    return Finding(title, title, shown, (*advice, "or a longer budget"))


def learning_rate_too_low(evidence: Evidence) -> Finding | None:
    """The weights are about where they began, which is not where they want to stay; or the loss
    falls on at a rate far below the optimizer's own."""
    curve, text, settings = _curve(evidence), evidence.text, evidence.settings
    # Of a text of one token only there is nothing to learn.
    level = text.unigram_nats * (1 - NEAR_UNIGRAM)
    unlearned = text.unigram_nats > 0 and curve.last_quarter_nats > level
    moved = evidence.weights.moved
    rate = peak_learning_rate(settings.training)
    own = own_rate(settings)
    still = _hardly_moved(evidence) and (unlearned or curve.fall > FALLS_AT_ALL)
    slow = rate <= FAR_BELOW * own and curve.fall > STILL_FALLING
    if not (still or slow) or _is_held_back(evidence):
        return None
    shown = (
        f"learning_rate is {rate:g}, {settings.training.optimizer}'s own is {own:g}",
        f"in {evidence.history.steps:,} steps the weights moved by {moved:.2g} of the size that "
        "weights start with; in networks that learned well it was 0.7 and more",
        f"training nats per token: {curve.third_quarter_nats:.3f} in the third quarter of the "
        f"run, {curve.last_quarter_nats:.3f} in the last; knowing only how frequent each token "
        f"is gives {text.unigram_nats:.3f}",
    )
    advice = flag(settings, "learning_rate", 10 * rate)
    if rate <= FAR_BELOW * own:
        advice = to_own_rate(settings)
    title = "learning rate too low"
    return Finding(title, title, shown, (advice, "or a longer budget"))


def _curve(evidence: Evidence) -> Curve:
    if evidence.history.steps < MIN_STEPS:
        raise NotAtHand(f"{evidence.history.steps} steps so far; it needs {MIN_STEPS}")
    return evidence.curve


def _is_held_back(evidence: Evidence) -> bool:
    """Whether clipping makes every step of plain gradients short, whatever the rate."""
    return evidence.settings.training.optimizer == "sgd" and clipping(evidence) is not None


def _hardly_moved(evidence: Evidence) -> bool:
    return evidence.weights.moved < HARDLY_MOVED
