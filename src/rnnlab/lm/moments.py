"""When training evaluates: evenly over the budget, and early, as the data seen grows.

On a fast machine a small text is learned by heart before the first even moment. So there are early
evaluations too: at first at equal distances, as close as their cost allows, then whenever the data
seen has grown by a tenth. The lowest point of a held-out curve is then missed by little, wherever
it is. They end where the even ones lie closer together. All moments depend only on the share of the
budget and on the tokens seen, so a resumed run has the same ones.
"""

import math
from dataclasses import dataclass

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
left out. The final evaluations follow in any case."""

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

    def wants_early(self, progress: float) -> bool:
        """Whether the next even moment is more than GROWTH times the data away."""
        return 0 < progress * (GROWTH - 1) * self.num_evaluations < 1


def too_dear(budget: float, elapsed: float, spent: float, each: float) -> bool:
    """Whether an evaluation would take too much of a budget in seconds; 0: there is none.

    elapsed: time so far. spent: in evaluations. each: what one takes. All in seconds.
    """
    return each > CHEAP_SHARE * budget > 0 and spent + each > EVALUATION_SHARE * elapsed


def evaluation_cost(tokens: int, context: str, batch_size: int) -> float:
    """Return the work of evaluating `tokens` targets, in tokens trained on in batches of that size.

    context: the context rule, see `lm.evaluate`.
    """
    time_steps = tokens
    if context != "carried":
        size = int(context.removeprefix("windows:"))
        time_steps = tokens % size + (size if tokens >= size else 0)
    forward = tokens + SEQUENCES_PER_STEP * time_steps
    trained = BACKWARD * (1 + SEQUENCES_PER_STEP / batch_size)  # for one token
    return forward / trained
