"""Regularization too strong: dropout or weight decay that keeps the network from learning."""

from rnnlab.config import Settings
from rnnlab.doctor.advice import decay_share, decays_fast, flag, weaker_decay
from rnnlab.doctor.diagnosis import Finding, NotAtHand
from rnnlab.doctor.evidence import Evidence

MUCH_DROPOUT = 0.7
"""Share. At 0.8 an LSTM of 128 units ended 0.2 nats above where it ends without; at 0.5 there are
networks and texts that gain by it."""

MEMORIZED_HALF = 0.5
"""Of the unigram entropy: below it a network has learned much of its text, however it was held
back."""

DROPOUTS = ("input_dropout", "layer_dropout", "weight_dropout", "dropout")


def regularization_too_strong(evidence: Evidence) -> Finding | None:
    """Nothing overfits, while most is dropped or weights decay faster than they learn."""
    of_dropout, of_decay = _dropout(evidence), _decay(evidence)
    if not of_dropout and not of_decay:
        return None
    settings = evidence.settings
    names = much_dropped(settings) if of_dropout else []
    advice = [flag(settings, name, 0.2) for name in names]
    advice += weaker_decay(settings) if of_decay else []
    title = "regularization too strong"
    return Finding(title, title, (*of_dropout, *of_decay), tuple(advice))


def much_dropped(settings: Settings) -> list[str]:
    """Settings of dropout that leave out more than MUCH_DROPOUT."""
    return [name for name in DROPOUTS if getattr(settings.model, name) > MUCH_DROPOUT]


def _dropout(evidence: Evidence) -> list[str]:
    names, curve = much_dropped(evidence.settings), evidence.curve
    if not names:
        return []
    if not evidence.history.held_out:
        raise NotAtHand("there is no held-out evaluation to compare training with")
    held_out = min(line.nats_per_token for line in evidence.history.held_out)
    if held_out >= curve.last_quarter_nats:
        return []
    shares = [f"{name} {getattr(evidence.settings.model, name):g}" for name in names]
    return [
        f"held-out text, read without dropout, has {held_out:.3f} nats per token; the text trained "
        f"on, read with {' and '.join(shares)}, {curve.last_quarter_nats:.3f}: nothing overfits"
    ]


def _decay(evidence: Evidence) -> list[str]:
    settings = evidence.settings
    if not decays_fast(settings):
        return []
    if evidence.curve.last_quarter_nats <= MEMORIZED_HALF * evidence.text.unigram_nats:
        return []
    share = decay_share(settings)
    return [
        f"weight_decay {settings.training.weight_decay:g} takes {share:.2g} of every weight at "
        f"each step: a third is left of what was learned {1 / share:,.0f} steps ago"
    ]
