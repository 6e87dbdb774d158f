"""Rules about slow learning, on evidence just inside and just outside of their thresholds."""

from dataclasses import replace

import pytest
from made_up_evidence import FALLING, evidence

from rnnlab.doctor.diagnosis import MissingEvidence
from rnnlab.doctor.rules_learning import learning_rate_too_low, stuck_at_unigram


@pytest.mark.parametrize(("last", "ill"), [(3.0, True), (2.86, True), (2.84, False), (3.2, False)])
def test_stuck_within_a_twentieth_of_the_unigram_level(last, ill):
    nats = (*[3.9] * 10, *[last] * 30)
    assert (stuck_at_unigram(evidence(nats)) is not None) is ill


def test_not_stuck_if_the_loss_falls_or_nothing_can_be_learned_or_weights_have_not_moved():
    still = [3.0] * 40
    assert stuck_at_unigram(evidence(still)).evidence[0] == (
        "training nats per token: 3.000 in the last quarter of the run, 3.000 in the third; "
        "token frequencies alone give 3.000"
    )
    assert stuck_at_unigram(evidence([*[3.1] * 30, *[3.0] * 10])) is None
    assert stuck_at_unigram(evidence(still, gain=0.04)) is None
    assert stuck_at_unigram(evidence(still, moved=0.2)) is None


def test_stuck_advice_names_the_unusual_settings():
    advice = stuck_at_unigram(evidence([3.0] * 40, init="normal", dropout=0.9, optimizer="sgd"))
    assert advice.advice[0] == "--init torch (now normal)"
    assert advice.advice[1].startswith("--dropout 0.2 (now 0.9)")
    assert len(advice.advice) == 3, "the usual settings are not blamed as well"
    narrow = evidence([3.0] * 40, init="normal", init_std=0.001)
    assert stuck_at_unigram(narrow).advice[0] == "--init torch --init-std 0.01 (now normal)"
    assert stuck_at_unigram(evidence([3.0] * 40)).advice == (
        "--learning-rate 0.001 (now 0.003)", "or a longer budget",
    )  # fmt: skip
    deep = stuck_at_unigram(evidence([3.0] * 40, num_layers=5, learning_rate=0.001)).advice
    assert deep == (
        "--num-layers 2 (now 5): deep networks stay there for long", "or a longer budget",
    )  # fmt: skip
    decaying = stuck_at_unigram(evidence([3.0] * 40, optimizer="adam", weight_decay=0.1)).advice
    assert decaying[0] == "--weight-decay 1e-05 (now 0.1)"


@pytest.mark.parametrize(("moved", "ill"), [(0.24, True), (0.26, False)])
def test_learning_rate_too_low_when_weights_hardly_moved(moved, ill):
    assert (learning_rate_too_low(evidence(moved=moved)) is not None) is ill


def test_learning_rate_is_not_too_low_if_the_run_has_learned_and_settled():
    assert learning_rate_too_low(evidence([1.0] * 40, moved=0.1)) is None
    assert learning_rate_too_low(evidence([3.9] * 40, moved=0.1)) is not None


def test_learning_rate_advice_is_the_default_or_ten_times_the_rate():
    low = evidence(moved=0.1, learning_rate=1e-5)
    assert learning_rate_too_low(low).advice[0] == (
        "--learning-rate 0.003 (now 1e-05): the optimizer's default"
    )
    assert learning_rate_too_low(evidence(moved=0.1, learning_rate=0.003)).advice[0] == (
        "--learning-rate 0.03 (now 0.003)"
    )


@pytest.mark.parametrize("rule", [stuck_at_unigram, learning_rate_too_low])
def test_learning_is_judged_from_fifty_steps_and_a_quarter_of_the_budget_on(rule):
    with pytest.raises(MissingEvidence, match=r"^40 steps; at least 50 are needed$"):
        rule(evidence(steps_a_line=1))
    with pytest.raises(
        MissingEvidence, match=r"^20% of the budget is used; at least 25% is needed$"
    ):
        rule(evidence(progress=0.2))
    with pytest.raises(
        MissingEvidence, match="the training curve has 7 points; at least 8 are needed"
    ):
        rule(evidence(FALLING[:7]))
    with pytest.raises(MissingEvidence, match=r"^the run diverged$"):
        rule(replace(evidence(), found=("diverged",)))


def test_advice_includes_the_flags_that_the_settings_require():
    asked = {"tie_weights": True, "embedding_size": 256, "momentum": 0.9, "nesterov": True}
    still = evidence([3.0] * 40, optimizer="sgd", **asked)
    assert stuck_at_unigram(still).advice[0] == (
        "--optimizer adamw --learning-rate 0.003 --no-nesterov --momentum 0 (now sgd)"
    )
    still.settings.with_changes(optimizer="adamw", nesterov=False, momentum=0)


def test_momentum_makes_steps_longer():
    momentum = {"optimizer": "sgd", "momentum": 0.9}
    nats = (*[3.9] * 20, *[2.04] * 10, *[2.0] * 10)
    assert learning_rate_too_low(evidence(nats, learning_rate=0.1, **momentum)) is None
    told = learning_rate_too_low(evidence(nats, learning_rate=0.01, **momentum)).advice
    assert told[0] == "--learning-rate 0.1 (now 0.01): the optimizer's default at momentum 0.9"


@pytest.mark.parametrize(
    ("rate", "before", "ill"), [(0.0006, 2.04, True), (0.0007, 2.04, False), (0.0006, 2.01, False)]
)
def test_learning_rate_too_low_if_far_below_the_default_and_the_loss_falls(rate, before, ill):
    """The default is 0.003; from 2.02 to 2.0 is a fall of 1%."""
    nats = (*[3.9] * 20, *[before] * 10, *[2.0] * 10)
    found = learning_rate_too_low(evidence(nats, learning_rate=rate))
    assert (found is not None) is ill
    if found:
        assert found.evidence[0] == "learning_rate is 0.0006, the default of adamw is 0.003"
        assert found.advice[0] == "--learning-rate 0.003 (now 0.0006): the optimizer's default"
