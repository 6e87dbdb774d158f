"""Statistics of a few paired numbers: t intervals, t tests, Holm's correction, power.

Pairs are given as their differences, one for each seed. All functions use Student's t, which is
exact for normally distributed values, however few. A percentile bootstrap is not: its 95% interval
of three values covers 75%. Values that agree to twelve digits count as equal; they have no spread,
and their t statistic is 0 or infinite, never NaN.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtr, stdtr, stdtrit

Alternative = Literal["two-sided", "less", "greater"]

LEVEL = 0.05
"""Largest probability of any false verdict in an experiment."""

POWER = 0.8
"""Probability that an experiment shows a detectable difference."""

ROUNDING = 1e-12
"""Relative spread below which values differ only by rounding."""

_Z = np.linspace(-9.0, 9.0, 1801)
"""Standard normal deviates; the trapezoid rule over them is accurate to 1e-6."""

_WEIGHTS = np.exp(-(_Z**2) / 2) * (_Z[1] - _Z[0]) / math.sqrt(2 * math.pi)


@dataclass(frozen=True)
class Estimate:
    """A mean and its uncertainty."""

    mean: float
    half: float | None
    """Half the width of the t interval: mean ± half; None for one value."""
    deviation: float | None
    """Standard deviation (n - 1) of the values; None for one value."""
    count: int

    @property
    def interval(self) -> tuple[float, float] | None:
        """Lower and upper end; None for one value."""
        return None if self.half is None else (self.mean - self.half, self.mean + self.half)


@dataclass(frozen=True)
class Mean:
    """A mean with a normal error, whose size is estimated with some degrees of freedom."""

    value: float
    error: float
    """Standard error of the value; 0 if the differences have no spread."""
    freedom: float

    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """Return value ± t error, t the quantile of the degrees of freedom."""
        half = float(stdtrit(self.freedom, (1 + confidence) / 2)) * self.error
        return self.value - half, self.value + half

    def p_value(self, shift: float = 0.0, alternative: Alternative = "two-sided") -> float:
        """Return p of the t test that the true mean is `shift`; see `t_test`."""
        if self.error:
            t = (self.value - shift) / self.error
        elif math.isclose(self.value, shift, rel_tol=ROUNDING):
            t = 0.0
        else:
            t = math.copysign(math.inf, self.value - shift)
        if alternative == "two-sided":
            return float(2 * stdtr(self.freedom, -abs(t)))
        return float(stdtr(self.freedom, t if alternative == "less" else -t))

    def p_equivalent(self, margin: float) -> float:
        """Return p of two one-sided tests: that -margin < true mean < margin.

        It is the larger p of the two (Schuirmann 1987, J. Pharmacokinet. Biopharm. 15:657). Raises
        ValueError if the margin is not positive.
        """
        if not margin > 0:
            raise ValueError(f"an equivalence margin must be above 0, not {margin:g}")
        return max(self.p_value(-margin, "greater"), self.p_value(margin, "less"))


def paired_mean(differences: Sequence[float]) -> Mean:
    """Return the mean of paired differences: error s / √n, n - 1 degrees of freedom.

    Raises ValueError if there are fewer than two values or a value is not finite.
    """
    mean, deviation = _mean_and_deviation(differences, least=2)
    return Mean(mean, deviation / math.sqrt(len(differences)), len(differences) - 1)


def estimate_mean(values: Sequence[float], confidence: float = 0.95) -> Estimate:
    """Estimate a mean: x̄ ± t s / √n, t the quantile of n - 1 degrees of freedom (Student 1908).

    For paired differences it is the paired t interval; without spread it has no width. Raises
    ValueError if there are no values or a value is not finite.
    """
    mean, deviation = _mean_and_deviation(values, least=1)
    count = len(values)
    if count == 1:
        return Estimate(mean, None, None, 1)
    t = float(stdtrit(count - 1, (1 + confidence) / 2))
    return Estimate(mean, t * deviation / math.sqrt(count), deviation, count)


def t_test(
    differences: Sequence[float], shift: float = 0.0, alternative: Alternative = "two-sided"
) -> float:
    """Return p of the paired t test that the true mean difference is `shift`.

    `alternative` is the alternative hypothesis: the true mean is less than, greater than or
    (two-sided) different from `shift`. Without spread t is infinite, so p is 0 or 1, or t is 0 if
    the differences equal `shift`. Raises ValueError if there are fewer than two values or a value
    is not finite.
    """
    return paired_mean(differences).p_value(shift, alternative)


def equivalence_test(differences: Sequence[float], margin: float) -> float:
    """Return p of the tests that `Mean.p_equivalent` makes. Raises as it and `t_test` do."""
    if not margin > 0:
        raise ValueError(f"an equivalence margin must be above 0, not {margin:g}")
    return paired_mean(differences).p_equivalent(margin)


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p values so that with probability 1 - α no true null hypothesis has one of at most α.

    Sorted, the j-th of m, j = 0, 1, …, becomes max over i <= j of (m - i) p_i, at most 1. Holds for
    any dependence between the tests (Holm 1979, Scand. J. Statist. 6:65). The order is kept.
    """
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for rank, i in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[i]))
        adjusted[i] = largest
    return adjusted


def holm_levels(p_values: Sequence[float], level: float) -> list[float]:
    """Return for each test the largest p that would be significant, given the other p values.

    That is level / (m - r), where r of the m tests are significant if this one is not.
    """
    levels = []
    for i in range(len(p_values)):
        others = holm([*p_values[:i], math.inf, *p_values[i + 1 :]])
        shown = sum(p <= level for j, p in enumerate(others) if j != i)
        levels.append(level / (len(p_values) - shown))
    return levels


def effect_size(differences: Sequence[float]) -> float | None:
    """Return d_z = J(n - 1) x̄ / s, the mean difference in standard deviations (Cohen 1988).

    J(k) = Γ(k/2) / (√(k/2) Γ((k - 1)/2)) makes it unbiased (Hedges 1981, J. Educ. Stat. 6:107).
    None if it is not defined: for fewer than three values, where J is 0, and without spread.
    """
    mean, deviation = _mean_and_deviation(differences, least=1)
    if len(differences) < 3 or not deviation:
        return None
    return bias_correction(len(differences) - 1) * mean / deviation


def bias_correction(freedom: int) -> float:
    """Return Hedges' J of so many degrees of freedom, at least two; see `effect_size`."""
    half = freedom / 2
    return math.exp(math.lgamma(half) - math.lgamma(half - 0.5)) / math.sqrt(half)


def detectable_difference(deviation: float, count: int, level: float = LEVEL) -> float:
    """Return the true mean difference that a two-sided t test shows with 80% power.

    `deviation` is the standard deviation of the differences, taken as known, `count` their number.
    """
    return detectable_errors(count - 1, level) * deviation / math.sqrt(count)


def detectable_margin(deviation: float, count: int, level: float = LEVEL) -> float:
    """Return the margin within which two equal variants are shown to be equivalent with 80% power.

    See `detectable_difference`.
    """
    return margin_errors(count - 1, level) * deviation / math.sqrt(count)


# With a standard normal Z = (x̄ - δ) √n / σ and, independent of it, (n - 1) s² / σ² distributed as
# chi-squared with n - 1 degrees of freedom, both powers are the mean over Z of P(s / σ < a bound).


@lru_cache(2048)
def detectable_errors(freedom: float, level: float) -> float:
    """Return how many standard errors a two-sided t test shows with 80% power.

    Solves P(|T| > t) = 0.8, t the two-sided critical value at `level`, T noncentral t.
    """
    t = float(stdtrit(freedom, 1 - level / 2))
    return _solve(freedom, t, lambda shift: np.abs(_Z + shift) / t)


@lru_cache(2048)
def margin_errors(freedom: float, level: float) -> float:
    """Return the margin, in standard errors, that shows equality with 80% power.

    Solves P(|x̄| + t s / √n < margin) = 0.8 for a true difference of 0, t the one-sided critical
    value at `level`.
    """
    t = float(stdtrit(freedom, 1 - level))
    return _solve(freedom, t, lambda margin: np.maximum(margin - np.abs(_Z), 0) / t)


def _solve(freedom: float, t: float, bound: Callable[[float], NDArray[np.float64]]) -> float:
    """Find by bisection the argument at which P(s / σ < bound) is `POWER`."""
    low, high = 0.0, 2 * t + 10
    while high - low > ROUNDING * high:
        middle = (low + high) / 2
        if _WEIGHTS @ chdtr(freedom, freedom * bound(middle) ** 2) < POWER:
            low = middle
        else:
            high = middle
    return high


def _mean_and_deviation(values: Sequence[float], least: int) -> tuple[float, float]:
    """Return mean and standard deviation; 0 for one value or if values differ only by rounding."""
    if len(values) < least:
        raise ValueError(f"at least {least} values are needed, not {len(values)}")
    for value in values:
        if not math.isfinite(value):
            raise ValueError(f"values must be finite, not {value}")
    size = max(map(abs, values)) or 1.0
    scaled = [value / size for value in values]  # the squares neither overflow nor vanish
    mean = math.fsum(scaled) / len(scaled)
    squares = math.fsum((value - mean) ** 2 for value in scaled)
    deviation = math.sqrt(squares / max(1, len(scaled) - 1))
    return mean * size, 0.0 if deviation <= ROUNDING else deviation * size
