"""A difference over several texts: how large it is on average, and how certain that is.

Given are paired differences by text, one for each seed. J texts, n_j seeds on text j, x̄_j and s_j
mean and standard deviation of its differences. All tests use Student's t.
"""

import math
from collections.abc import Sequence

from rnnlab.experiments.statistics import Mean, estimate_mean, paired_mean

Differences = Sequence[Sequence[float]]
"""By text, and for each text by seed."""


def mean_on_these(differences: Differences) -> Mean:
    """Return the mean over these texts: x̄ = Σ x̄_j / J, whose error is that of the seeds.

    The error is √(Σ s_j² / n_j) / J. Each text may have a spread of its own, so the degrees of
    freedom are (Σ v_j)² / Σ v_j² / (n_j - 1), v_j = s_j² / n_j (Welch 1947, Biometrika 34:28;
    Satterthwaite 1946, Biometrics Bull. 2:110). It says nothing about other texts. Raises
    ValueError if a text has fewer than two differences, or one is not finite.
    """
    means = [paired_mean(own) for own in differences]
    largest = max(mean.error for mean in means)
    value = math.fsum(mean.value for mean in means) / len(means)
    if not largest:
        return Mean(value, 0.0, sum(mean.freedom for mean in means))
    shares = [(mean.error / largest) ** 2 for mean in means]  # the squares do not vanish
    error = largest * math.sqrt(math.fsum(shares)) / len(means)
    parts = (share**2 / mean.freedom for share, mean in zip(shares, means, strict=True))
    return Mean(value, error, math.fsum(shares) ** 2 / math.fsum(parts))


def mean_on_others(differences: Differences) -> Mean:
    """Return the mean over texts like these, which are taken for a random sample of them.

    A t test of the x̄_j, with J - 1 degrees of freedom: it counts how much texts differ, and what
    seeds add to that. Raises ValueError if there are fewer than two texts, or a text has none.
    """
    return paired_mean([estimate_mean(own).mean for own in differences])


def mean_over_folds(differences: Differences, ratio: float) -> Mean:
    """Return the mean over other parts of such a text, estimated from folds.

    The corrected resampled t test: the squared error is (1 / J + ratio) S², S the standard
    deviation of the x̄_j, ratio the size of a test text over that of its training text (Nadeau and
    Bengio 2003, Machine Learning 52:239). The training texts of any two folds overlap, so the x̄_j
    depend on each other, and S² / J is too small (Dietterich 1998, Neural Comput. 10:1895). Raises
    as `mean_on_others`.
    """
    naive = mean_on_others(differences)
    return Mean(naive.value, naive.error * math.sqrt(1 + ratio * len(differences)), naive.freedom)


def pooled_deviation(differences: Differences) -> float:
    """Return the standard deviation within texts: the root of the mean of their s_j²."""
    deviations = [estimate_mean(own).deviation or 0.0 for own in differences]
    return math.hypot(*deviations) / math.sqrt(len(deviations))
