"""Rules about the log, on evidence just inside and just outside of their thresholds."""

import math
from dataclasses import replace

import pytest
from made_up_evidence import FALLING, evidence

from rnnlab.doctor.diagnosis import MissingEvidence
from rnnlab.doctor.rules_curve import batch_too_large, clipping, diverged, overfitting


def test_a_run_that_divergence_ended_has_diverged():
    finding = diverged(evidence(stopped_by="divergence", learning_rate=0.02, clip_norm=0.0))
    assert finding.evidence[0] == (
        "training stopped after step 400: at the next step the loss or gradient was not finite, or "
        "the loss too large for a perplexity"
    )
    assert finding.advice == (
        "--learning-rate 0.002 --clip-norm 1 (now 0.02)",
        "then, if it diverges again, --warmup 0.05",
    )
    assert diverged(evidence(stopped_by="SIGINT")) is None


def test_a_null_in_the_log_is_a_divergence():
    finding = diverged(evidence((*FALLING, math.nan)))
    assert finding.evidence == ("training loss is NaN or infinite at step 410",)
    finding = diverged(evidence(held_out=(2.0, math.nan)))
    assert finding.evidence == ("held-out loss is NaN or infinite at step 200",)
    finding = diverged(evidence(norm=math.nan))
    assert finding.evidence == ("gradient norm is NaN or infinite at step 10",)


@pytest.mark.parametrize(("end", "ill"), [(2.4, False), (2.5, True), (9.0, True)])
def test_losing_half_of_what_had_been_learned_is_a_divergence(end, ill):
    """Guessing among 50 tokens gives 3.91; from there to 1.0 half is 1.46."""
    finding = diverged(evidence((3.9, *[2.0] * 10, *[1.0] * 18, end, end)))
    assert (finding is not None) is ill


def test_a_loss_that_jumps_and_comes_back_has_not_diverged():
    assert diverged(evidence((3.9, *[1.0] * 15, 3.0, *[1.0] * 15))) is None


def test_ending_worse_than_guessing_is_a_divergence_unless_the_run_began_there_and_improves():
    finding = diverged(evidence([9.0] * 40))
    assert (
        "guessing among 50 tokens, as this network did at first, gives 3.91" in finding.evidence[0]
    )
    falling = [9.0 - 0.1 * n for n in range(40)]
    assert diverged(evidence(falling)), "torch's weights begin at guessing, so the loss rose"
    assert diverged(evidence(falling, init="normal")) is None, "other weights may begin there"
    finding = diverged(evidence([9.0] * 40, init="normal"))
    assert "guessing among 50 tokens gives 3.91" in finding.evidence[0]
    assert diverged(evidence([4.2] * 40)) is None


def test_a_run_that_has_logged_nothing_is_not_judged():
    with pytest.raises(MissingEvidence, match=r"^nothing has been logged yet$"):
        diverged(evidence((), stopped_by=""))


@pytest.mark.parametrize(("share", "ill"), [(0.94, False), (0.96, True)])
def test_clipping_at_nineteen_of_twenty_steps(share, ill):
    found = clipping(evidence(clipped=share, clip_norm=0.1, optimizer="sgd"))
    assert (found is not None) is ill


def test_clipping_gives_its_strength_and_a_limit_to_try():
    finding = clipping(evidence(clipped=1.0, clip_norm=0.1, optimizer="sgd", learning_rate=1.0))
    assert finding.evidence == (
        "100% of the steps after step 210 were clipped",
        "their gradient norm is 0.5 (median), 5 times clip_norm 0.1",
    )
    assert finding.advice == (
        "--clip-norm 1 (now 0.1): twice the usual norm",
        "then, if that diverges, --learning-rate 0.2: steps stay as long as now",
    )
    assert clipping(evidence(clipped=1.0, clip_norm=0.0, optimizer="sgd")) is None
    with pytest.raises(MissingEvidence, match="the training curve has 7 points; at least 8"):
        clipping(evidence(FALLING[:7], clipped=1.0))


@pytest.mark.parametrize(
    ("held_out", "ill"),
    [
        ((2.5, 2.0, 2.1, 2.2, 2.3), True),
        ((2.5, 2.0, 2.03, 2.04, 2.03), False),
        ((2.5, 2.0, 2.05, 2.05, 2.05), True),
        ((2.5, 2.3, 2.0, 2.3, 2.4), False),
        ((2.5, 2.4, 2.3, 2.2, 2.1), False),
    ],
)
def test_overfitting_when_the_last_three_are_above_the_lowest(held_out, ill):
    found = overfitting(evidence(held_out=held_out))
    assert (found is not None) is ill


def test_overfitting_needs_a_training_loss_that_falls_and_held_out_text():
    rising = (2.5, 2.0, 2.1, 2.2, 2.3)
    assert overfitting(evidence(held_out=rising)).title == "overfitting since step 200"
    assert overfitting(evidence([2.0] * 40, held_out=rising)) is None
    with pytest.raises(MissingEvidence, match="nothing was held out for validation"):
        overfitting(evidence(held_out=(), split=(0.9, 0.0, 0.1)))
    with pytest.raises(MissingEvidence, match="3 held-out evaluations; at least 4 are"):
        overfitting(evidence(held_out=(1.0, 2.0, 3.0)))


@pytest.mark.parametrize(
    ("tokens", "steps_a_line", "ill"),
    [(43_007, 7, True), (43_008, 7, False), (40_000, 8, False), (40_000, 0.5, False)],
)
def test_batch_too_large_at_twenty_batches_per_epoch_and_few_updates(tokens, steps_a_line, ill):
    """A batch is 32 x 64 = 2,048 tokens; 43,008 are 21 of them."""
    found = batch_too_large(evidence(tokens=tokens, steps_a_line=steps_a_line))
    assert (found is not None) is ill


def test_batch_advice_and_a_settled_loss():
    few = {"tokens": 40_000, "steps_a_line": 7}
    assert batch_too_large(evidence(**few)).advice[0] == (
        "--batch-size 8 (now 32): 4 times as many updates for the same tokens"
    )
    assert batch_too_large(evidence([1.0] * 40, **few)) is None
    assert batch_too_large(evidence(tokens=5, steps_a_line=5, batch_size=1, num_steps=1)) is None


def test_batch_advice_promises_no_updates_for_a_budget_in_seconds():
    """In the same time, batches of one sequence gave 24 times the updates of 64, not 64 times."""
    few = {"tokens": 18_000, "steps_a_line": 2, "max_seconds": 3.0}
    longer = "--max-seconds 12 (now 3)"
    assert batch_too_large(evidence(**few, batch_size=64)).advice == (
        "--batch-size 8 (now 64): more updates, though each token takes longer",
        longer,
        "or more text",
    )
    for not_worth_it in ({"batch_size": 16}, {"batch_size": 64, "device": "cuda"}):
        told = batch_too_large(evidence(**few | not_worth_it)).advice
        assert told == (longer, "or more text")


def test_batches_below_eight_sequences_are_not_advised():
    few = {"tokens": 5_000, "steps_a_line": 2, "num_epochs": 3}
    told = batch_too_large(evidence(**few, batch_size=15)).advice
    assert told == ("--num-epochs 12 (now 3)", "or more text")


def test_without_a_result_the_first_loss_replaces_that_of_guessing():
    running = evidence((3.9, *[1.0] * 30, *[3.0] * 5), stopped_by="")
    history = replace(running.history, vocabulary_size=None, train_tokens=None)
    assert "1 at step" in diverged(replace(running, history=history)).evidence[0]
    still = replace(history, training=evidence([9.0] * 40).history.training)
    assert diverged(replace(running, history=still)) is None


def test_a_divergence_is_answered_with_a_lower_rate_at_most_the_default():
    ended = {"stopped_by": "divergence", "warmup": 0.1}
    told = diverged(evidence(learning_rate=100.0, optimizer="sgd", **ended)).advice
    assert told == ("--learning-rate 1 (now 100): the optimizer's default",)
    told = diverged(evidence(learning_rate=2.0, optimizer="sgd", **ended)).advice
    assert told == ("--learning-rate 0.2 (now 2)",)
    told = diverged(evidence(init="normal", **ended)).advice
    assert told[0] == "--init torch (now normal)"
    told = diverged(evidence(weight_decay=10.0, **ended)).advice
    assert told[0] == "--weight-decay 0.01 (now 10)"


def test_clipping_costs_nothing_if_the_optimizer_divides_by_the_gradient():
    for optimizer in ("sgd", "adam", "adamw", "rmsprop", "adagrad"):
        found = clipping(evidence(clipped=1.0, clip_norm=0.1, optimizer=optimizer))
        assert (found is not None) is (optimizer == "sgd")


def test_a_relu_network_with_sgd_is_given_a_tenth_of_the_default_rate():
    ended = {"stopped_by": "divergence", "cell": "rnn-relu", "optimizer": "sgd"}
    told = diverged(evidence(learning_rate=50.0, clip_norm=0.0, **ended)).advice
    assert told[0] == "--learning-rate 0.1 --clip-norm 1 (now 50)"
    told = diverged(evidence(learning_rate=0.5, **ended)).advice
    assert told[0] == "--learning-rate 0.05 (now 0.5)"


def test_overfitting_advice_is_dropout_where_there_is_less():
    rising = {"held_out": (2.5, 2.0, 2.1, 2.2, 2.3)}
    told = overfitting(evidence(**rising)).advice
    assert told[0] == "--dropout 0.3 --input-dropout 0.2 (now 0)"
    assert told[-1] == "to stop soon after that, --patience 3"
    told = overfitting(evidence(**rising, dropout=0.3, input_dropout=0.2)).advice
    assert told[0] == "--dropout 0.5 (now 0.3)"
    told = overfitting(evidence(**rising, input="one-hot")).advice
    assert told[0] == "--dropout 0.3 (now 0)"
    assert overfitting(evidence(**rising, dropout=0.5)).advice[0].startswith("more text")


def test_a_run_that_patience_ended_does_not_overfit():
    rising = {"held_out": (2.5, 2.0, 2.1, 2.2, 2.3)}
    assert overfitting(evidence(**rising, patience=3)) is not None
    ended = evidence(**rising, patience=3, stopped_by="no new best in 3 evaluations")
    assert overfitting(ended) is None


def test_a_run_worse_than_guessing_or_with_strong_decay_does_not_overfit():
    rising = {"held_out": (2.5, 2.0, 2.1, 2.2, 2.3)}
    falling = [9.0 - 0.1 * n for n in range(40)]
    assert overfitting(evidence(falling, **rising)) is None
    assert overfitting(evidence(**rising, weight_decay=3.0)) is None


def test_a_split_too_short_for_evaluations_is_named_as_the_reason():
    with pytest.raises(MissingEvidence, match="the validation split is too short"):
        overfitting(evidence(held_out=()))
    with pytest.raises(MissingEvidence, match="0 held-out evaluations"):
        overfitting(evidence(held_out=(), progress=0.3, num_evaluations=3))
