"""The training loop against truncated backpropagation written out in plain torch and numpy."""

import math
from copy import deepcopy
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from rnnlab.config import TrainingSettings
from rnnlab.data.batches import DocumentBatches, RandomBatches, SequentialBatches
from rnnlab.engines import ENGINES, Engine
from rnnlab.errors import DivergenceError
from rnnlab.lm import train
from rnnlab.lm.compute import Compute
from rnnlab.lm.fallback import FallbackTrainingStep
from rnnlab.lm.train import Milestone, Step, Trainer

ENGINE = ENGINES["builtin"]
B, T, STEPS = 4, 5, 6
LENGTH = B * T * STEPS + T + 1  # an epoch of exactly STEPS batches at every offset


def random_ids(length=LENGTH, seed=3):
    return np.random.default_rng(seed).integers(0, 7, length)


def trainer_of(model, ids=None, *, batches=None, engine=ENGINE, evaluate=None, cost=0.0, **options):
    batches = batches or SequentialBatches(random_ids() if ids is None else ids, B, T)
    compute = Compute(engine, precision=options.pop("precision", "float32"))
    base = {"optimizer": "sgd", "learning_rate": 0.5, "num_epochs": 1, "num_evaluations": 0}
    settings = TrainingSettings(**base | options)
    return Trainer(model, compute, batches, settings, evaluate=evaluate, evaluation_cost=cost)


def steps_of(trainer):
    return [event for event in trainer.run() if isinstance(event, Step)]


def weights_of(model):
    return {name: p.detach().clone() for name, p in model.named_parameters()}


def reference(model, batches, *, epochs, clip, rate, carry=True, begins=lambda epoch, batch: []):
    """Truncated backpropagation through time with torch's modules, SGD and clipping by hand."""
    lstm = nn.LSTM(5, 8, 2).double()
    lstm.load_state_dict(model.recurrent.state_dict())
    embedding, output = deepcopy(model.embedding), deepcopy(model.output)
    parameters = [*embedding.parameters(), *lstm.parameters(), *output.parameters()]
    losses, norms, rng = [], [], np.random.default_rng(0)
    for epoch in range(epochs):
        state = None
        for batch, (inputs, targets) in enumerate(batches.epoch(rng)[1]):
            if state is not None:
                for part in state:
                    part[:, begins(epoch, batch)] = 0
            values, state = lstm(embedding(torch.tensor(inputs)), state if carry else None)
            state = tuple(part.detach() for part in state)
            log_p = output(values).log_softmax(dim=-1)
            loss = -log_p.gather(2, torch.tensor(targets)[:, :, None]).mean()
            gradients = torch.autograd.grad(loss, parameters)
            norm = math.sqrt(sum(float((g * g).sum()) for g in gradients))
            scale = min(1.0, clip / norm) if clip else 1.0
            with torch.no_grad():
                for p, g in zip(parameters, gradients, strict=True):
                    p -= rate(len(losses)) * scale * g
            losses.append(loss.item())
            norms.append(norm)
    return [p.detach() for p in parameters], losses, norms


@pytest.mark.parametrize("kind", [SequentialBatches, RandomBatches])
@pytest.mark.parametrize("clip", [0.0, 0.3])
@pytest.mark.parametrize("schedule", ["constant", "cosine"])
def test_training_equals_plain_torch(make_model, kind, clip, schedule):
    model = make_model(num_layers=2, init="normal", init_std=1.5).double()
    batches = kind(random_ids(), B, T)
    total = 2 * (len(random_ids()) - 1) // (B * T)

    def rate(step):
        return 0.5 * (1 + math.cos(math.pi * step / total)) / 2 if schedule == "cosine" else 0.5

    options = {"epochs": 2, "clip": clip, "rate": rate}
    carry = kind is SequentialBatches
    expected, losses, norms = reference(model, batches, carry=carry, **options)
    assert max(norms) > 1  # so that clipping at any usual norm shows
    trainer = trainer_of(model, batches=batches, num_epochs=2, clip_norm=clip, schedule=schedule)
    steps = steps_of(trainer)
    assert len(steps) == total
    assert [s.loss_nats for s in steps] == pytest.approx(losses, rel=1e-5)
    assert [s.gradient_norm for s in steps] == pytest.approx(norms, rel=1e-5)
    assert [s.learning_rate for s in steps] == pytest.approx([rate(s) for s in range(total)])
    assert [s.clipped for s in steps] == [0 < clip < norm for norm in norms]
    for found, wanted in zip(model.parameters(), expected, strict=True):
        torch.testing.assert_close(found.detach(), wanted, rtol=0, atol=1e-5)
    share = sum(0 < clip < norm for norm in norms) / total
    assert trainer.summary()["clipped_share"] == pytest.approx(share)


DOCUMENTS = (0, 13, 50, 57, 58, 100)
"""Where documents begin in `random_ids()`."""


def document_begins(epochs):
    """For each epoch and batch, the rows whose window does not go on in the same document."""
    places = DocumentBatches(np.arange(LENGTH), B, T, DOCUMENTS)
    rng, found = np.random.default_rng(0), {}
    for epoch in range(epochs):
        last = np.full(B, -1)
        for batch, (inputs, _) in enumerate(places.epoch(rng)[1]):
            found[epoch, batch] = [
                row
                for row in range(B)
                if inputs[0, row] != last[row] + 1
                or any(last[row] < begin <= inputs[0, row] for begin in DOCUMENTS)
            ]
            last = inputs[-1]
    return found


@pytest.mark.parametrize("engine", ["textbook", "builtin", "native"])
def test_the_state_is_reset_where_a_document_begins(make_model, engine):
    """As by hand, row by row; and it makes a difference."""
    options = {"epochs": 2, "clip": 0.3, "rate": lambda _: 0.5}
    found = document_begins(2)
    assert any(found[0, batch] for batch in range(1, 4))
    losses = {}
    for reset in (True, False):
        model = make_model(num_layers=2, init="normal", init_std=0.7)
        batches = DocumentBatches(random_ids(), B, T, DOCUMENTS)
        begins = {"begins": lambda *at: found[at]} if reset else {}
        losses[reset] = reference(deepcopy(model).double(), batches, **options, **begins)[1]
    trainer = trainer_of(
        model, batches=batches, engine=ENGINES[engine], num_epochs=2, clip_norm=0.3
    )
    assert [s.loss_nats for s in steps_of(trainer)] == pytest.approx(losses[True], rel=1e-4)
    assert losses[False] != pytest.approx(losses[True], rel=1e-3)


def test_carrying_the_state_makes_a_difference_that_the_reference_sees(make_model):
    model = make_model(num_layers=2, init="normal", init_std=0.7).double()
    batches = SequentialBatches(random_ids(), B, T)
    options = {"epochs": 1, "clip": 0.3, "rate": lambda _: 0.5}
    carried, zeroed = (reference(model, batches, carry=c, **options)[1] for c in (True, False))
    assert carried[1] != pytest.approx(zeroed[1], rel=1e-3)


def test_gradient_of_a_batch_equals_backpropagation_by_hand(make_model):
    model = make_model(cell="rnn", input="one-hot", init="normal", init_std=0.5).double()
    trainer = trainer_of(model)
    inputs, targets = next(trainer.batches.epoch(np.random.default_rng(1))[1])
    h0 = torch.randn(B, 8, dtype=torch.float64)
    FallbackTrainingStep(model, Compute(ENGINE)).loss(inputs, targets, ((h0,),))[0].backward()
    W, R, b, d, U, c = (p.detach().numpy() for p in model.parameters())
    h, p, d_logits = [h0.numpy()], [], []
    for t in range(T):
        h.append(np.tanh(W[:, inputs[t]].T + b + h[-1] @ R.T + d))
        logits = h[-1] @ U.T + c
        p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        d_logits.append((p - np.eye(7)[targets[t]]) / (B * T))
    dW, dR, db, dU, dc, dh = (np.zeros_like(a) for a in (W, R, b, U, c, h0.numpy()))
    for t in reversed(range(T)):
        dU += d_logits[t].T @ h[t + 1]
        dc += d_logits[t].sum(axis=0)
        da = (d_logits[t] @ U + dh) * (1 - h[t + 1] ** 2)
        dW += da.T @ np.eye(7)[inputs[t]]
        dR += da.T @ h[t]
        db += da.sum(axis=0)
        dh = da @ R
    for parameter, wanted in zip(model.parameters(), (dW, dR, db, db, dU, dc), strict=True):
        np.testing.assert_allclose(parameter.grad.numpy(), wanted, rtol=0, atol=1e-7)


@pytest.mark.parametrize("cell", ["rnn", "rnn-relu", "gru", "lstm"])
@pytest.mark.parametrize("batching", [SequentialBatches, RandomBatches])
def test_loss_falls_on_a_text_that_can_be_learned(make_model, cycle, cell, batching):
    model = make_model(cell=cell)
    options = {"optimizer": "adam", "learning_rate": 0.02, "num_epochs": 15}
    steps = steps_of(trainer_of(model, batches=batching(cycle(LENGTH), B, T), **options))
    assert steps[0].loss_nats == pytest.approx(math.log(7), abs=0.4)
    assert steps[-1].loss_nats < 0.1


def advance(clock, seconds):
    clock.now += seconds


@pytest.mark.parametrize(
    ("budget", "steps"),
    [
        ({"num_epochs": 3}, 3 * STEPS),
        ({"num_epochs": 0, "max_tokens": 1}, 1),
        ({"num_epochs": 0, "max_tokens": 8 * B * T}, 8),
        ({"num_epochs": 0, "max_tokens": 8 * B * T + 1}, 9),
        ({"num_epochs": 0, "max_seconds": 7.0}, 7),
        ({"num_epochs": 3, "max_tokens": 2 * B * T, "max_seconds": 5.0}, 2),
        ({"num_epochs": 1, "max_tokens": 9 * B * T, "max_seconds": 90.0}, STEPS),
        ({"num_epochs": 3, "max_tokens": 9 * B * T, "max_seconds": 4.0}, 4),
    ],
    ids=str,
)
def test_training_ends_at_the_first_budget_reached(make_model, monkeypatch, budget, steps):
    model, clock = make_model(), SimpleNamespace(now=0.0)
    monkeypatch.setattr(train, "time", SimpleNamespace(perf_counter=lambda: clock.now))
    model.register_forward_hook(lambda *_: advance(clock, 1.0))
    trainer = trainer_of(model, **budget)
    events = steps_of(trainer)
    assert [e.seconds for e in events] == list(range(1, steps + 1))
    assert [e.step for e in events] == list(range(1, steps + 1))
    assert [e.tokens for e in events] == [B * T * (k + 1) for k in range(steps)]
    assert [e.epoch for e in events] == [(k + 1) // STEPS for k in range(steps)]
    progress = [e.progress for e in events]
    assert progress == sorted(progress)
    assert progress[-1] == 1
    assert all(share < 1 for share in progress[:-1])
    assert trainer.summary()["stopped_by"] == "budget"


def test_evaluations_use_up_wall_time_and_are_no_training_time(make_model, monkeypatch):
    model, clock = make_model(), SimpleNamespace(now=0.0)
    monkeypatch.setattr(train, "time", SimpleNamespace(perf_counter=lambda: clock.now))
    model.register_forward_hook(lambda *_: advance(clock, 1.0))
    trainer = trainer_of(
        model, num_epochs=0, max_seconds=10.0, num_evaluations=2,
        evaluate=lambda _: advance(clock, 4.0) or 1.0,
    )  # fmt: skip
    milestones = [e.step for e in trainer.run() if isinstance(e, Milestone)]
    # 5 s, an evaluation of 4 s, a step: the budget is used, and the end is compared with step 5.
    assert milestones == [5, 6]
    summary = trainer.summary()
    assert summary["seconds"] == 6
    assert (summary["evaluations"], summary["evaluations_left_out"]) == (2, 0)
    assert (summary["seconds_per_evaluation"], clock.now) == (4, 14)


@pytest.mark.parametrize(("each", "last"), [(0.5, True), (3.0, True), (40.0, False)])
def test_the_end_is_evaluated_if_it_can_be_compared(make_model, monkeypatch, each, last):
    """If nothing was evaluated before, the last weights are taken anyway."""
    model, clock, nats = make_model(), SimpleNamespace(now=0.0), iter(range(99, 0, -1))
    monkeypatch.setattr(train, "time", SimpleNamespace(perf_counter=lambda: clock.now))
    model.register_forward_hook(lambda *_: advance(clock, 0.1))
    trainer = trainer_of(
        model, num_epochs=0, max_seconds=20.0, num_evaluations=20, cost=10 * B * T * each,
        evaluate=lambda _: advance(clock, each) or next(nats) / 100,
    )  # fmt: skip
    made = [event for event in trainer.run() if isinstance(event, Milestone)]
    assert trainer.summary()["evaluations_left_out"] > 0
    assert [event.step for event in made[-1:]] == ([trainer.step] if last else [])
    assert all(event.is_best for event in made)


@pytest.mark.parametrize("each", [0.01, 0.5, 3.0, 40.0])
def test_evaluations_take_a_fifth_of_a_budget_in_seconds(make_model, monkeypatch, each):
    model, clock = make_model(), SimpleNamespace(now=0.0)
    monkeypatch.setattr(train, "time", SimpleNamespace(perf_counter=lambda: clock.now))
    model.register_forward_hook(lambda *_: advance(clock, 0.1))
    trainer = trainer_of(
        model, num_epochs=0, max_seconds=20.0, num_evaluations=20,
        cost=10 * B * T * each, evaluate=lambda _: advance(clock, each) or 1.0,
    )  # fmt: skip
    spent = sum(each for event in trainer.run() if isinstance(event, Milestone))
    assert clock.now <= 20.1 + each
    assert spent <= max(0.2 * clock.now, 20 * 0.01 * 20) + (each if spent else 0)  # for the end
    summary = trainer.summary()
    assert bool(spent) == (each < 4)
    made = summary["evaluations"] + summary["evaluations_left_out"]
    assert made >= 20 if each < 1 else made <= 20


@pytest.mark.parametrize("number", [0, 1, 3, 7, 12])
@pytest.mark.parametrize("budget", [{"num_epochs": 2}, {"num_epochs": 0, "max_tokens": 249}])
def test_evaluations_are_spread_evenly_over_the_budget(make_model, number, budget):
    calls = iter(range(100, 0, -1))
    trainer = trainer_of(
        make_model(), num_evaluations=number, evaluate=lambda _: float(next(calls)), **budget
    )
    events = list(trainer.run())
    milestones = [e for e in events if isinstance(e, Milestone)]
    total = len(events) - len(milestones)
    assert len(milestones) == number
    assert next(calls) == 100 - number
    for index, milestone in enumerate(milestones, start=1):
        assert abs(milestone.step - index * total / number) <= 1
    assert not number or milestones[-1].step == total


def test_milestones_say_which_evaluation_is_the_best_so_far(make_model):
    values = [3.0, 2.0, 2.5, math.nan, 1.0, 1.0]
    calls = iter(values)
    trainer = trainer_of(make_model(), num_evaluations=6, evaluate=lambda _: next(calls))
    milestones = [e for e in trainer.run() if isinstance(e, Milestone)]
    assert [m.held_out_nats for m in milestones] == pytest.approx(values, nan_ok=True)
    assert [m.is_best for m in milestones] == [True, True, False, False, True, False]


def test_without_held_out_text_milestones_come_without_a_figure(make_model):
    trainer = trainer_of(make_model(), num_evaluations=3, patience=1)
    milestones = [e for e in trainer.run() if isinstance(e, Milestone)]
    assert [(m.held_out_nats, m.is_best) for m in milestones] == [(None, False)] * 3


@pytest.mark.parametrize(
    ("patience", "values", "made"),
    [(2, [3, 2, 2.5, 2.1, 1, 1], 4), (1, [3, 2, 2, 1, 1, 1], 3), (0, [1, 2, 3, 4, 5, 6], 6)],
)
def test_patience_stops_after_that_many_evaluations_without_a_best(
    make_model, patience, values, made
):
    calls = iter(values)
    trainer = trainer_of(
        make_model(), num_evaluations=6, patience=patience, evaluate=lambda _: float(next(calls))
    )
    events = list(trainer.run())
    assert sum(isinstance(e, Milestone) for e in events) == made
    evaluations = "evaluation" if patience == 1 else "evaluations"
    reason = f"no new best in {patience} {evaluations}" if made < 6 else "budget"
    assert trainer.summary()["stopped_by"] == reason
    assert trainer.step == made


def test_stop_ends_the_loop_after_the_step_it_is_in(make_model):
    trainer = trainer_of(make_model(), num_epochs=5)
    seen = 0
    for event in trainer.run():
        seen += 1
        if event.step == 3:
            trainer.stop("Ctrl-C")
    assert seen == trainer.step == 3
    assert trainer.summary()["stopped_by"] == "Ctrl-C"


def test_stop_ends_an_evaluation_too_which_stays_due(make_model):
    asked = []

    def evaluate(progress):
        progress(0.1)
        trainer.stop("Ctrl-C")
        asked.append(trainer.step)
        progress(0.2)
        raise AssertionError("it goes on")

    trainer = trainer_of(make_model(), num_evaluations=2, evaluate=evaluate)
    events = list(trainer.run())
    assert asked == [events[-1].step] == [trainer.step]
    assert all(isinstance(event, Step) for event in events)
    assert trainer.milestone_is_due


@pytest.mark.parametrize("complete", [0, 1, 2])
def test_summary_speaks_of_the_last_complete_epoch(make_model, complete):
    trainer = trainer_of(make_model(), num_epochs=0, max_tokens=B * T * (complete * STEPS + 2))
    losses = [step.loss_nats for step in steps_of(trainer)]
    last = losses[(complete - 1) * STEPS : complete * STEPS] if complete else losses
    summary = trainer.summary()
    assert summary["nats_per_token"] == pytest.approx(np.mean(last))
    assert summary["perplexity"] == pytest.approx(np.exp(np.mean(last)))
    assert (summary["steps"], summary["epochs"]) == (len(losses), complete)
    assert summary["tokens"] == B * T * len(losses)
    assert summary["tokens_per_second"] == summary["tokens"] / summary["seconds"]


class PoisonedEngine(Engine):
    """Runs the textbook; from the third call on the outputs, or their gradient, are spoilt."""

    name = "poisoned"
    about = "for tests"

    def __init__(self, where):
        self.where, self.calls = where, 0

    def run(self, cell, weights, inputs, state, resets=None):
        outputs, state = ENGINES["textbook"].run(cell, weights, inputs, state)
        self.calls += 1
        if self.calls < 3:
            return outputs, state
        if self.where == "loss":
            return outputs * math.nan, state
        outputs.register_hook(lambda gradient: gradient * math.inf)
        return outputs, state


@pytest.mark.parametrize("where", ["loss", "gradient"])
@pytest.mark.parametrize("clip", [0.0, 1.0])
def test_divergence_stops_with_the_last_finite_weights(make_model, where, clip):
    healthy = trainer_of(make_model(), clip_norm=clip, num_epochs=0, max_tokens=2 * B * T)
    norms = [step.gradient_norm for step in steps_of(healthy)]
    model = make_model()
    poisoned = trainer_of(model, engine=PoisonedEngine(where), clip_norm=clip, warmup=0.0)
    with pytest.raises(DivergenceError) as caught:
        list(poisoned.run())
    message, after = str(caught.value).split("gradient norms of the steps before: ")
    start = "training diverged at step 3: loss "
    assert message.startswith(start)
    loss, norm = message.removeprefix(start).removesuffix("; ").split(" nats, gradient norm ")
    assert math.isfinite(float(loss)) is (where == "gradient")
    assert not math.isfinite(float(norm))
    assert after == (
        f"{norms[0]:.3g}, {norms[1]:.3g}. Try a smaller --learning-rate (now 0.5), a smaller "
        f"--clip-norm (now {'1' if clip else 'off'}), or a --warmup (now 0)"
    )
    for name, value in weights_of(healthy.model).items():
        torch.testing.assert_close(weights_of(model)[name], value, rtol=0, atol=1e-6)


def test_a_learning_rate_beyond_all_measure_diverges(make_model, cycle):
    model = make_model(cell="rnn-relu")
    trainer = trainer_of(model, cycle(LENGTH), learning_rate=1e12, clip_norm=0.0, num_epochs=9)
    with pytest.raises(DivergenceError, match=r"^training diverged at step \d+: loss "):
        list(trainer.run())
    assert all(parameter.isfinite().all() for parameter in model.parameters())


def test_seeds_decide_every_bit_of_the_weights(make_model):
    def fit(weights_seed=0, batches_seed=0):
        model = make_model(seed=weights_seed, dropout=0.3)
        steps_of(trainer_of(model, optimizer="adamw", learning_rate=0.01, seed=batches_seed))
        return torch.cat([p.flatten() for p in weights_of(model).values()])

    assert torch.equal(fit(), fit())
    assert not torch.equal(fit(), fit(weights_seed=1))
    assert not torch.equal(fit(), fit(batches_seed=1))


def test_dropout_is_on_in_training_and_restored_by_an_evaluation(make_model):
    model = make_model(dropout=0.5).eval()
    modes = []
    model.register_forward_pre_hook(lambda module, _: modes.append(module.training))
    trainer = trainer_of(model, num_evaluations=STEPS, evaluate=lambda _: 1.0)
    for _ in trainer.run():
        pass
    assert modes == [True] * STEPS


def test_bfloat16_computes_in_bfloat16_and_keeps_float32_weights(make_model, cycle, output_types):
    model = make_model()
    types = output_types(model)
    options = {"optimizer": "adam", "learning_rate": 0.02, "num_epochs": 15}
    # The textbook, which computes in bfloat16 on any processor.
    options |= {"engine": ENGINES["textbook"], "precision": "bfloat16"}
    steps = steps_of(trainer_of(model, cycle(LENGTH), **options))
    assert types == {torch.bfloat16}
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert steps[-1].loss_nats < 0.15
