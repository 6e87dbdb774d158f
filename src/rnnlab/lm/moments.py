"""When training evaluates: evenly over the budget, and early, as the data seen grows.

On a fast machine a small text is learned by heart before the first even moment. So there are early
evaluations too: at first at equal distances, as close as their cost allows, then whenever the data
seen has grown by a tenth. The lowest point of a held-out curve is then missed by little, wherever
it is. They end where the even ones lie closer together. All moments depend only on the share of the
budget and on the tokens seen, so a resumed run has the same ones.
"""

import math
from dataclasses import dataclass

from rnnlab.config import TrainingSettings

GROWTH = 1.1
"""Factor by which the data seen grows between early evaluations. Some of them are then within 5% of
the data of any point, where the curve of an overfitting run has hardly risen."""

EARLY_SHARE = 0.1
"""Largest share of the work so far that the early evaluations together may take."""

FIRST_STEP = 10
"""No early evaluation is before this step: fewer updates teach nothing."""

SEQUENCES_PER_STEP = 8
"""A time step of a batch of B sequences takes about as long as B plus this number: the weights are
read from memory once for all of them."""

BACKWARD = 3
"""Work of a training step, as a multiple of its forward pass."""


EVALUATION_SHARE = 0.2
"""Largest share of the time so far that evaluations may take under a budget in seconds; others are
left out, but for the one at the end if there was one before. Final evaluations follow anyway."""

CHEAP_SHARE = 0.01
"""Evaluations that take no more than this share of such a budget are never left out. So a budget in
seconds that only guards against a slow machine changes nothing."""


@dataclass(frozen=True)
class Moments:
    """Counts the moments that have passed; an evaluation is due when a count rises."""

    num_evaluations: int
    """Even ones over the budget; 0: no evaluation at all."""
    cost: float = 0.0
    """Work of an evaluation, in tokens trained on; 0: there are no early evaluations."""

    def even(self, progress: float) -> int:
        """Return how many even moments are over at a share of the budget."""
        return math.floor(min(1.0, progress) * self.num_evaluations)

    def early(self, step: int, tokens: int) -> int:
        """Return how many early moments are over after `step` steps on `tokens` tokens.

        They number at most EARLY_SHARE times tokens / cost, so that they take no more than that.
        """
        if not self.cost or step < FIRST_STEP:
            return 0
        affordable = tokens * EARLY_SHARE / self.cost
        equal = 1 / (GROWTH - 1)  # from here on a distance is a tenth of the data and more
        if affordable <= equal:
            return math.floor(affordable)
        return math.floor(equal + math.log(affordable / equal, GROWTH))

    def work(self, tokens: float) -> float:
        """Return about how much work all evaluations are in time for `tokens`, in such tokens.

        Under a budget in seconds, those that would take too much time are left out.
        """
        even_are_closer = round(tokens / ((GROWTH - 1) * max(1, self.num_evaluations)))
        early = self.early(FIRST_STEP, min(round(tokens), even_are_closer))
        if not self.num_evaluations:
            return 0.0
        return min(EVALUATION_SHARE * tokens, (self.num_evaluations + early) * self.cost)

    def wants_early(self, progress: float) -> bool:
        """Whether the next even moment is more than GROWTH times the data away."""
        return 0 < progress * (GROWTH - 1) * self.num_evaluations < 1


@dataclass
class EvaluationTimes:
    """What evaluations have cost so far."""

    made: int = 0
    left_out: int = 0
    """Even ones, because they would have taken too much of a budget in seconds."""
    seconds: float = 0.0
    """For all that were made, with what the caller did at them."""

    def add(self, seconds: float) -> None:
        """Count an evaluation that was made."""
        self.made += 1
        self.seconds += seconds

    def each(self, estimate: float) -> float:
        """Return the mean time of an evaluation; `estimate` before the first one."""
        return self.seconds / self.made if self.made else estimate

    def too_long(self, each: float, elapsed: float, budget: float) -> bool:
        """Whether another one, of `each` seconds, takes too much of a budget in seconds, 0: none.

        elapsed: seconds of the budget used so far.
        """
        return each > CHEAP_SHARE * budget > 0 and self.seconds + each > EVALUATION_SHARE * elapsed


def evaluation_cost(
    tokens: int, context: str, batch_size: int, recurrent_share: float = 1.0
) -> float:
    """Return the work of evaluating `tokens` targets, in tokens trained on in batches of that size.

    context: the context rule, see `lm.evaluate`. recurrent_share: of the weights of the recurrent
    and the output layers; the output is computed for many time steps at once.
    """
    time_steps = tokens
    if context != "carried":
        size = int(context.removeprefix("windows:"))
        time_steps = tokens % size + (size if tokens >= size else 0)
    extra = SEQUENCES_PER_STEP * recurrent_share
    trained = BACKWARD * (1 + extra / batch_size)  # for one token
    return (tokens + extra * time_steps) / trained


def budget_shares(
    settings: TrainingSettings, epochs: float, tokens: int, seconds: float
) -> dict[str, float]:
    """Return which share of each budget is used."""
    used = {"num_epochs": epochs, "max_tokens": tokens, "max_seconds": seconds}
    budgets = {name: getattr(settings, name) for name in used}
    return {name: used[name] / budget for name, budget in budgets.items() if budget}
