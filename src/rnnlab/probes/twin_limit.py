r"""How far an untrained network gets by chance: a limit for one more of them.

Untrained networks of different seeds differ, so a network that is ahead of a few of them may have
learned nothing. If the best values x of T such networks are normally distributed, one more exceeds

    x̄ + t(1 - α/F; T - 1) s √(1 + 1/T)

with probability α/F, and in any of F features with at most α (a prediction limit, with Bonferroni's
correction).

Source: Hahn and Meeker 1991, Statistical Intervals, section 4.4.
"""

import math

import numpy as np
from scipy.special import stdtrit

from rnnlab.lm.evaluate import Floats
from rnnlab.probes.circular_shift import LEVEL

FEWEST_TWINS = 2
"""One alone has no spread."""


def twin_limit(best: Floats, level: float = LEVEL) -> Floats:
    """Return the limit for each feature (F,) of the best values of the twins (T, F); level: α."""
    T, F = best.shape
    t = stdtrit(T - 1, 1 - level / F)
    limit = best.mean(0) + t * best.std(0, ddof=1) * math.sqrt(1 + 1 / T)
    at_least: Floats = np.maximum(limit, best.max(0))
    return at_least


def twin_limit_of_correlations(best: Floats) -> Floats:
    """Return the limit of |r| (F,), each below 1 in `best` (T, F), by Fisher's z = artanh r."""
    limit: Floats = np.tanh(twin_limit(np.arctanh(np.minimum(best, 1 - 1e-9))))
    return limit
