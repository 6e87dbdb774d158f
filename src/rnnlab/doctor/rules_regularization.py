"""The illness of too much dropout or weight decay: the network is kept from learning."""

from rnnlab.config import Settings
from rnnlab.doctor.advice import decay_share, decays_fast, flag, weaker_decay
from rnnlab.doctor.diagnosis import Finding, MissingEvidence
from rnnlab.doctor.evidence import Evidence

STRONG_DROPOUT = 0.7
"""Dropout share. At 0.8 an LSTM of 128 units ended 0.2 nats higher than without dropout; at 0.5
some networks and texts still gain."""

HALF_LEARNED = 0.5
"""Share of the unigram entropy. A network whose loss is lower has learned much of its text in spite
of the regularization."""

DROPOUTS = ("input_dropout", "layer_dropout", "weight_dropout", "dropout")


def regularization_too_strong(evidence: Evidence) -> Finding | None:
    """Find strong dropout without overfitting, and weight decay that outruns learning."""
    of_dropout, of_decay = _dropout(evidence), _decay(evidence)
    if not of_dropout and not of_decay:
        return None
    settings = evidence.settings
    names = strong_dropouts(settings) if of_dropout else []
    advice = [flag(settings, name, 0.2) for name in names]
    advice += weaker_decay(settings) if of_decay else []
    title = "regularization too strong"
    return Finding(title, title, (*of_dropout, *of_decay), tuple(advice))


def strong_dropouts(settings: Settings) -> list[str]:
    """Return the names of the dropout settings above STRONG_DROPOUT."""
    return [name for name in DROPOUTS if getattr(settings.model, name) > STRONG_DROPOUT]


def _dropout(evidence: Evidence) -> list[str]:
    names, curve = strong_dropouts(evidence.settings), evidence.curve
    if not names:
        return []
    if not evidence.history.held_out:
        raise MissingEvidence("there is no held-out evaluation to compare training with")
    held_out = min(line.nats_per_token for line in evidence.history.held_out)
    if held_out >= curve.last_quarter_nats:
        return []
    shares = [f"{name} {getattr(evidence.settings.model, name):g}" for name in names]
    return [
        f"held-out text, read without dropout: {held_out:.3f} nats per token; training text, read "
        f"with {' and '.join(shares)}: {curve.last_quarter_nats:.3f}; so nothing overfits"
    ]


def _decay(evidence: Evidence) -> list[str]:
    settings = evidence.settings
    if not decays_fast(settings):
        return []
    if evidence.curve.last_quarter_nats <= HALF_LEARNED * evidence.text.unigram_nats:
        return []
    share = decay_share(settings)
    return [
        f"weight_decay {settings.training.weight_decay:g} removes {share:.2g} of every weight at "
        f"each step: only a third of what was learned {1 / share:,.0f} steps ago is left"
    ]
