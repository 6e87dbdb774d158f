"""The rule about runs that ended too soon, just inside and just outside of its thresholds."""

from dataclasses import replace

import pytest
from made_up_evidence import evidence

from rnnlab.doctor.diagnosis import MissingEvidence
from rnnlab.doctor.history import Reached
from rnnlab.doctor.rules_budget import training_too_short

FALLING = {"held_out": (3.0, 2.5, 2.2, 2.1)}  # at steps 100, 200, 300, 400


@pytest.mark.parametrize(("reached", "ill"), [(2.19, False), (2.21, True)])
def test_a_run_a_tenth_behind_the_n_gram_and_still_learning(reached, ill):
    finding = training_too_short(evidence(**FALLING, reached=reached, num_epochs=3))
    assert (finding is not None) is ill
    if finding:
        assert finding.evidence == (
            "validation bits per character: 2.210, the n-gram 2.000: 10% behind",
            "held-out nats per token were still falling: 2.500 at best in the first half of the "
            "run, 2.100 in the second",
        )
        assert finding.advice == (
            "--num-epochs 12 (now 3)",
            "--learning-rate 0.009 (now 0.003): faster, unless it diverges",
            "--batch-size 16 (now 32): 2 times as many updates for the same tokens",
        )


@pytest.mark.parametrize(("last", "ill"), [(2.46, False), (2.44, True)])
def test_a_run_that_has_settled_is_not_too_short(last, ill):
    found = training_too_short(evidence(held_out=(3.0, 2.5, 2.5, last), reached=3.0))
    assert (found is not None) is ill


def test_a_longer_budget_is_in_the_unit_of_the_present_one():
    told = training_too_short(evidence(**FALLING, reached=3.0, max_seconds=10.0)).advice
    assert told[0].startswith("--max-seconds 40 (now 10)")
    assert told[2] == "--batch-size 8 (now 32): more updates, though each token takes longer"
    told = training_too_short(evidence(**FALLING, reached=3.0, max_tokens=5000)).advice
    assert told[0].startswith("--max-tokens 20000 (now 5000)")


def test_all_budgets_are_raised_together():
    """One alone may not be the one that ended the run."""
    told = training_too_short(
        evidence(**FALLING, reached=3.0, num_epochs=12, max_seconds=8.0)
    ).advice
    assert told[0] == "--num-epochs 48 --max-seconds 32 (now 12 and 8)"


def test_a_high_rate_and_a_small_batch_are_left_alone():
    asked = {"learning_rate": 0.01, "batch_size": 8, "num_epochs": 1}
    assert len(training_too_short(evidence(**FALLING, reached=3.0, **asked)).advice) == 1


def test_a_model_no_better_than_token_frequencies_is_too_short() -> None:
    """However few evaluations there were: such a run was called healthy."""
    case = evidence(held_out=(3.0,), max_seconds=3.0)
    history = case.history
    for bits, ill in ((4.8, True), (4.4, False)):
        worse = replace(case, history=replace(history, reached=Reached("test", bits, 2.6, 4.5)))
        if not ill:
            with pytest.raises(MissingEvidence, match=r"^1 held-out evaluation; at least 4 are"):
                training_too_short(worse)
            continue
        finding = training_too_short(worse)
        assert finding is not None
        assert finding.evidence[0] == (
            "test bits per character: 4.800, token frequencies alone 4.500: the model is no better"
        )
        assert finding.evidence[1].startswith(
            "training nats per token were still falling: 2.525 in"
        )
        assert finding.advice[0] == "--max-seconds 12 (now 3)"
    settled = evidence([3.0] * 40, held_out=(3.0,) * 4)
    reached = Reached("test", 4.8, 4.7, 4.5)
    history = replace(settled.history, reached=reached)
    assert training_too_short(replace(settled, history=history)) is None


def test_counts_of_a_run_that_still_goes_are_so_far() -> None:
    case = evidence(held_out=(3.0,), stopped_by="")
    with pytest.raises(MissingEvidence, match=r"^1 held-out evaluation so far; at least 4 are"):
        training_too_short(case)


def test_other_illnesses_come_first():
    ill = evidence(**FALLING, reached=3.0)
    assert training_too_short(replace(ill, found=("saturated gates",))) is None
    with pytest.raises(MissingEvidence, match="the run diverged"):
        training_too_short(replace(ill, found=("diverged",)))


def test_without_an_n_gram_or_evaluations_it_is_not_judged():
    ill = evidence(**FALLING, reached=3.0)
    unknown = replace(ill, history=replace(ill.history, reached=None))
    with pytest.raises(MissingEvidence, match="no final evaluation with an n-gram"):
        training_too_short(unknown)
    with pytest.raises(MissingEvidence, match="3 held-out evaluations; at least 4"):
        training_too_short(evidence(held_out=(3.0, 2.5, 2.2), reached=3.0))
