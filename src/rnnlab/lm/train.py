"""The training loop: truncated backpropagation through time.

Each batch continues where the last one ended: the state is carried on, its gradient is not. The
loop yields an event for each step and each evaluation; the caller writes and shows them.
"""

import math
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch

from rnnlab.config import TrainingSettings
from rnnlab.console import counted
from rnnlab.data.batches import Batches
from rnnlab.data.tokenizer import Ids
from rnnlab.engines.engine import zeroed
from rnnlab.engines.thread_pace import ThreadPace
from rnnlab.errors import DivergenceError
from rnnlab.lm.compute import Compute
from rnnlab.lm.epoch_loss import EpochLoss
from rnnlab.lm.evaluate import ShareCallback, perplexity
from rnnlab.lm.fallback import make_training_step
from rnnlab.lm.model import LanguageModel, ModelState
from rnnlab.lm.moments import EvaluationTimes, Moments, budget_shares
from rnnlab.lm.optimizers import make_optimizer, peak_learning_rate, trained_parameters
from rnnlab.lm.schedules import learning_rate_share

NO_NEW_BEST = "no new best in"
"""Start of the stop reason when `patience` ends a run."""


@dataclass(frozen=True)
class Step:
    """What one training step measured."""

    step: int
    epoch: int
    tokens: int
    """Tokens trained on so far."""
    seconds: float
    """Time in training steps so far, without evaluations."""
    progress: float
    """Share of the budget used so far, 0 .. 1."""
    loss_nats: float
    """Mean over the batch, before the update."""
    gradient_norm: float
    """L2 norm over all parameters, before clipping."""
    clipped: bool
    learning_rate: float


@dataclass(frozen=True)
class Milestone:
    """A point to evaluate, save and show: `num_evaluations` of them, evenly over the budget.

    Early evaluations come in addition, see `lm.moments`; there only the best weights are kept.
    """

    step: int
    held_out_nats: float | None
    """Nats per token on the validation split; None without one."""
    is_best: bool
    is_early: bool = False


TrainingEvent = Step | Milestone


class _EndAskedError(Exception):
    """Ends an evaluation early."""


class Trainer:
    """Trains a model on batches until a budget is used up.

    evaluate: returns held-out nats per token. It is called at every milestone, with a callback for
    its progress. evaluation_cost: see `lm.moments`; 0: no early evaluations. pace: of threads.
    """

    def __init__(
        self,
        model: LanguageModel,
        compute: Compute,
        batches: Batches,
        settings: TrainingSettings,
        *,
        evaluate: Callable[[ShareCallback], float] | None = None,
        evaluation_cost: float = 0.0,
        pace: ThreadPace | None = None,
    ) -> None:
        self.model = model
        self.compute = compute
        self.batches = batches
        self.settings = settings
        self.evaluate = evaluate
        self.moments = Moments(settings.num_evaluations, evaluation_cost)
        self.pace = pace or ThreadPace(adapts=False)
        trained = trained_parameters(model.named_parameters(), settings.freeze)
        self.optimizer = make_optimizer(settings, trained)
        self.gradients = make_training_step(model, compute)
        self.rng = np.random.default_rng(settings.seed)
        self.step = self.epoch = self.tokens = self.clipped_steps = 0
        self.seconds = self.elapsed = self.progress = 0.0
        self.best_nats, self.since_best = math.inf, 0
        self.milestone_is_due = self.early_is_due = False
        self.times, self.epoch_loss = EvaluationTimes(), EpochLoss()
        self.last_norms: deque[float] = deque(maxlen=5)
        self.batch = 0
        """Index in the epoch of the next batch."""
        self.epoch_rng = self.rng.bit_generator.state
        """State of `rng` when the epoch began."""
        self.carried: ModelState | None = None
        """The state after the last batch; None at the start of an epoch."""
        self.stop_reason = "budget"
        self._stop_requested = False

    def stop(self, reason: str) -> None:
        """End the loop after the current step; an evaluation that is due stays due."""
        self.stop_reason, self._stop_requested = reason, True

    def run(self) -> Iterator[TrainingEvent]:
        """Train; raises DivergenceError if perplexity or gradient is NaN or infinite.

        At every event `lm.training_state` can save the trainer.
        """
        self.model.train()
        began = time.perf_counter() - self.elapsed
        while True:
            self.rng.bit_generator.state = self.epoch_rng
            count, batches = self.batches.epoch(self.rng, self.batch)
            for inputs, targets in batches:
                if self.evaluation_is_due:
                    started = time.perf_counter()
                    self.elapsed = started - began
                    each, budget = self.seconds_per_evaluation, self.settings.max_seconds
                    # The end is always compared with what was best before it.
                    may_skip = self.progress < 1 or not self.times.made
                    if may_skip and self.times.too_long(each, self.elapsed, budget):
                        self.times.left_out += self.milestone_is_due
                        self.milestone_is_due = self.early_is_due = False
                    elif milestone := self._milestone():
                        yield milestone
                        self.times.add(time.perf_counter() - started)
                        self.elapsed = time.perf_counter() - began
                        self.progress = self._share_done(count)
                if self._is_over():
                    return
                started = time.perf_counter()
                rate = self._set_learning_rate(self.progress)
                loss, norm = self.train_step(inputs, targets)
                clipped = 0 < self.settings.clip_norm < norm
                self._account(inputs, loss, norm, clipped, time.perf_counter() - started)
                self.elapsed = time.perf_counter() - began
                if self.batch == count:
                    self._end_epoch()
                self._advance(count)
                yield Step(
                    self.step, self.epoch, self.tokens, self.seconds,
                    min(1.0, self.progress), loss, norm, clipped, rate,
                )  # fmt: skip

    @property
    def evaluation_is_due(self) -> bool:
        """Whether an evaluation is to be made before the next step."""
        return self.milestone_is_due or self.early_is_due

    @property
    def is_out_of_patience(self) -> bool:
        """Whether `patience` ends training now."""
        return 0 < self.settings.patience <= self.since_best

    def _is_over(self) -> bool:
        if self.is_out_of_patience:
            self.stop(f"{NO_NEW_BEST} {counted(self.since_best, 'evaluation')}")
        return self.progress >= 1 or self._stop_requested

    def _end_epoch(self) -> None:
        self.epoch += 1
        self.epoch_loss.close()
        self.batch, self.carried = 0, None
        self.epoch_rng = self.rng.bit_generator.state

    def _advance(self, count: int) -> None:
        """Update the progress, and note when an evaluation is due."""
        moments, before = self.moments, self.moments.even(self.progress)
        self.progress = self._share_done(count)
        if moments.even(self.progress) > before:
            self.milestone_is_due = True
        seen_before = self.tokens - self.batches.batch_size * self.batches.num_steps
        was = moments.early(self.step - 1, seen_before)
        if moments.wants_early(self.progress) and moments.early(self.step, self.tokens) > was:
            self.early_is_due = True

    def train_step(self, inputs: Ids, targets: Ids) -> tuple[float, float]:
        """Do one step on a batch (T, B): forward, loss, backward, clip, update.

        It starts from the state that the batch before left, or from zeros if there was none in
        this epoch or the batches are not continuous. Returns the mean loss in nats and the
        gradient's norm before clipping.

        Raises DivergenceError if perplexity or gradient is NaN or infinite.
        """
        state = self.carried
        if state is None or not self.batches.carries_state:
            state = self.model.zero_state(self.batches.batch_size)
        elif (fresh := self.batches.fresh_rows(self.batch)) is not None:
            rows = torch.from_numpy(fresh)
            state = tuple(zeroed(layer, rows) for layer in state)
        with self.pace.step(inputs.size):
            nats, norm, state = self.gradients(inputs, targets, state, self.settings.clip_norm)
            if not (math.isfinite(perplexity(nats)) and math.isfinite(norm)):
                raise self._divergence(nats, norm)
            self.optimizer.step()
        self.carried = state
        return nats, norm

    def steps_without_end(self) -> Iterator[int]:
        """Do training steps to measure their speed; yields the number of tokens of each.

        No budget ends them, and the learning rate stays as it is.
        """
        self.model.train()
        while True:
            self.carried = None
            for inputs, targets in self.batches.epoch(self.rng)[1]:
                with self.compute.using_threads():
                    self.train_step(inputs, targets)
                yield inputs.size

    def _set_learning_rate(self, progress: float) -> float:
        rate = peak_learning_rate(self.settings) * learning_rate_share(self.settings, progress)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        return rate

    def _account(
        self, inputs: Ids, loss: float, norm: float, clipped: bool, seconds: float
    ) -> None:
        self.step += 1
        self.batch += 1
        self.tokens += inputs.size
        self.seconds += seconds
        self.clipped_steps += clipped
        self.epoch_loss.add(loss)
        self.last_norms.append(norm)

    def update_progress(self) -> None:
        """Compute the progress anew, after the budget may have changed."""
        self.rng.bit_generator.state = self.epoch_rng
        self.progress = self._share_done(self.batches.epoch(self.rng)[0])

    def _share_done(self, count: int) -> float:
        """Return the share of the budget used so far; `count`: batches in this epoch."""
        return max(self._shares(count).values(), default=0.0)

    def _shares(self, count: int) -> dict[str, float]:
        epochs = self.epoch + self.batch / count
        return budget_shares(self.settings, epochs, self.tokens, self.elapsed)

    def shares_used(self) -> dict[str, float]:
        """Return which share of each budget is used, by the budgets' names."""
        self.rng.bit_generator.state = self.epoch_rng
        return self._shares(self.batches.epoch(self.rng)[0])

    @property
    def seconds_per_token(self) -> float:
        """Time in training steps; 0 before the first."""
        return self.seconds / self.tokens if self.tokens else 0.0

    @property
    def seconds_per_evaluation(self) -> float:
        """Measured; before the first evaluation an estimate from the speed of training."""
        return self.times.each(self.moments.cost * self.seconds_per_token)

    def _milestone(self) -> Milestone | None:
        """Evaluate; return None if the loop is asked to end meanwhile."""
        nats = None
        if self.evaluate is not None:
            try:
                nats = self.evaluate(self._end_if_asked)
            except _EndAskedError:
                return None
        is_early = not self.milestone_is_due
        self.milestone_is_due = self.early_is_due = False
        if nats is None:
            return Milestone(self.step, None, is_best=False)
        is_best = nats < self.best_nats and math.isfinite(perplexity(nats))
        self.since_best += not is_early
        if is_best:
            self.best_nats, self.since_best = nats, 0
        return Milestone(self.step, nats, is_best, is_early)

    def _end_if_asked(self, share: float) -> None:
        if self._stop_requested:
            raise _EndAskedError

    def _divergence(self, loss: float, norm: float) -> DivergenceError:
        lasts = ", ".join(f"{value:.3g}" for value in self.last_norms) or "none"
        clip, rate = self.settings.clip_norm, peak_learning_rate(self.settings)
        return DivergenceError(
            f"training diverged at step {self.step + 1}: loss {loss:g} nats, gradient norm "
            f"{norm:g}; gradient norms of the steps before: {lasts}. Try a smaller --learning-rate "
            f"(now {rate:g}), a smaller --clip-norm (now {f'{clip:g}' if clip else 'off'}), or a "
            f"--warmup (now {self.settings.warmup:g})"
        )

    def summary(self) -> dict[str, float | int | str]:
        """Return the training part of `result.json`; its perplexity is that of training text."""
        nats = self.epoch_loss.mean_nats
        return {
            "perplexity": perplexity(nats),
            "nats_per_token": nats,
            "tokens_per_second": self.tokens / self.seconds if self.seconds else 0.0,
            "seconds": self.seconds,
            "elapsed_seconds": self.elapsed,
            "mean_threads": self.pace.mean_threads,
            "steps": self.step,
            "epochs": self.epoch,
            "tokens": self.tokens,
            "clipped_share": self.clipped_steps / self.step if self.step else 0.0,
            "stopped_by": self.stop_reason,
            "evaluations": self.times.made,
            "evaluations_left_out": self.times.left_out,
            "seconds_per_evaluation": self.seconds_per_evaluation,
        }
