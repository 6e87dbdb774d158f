"""Each rule on made-up evidence just inside and just outside of its threshold."""

import math
from dataclasses import replace

import pytest

from rnnlab.cells import CELLS
from rnnlab.config import Settings
from rnnlab.doctor.diagnosis import NotAtHand
from rnnlab.doctor.evidence import Evidence
from rnnlab.doctor.history import HeldOutLine, History, TrainLine, mean_clipped_share
from rnnlab.doctor.rules_activity import dead_units, saturated_gates
from rnnlab.doctor.rules_curve import batch_too_large, clipping, diverged, overfitting
from rnnlab.doctor.rules_learning import learning_rate_too_low, stuck_at_unigram
from rnnlab.doctor.rules_regularization import regularization_too_strong
from rnnlab.doctor.text_levels import TextLevels
from rnnlab.doctor.weights import GateActivity, LayerActivity, WeightFacts

FALLING = tuple(3 - 0.05 * n for n in range(40))


def evidence(
    nats=FALLING,
    *,
    held_out=(2.0,),
    steps_a_line=10,
    clipped=0.0,
    norm=0.5,
    moved=2.0,
    gain=0.2,
    unigram=3.0,
    gates=(),
    layers=(),
    tokens=100_000,
    progress=1.0,
    stopped_by="budget",
    **settings,
):
    count = len(nats)
    lines = tuple(
        TrainLine(steps_a_line * n, steps_a_line, n, progress * n / count, value, norm, clipped)
        for n, value in enumerate(nats, start=1)
    )
    evaluations = tuple(HeldOutLine(100 * n, value) for n, value in enumerate(held_out, start=1))
    asked = Settings().changed(**settings)
    history = History(asked, lines, evaluations, stopped_by, 50, tokens)
    facts = WeightFacts(moved, tuple(gates), tuple(layers))
    return Evidence(history, TextLevels(tokens, unigram, gain), facts)


def test_a_run_that_divergence_ended_has_diverged():
    finding = diverged(evidence(stopped_by="divergence", learning_rate=0.02, clip_norm=0.0))
    assert finding.evidence[0] == (
        "training stopped after step 400: at the next step the loss or gradient was not finite, or "
        "the loss too large for a perplexity"
    )
    assert finding.advice == (
        "--learning-rate 0.002 (now 0.02)",
        "--clip-norm 1 (now 0): 0 is off",
        "--warmup 0.05 (now 0)",
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


def test_means_are_over_steps_not_lines():
    """As after a larger budget: 30 lines of one step, then 10 lines of nine steps."""
    steps = [1] * 30 + [9] * 10
    lines = tuple(
        TrainLine(sum(steps[:n]), steps[n - 1], n, n / 40, 2.0, 0.5, float(n > 33))
        for n in range(1, 41)
    )
    history = History(Settings(), lines, ())
    assert [line.step for line in history.part(0.5, 0.75)] == [66, 75, 84]
    assert history.part(0, 0.001) == lines[:1]
    assert mean_clipped_share(history.part(0, 1)) == 63 / 120
    assert mean_clipped_share(history.part(0.5, 1)) == 1


def test_a_run_that_has_logged_nothing_is_not_judged():
    with pytest.raises(NotAtHand, match=r"^nothing has been logged yet$"):
        diverged(evidence((), stopped_by=""))


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
    assert advice.advice[2].startswith("--optimizer adamw (now sgd)")
    assert stuck_at_unigram(evidence([3.0] * 40)).advice == (
        "--learning-rate 0.001 (now 0.003)", "or a longer budget",
    )  # fmt: skip
    deep = stuck_at_unigram(evidence([3.0] * 40, num_layers=5, learning_rate=0.001)).advice
    assert deep == (
        "--num-layers 2 (now 5): deep networks stay there for long", "or a longer budget",
    )  # fmt: skip
    decaying = stuck_at_unigram(evidence([3.0] * 40, optimizer="adam", weight_decay=0.1)).advice
    assert decaying[0] == "--weight-decay 1e-05 (now 0.1)"


@pytest.mark.parametrize(("share", "ill"), [(0.94, False), (0.96, True)])
def test_clipping_at_nineteen_of_twenty_steps(share, ill):
    assert (clipping(evidence(clipped=share, clip_norm=0.1)) is not None) is ill


def test_clipping_gives_its_strength_and_a_limit_to_try():
    finding = clipping(evidence(clipped=1.0, clip_norm=0.1, optimizer="sgd", learning_rate=1.0))
    assert finding.evidence == (
        "100% of the steps after step 210 were clipped",
        "their gradient norm is 0.5 (median), 5 times clip_norm 0.1",
    )
    assert finding.advice == (
        "--clip-norm 1 (now 0.1): twice the usual norm",
        "--learning-rate 0.2 (now 1): if that diverges; with --clip-norm 1, steps stay as long",
    )
    assert clipping(evidence(clipped=1.0, clip_norm=0.0)) is None
    with pytest.raises(NotAtHand, match="the training curve has 7 points so far"):
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
    with pytest.raises(NotAtHand, match="nothing was held out for validation"):
        overfitting(evidence(held_out=(), split=(0.9, 0.0, 0.1)))
    with pytest.raises(NotAtHand, match="3 held-out evaluations so far; at least 4 are needed"):
        overfitting(evidence(held_out=(1.0, 2.0, 3.0)))


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
    with pytest.raises(NotAtHand, match=r"^40 steps so far; at least 50 are needed$"):
        rule(evidence(steps_a_line=1))
    with pytest.raises(
        NotAtHand, match=r"^20% of the budget is used so far; at least 25% is needed$"
    ):
        rule(evidence(progress=0.2))
    with pytest.raises(
        NotAtHand, match="the training curve has 7 points so far; at least 8 are needed"
    ):
        rule(evidence(FALLING[:7]))
    with pytest.raises(NotAtHand, match=r"^the run diverged$"):
        rule(replace(evidence(), diverged=True))


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
        "--batch-size 4 (now 32): 8 times as many updates for the same tokens"
    )
    assert batch_too_large(evidence([1.0] * 40, **few)) is None
    assert batch_too_large(evidence(tokens=5, steps_a_line=5, batch_size=1, num_steps=1)) is None


def gate(place, low, high, cell="lstm"):
    return GateActivity(1, CELLS[cell].gates[place], low, high)


@pytest.mark.parametrize(
    ("activity", "ill"),
    [
        (gate(0, 0.5, 0.41), True),
        (gate(0, 0.5, 0.39), False),
        (gate(2, 0.5, 0.5), False),
        (gate(2, 0.5, 0.5, "gru"), False),
        (gate(0, 0.5, 0.41, "rnn"), True),
    ],
)
def test_gates_and_the_only_state_can_saturate_but_not_the_candidate(activity, ill):
    assert (saturated_gates(evidence(gates=[activity])) is not None) is ill


def test_saturated_gates_name_the_gate_and_advise_a_smaller_forget_bias():
    found = saturated_gates(evidence(gates=[gate(1, 0.01, 0.98)], forget_bias=10.0))
    assert found.evidence == ("layer 1, f: 1% of activations are close to 0 and 98% close to 1",)
    assert found.advice[0] == "--forget-bias 1 (now 10)"


@pytest.mark.parametrize(("dead", "ill"), [(9, False), (10, True)])
def test_dead_units_from_a_fifth_of_a_layer_on(dead, ill):
    found = dead_units(evidence(layers=[LayerActivity(1, 50, dead, 0)]))
    assert (found is not None) is ill


def test_dead_units_give_the_number_that_never_fires():
    found = dead_units(evidence(layers=[LayerActivity(2, 50, 20, 19)], cell="rnn-relu"))
    assert found.evidence == (
        "layer 2: 20 of 50 units never change over the text, 19 of them are always 0",
    )
    assert found.advice[-1] == "--cell lstm (now rnn-relu)"


def test_without_a_result_the_first_loss_replaces_that_of_guessing():
    running = evidence((3.9, *[1.0] * 30, *[3.0] * 5), stopped_by="")
    history = replace(running.history, vocabulary_size=None, train_tokens=None)
    assert "1 at step" in diverged(replace(running, history=history)).evidence[0]
    still = replace(history, training=evidence([9.0] * 40).history.training)
    assert diverged(replace(running, history=still)) is None


def test_advice_includes_the_flags_that_the_settings_require():
    asked = {"tie_weights": True, "embedding_size": 256, "momentum": 0.9, "nesterov": True}
    still = evidence([3.0] * 40, optimizer="sgd", **asked)
    assert stuck_at_unigram(still).advice[0] == (
        "--optimizer adamw --no-nesterov --momentum 0 (now sgd): with --learning-rate 0.003"
    )
    still.settings.changed(optimizer="adamw", nesterov=False, momentum=0)


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


def test_momentum_makes_steps_longer():
    momentum = {"optimizer": "sgd", "momentum": 0.9}
    nats = (*[3.9] * 20, *[2.04] * 10, *[2.0] * 10)
    assert learning_rate_too_low(evidence(nats, learning_rate=0.1, **momentum)) is None
    told = learning_rate_too_low(evidence(nats, learning_rate=0.01, **momentum)).advice
    assert told[0] == "--learning-rate 0.1 (now 0.01): the optimizer's default at momentum 0.9"


def test_clipping_costs_little_if_the_optimizer_divides_by_the_gradient():
    for optimizer in ("sgd", "adamw"):
        found = clipping(evidence(clipped=1.0, clip_norm=0.1, optimizer=optimizer))
        assert ("loses little" in found.advice[0]) is (optimizer == "adamw")


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
        with pytest.raises(NotAtHand, match="no held-out evaluation to compare training with"):
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


def test_a_memorized_text_may_saturate_gates_and_leave_units_dead():
    ill = {"gates": [gate(0, 0.5, 0.5)], "layers": [LayerActivity(1, 50, 50, 0)]}
    for rule in (saturated_gates, dead_units):
        assert rule(evidence([3.9] * 30 + [0.31] * 10, **ill)) is not None
        assert rule(evidence([3.9] * 30 + [0.29] * 10, **ill)) is None


def test_a_split_too_short_for_evaluations_is_named_as_the_reason():
    with pytest.raises(NotAtHand, match="the validation split is too short"):
        overfitting(evidence(held_out=()))
    with pytest.raises(NotAtHand, match="0 held-out evaluations so far"):
        overfitting(evidence(held_out=(), progress=0.3, num_evaluations=3))
