"""The rule about regularization, on evidence just inside and just outside of its thresholds."""

import pytest
from made_up_evidence import evidence

from rnnlab.doctor.diagnosis import MissingEvidence
from rnnlab.doctor.rules_regularization import regularization_too_strong


@pytest.mark.parametrize(
    ("share", "held_out", "ill"),
    [(0.8, 2.4, True), (0.8, 2.6, False), (0.7, 2.4, False)],
)
def test_strong_dropout_without_overfitting_is_too_strong(share, held_out, ill):
    run = evidence([2.5] * 40, held_out=(3.0, held_out), dropout=share)
    found = regularization_too_strong(run)
    assert (found is not None) is ill
    if found:
        assert found.advice == ("--dropout 0.2 (now 0.8)",)
        assert "2.400 nats" in found.evidence[0]
        assert "dropout 0.8: 2.500" in found.evidence[0]
        with pytest.raises(MissingEvidence, match="no held-out evaluation to compare"):
            regularization_too_strong(evidence([2.5] * 40, held_out=(), dropout=share))


@pytest.mark.parametrize(
    ("optimizer", "rate", "decay", "end", "ill"),
    [
        ("adamw", 0.002, 1.0, 2.5, True),
        ("adamw", 0.002, 0.99, 2.5, False),
        ("adamw", 0.002, 1.0, 1.5, False),
        ("sgd", 1.0, 0.002, 2.5, True),
        ("adam", 1.0, 1.0, 2.5, False),
    ],
)
def test_weight_decay_that_forgets_in_500_steps(optimizer, rate, decay, end, ill):
    """The unigram entropy is 3.0; a run that ends at 1.5 has learned half of it."""
    settings = {"optimizer": optimizer, "learning_rate": rate, "weight_decay": decay}
    found = regularization_too_strong(evidence([end] * 40, **settings))
    assert (found is not None) is ill
    if found:
        assert "only a third of what was learned 500 steps ago is left" in found.evidence[0]
