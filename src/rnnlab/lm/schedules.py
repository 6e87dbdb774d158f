"""Learning-rate schedules: the share of the peak rate as a function of progress.

Progress runs from 0 to 1 over the budget, whether it is in epochs, tokens or seconds, so a schedule
always ends when training ends.
"""

import math
from collections.abc import Callable

from rnnlab.config import TrainingSettings


def constant(progress: float, warmup: float) -> float:
    """Rise linearly over `warmup`, then stay at 1."""
    return _rise(progress, warmup)


def linear(progress: float, warmup: float) -> float:
    """Rise linearly over `warmup`, then fall linearly to 0.

    Source: Bergsma et al. 2025, arXiv:2502.15938, section 3, decay to zero.
    """
    return _rise(progress, warmup) * (1 - _after(progress, warmup))


def cosine(progress: float, warmup: float) -> float:
    """Rise linearly over `warmup`, then fall to 0 along half a cosine.

    Source: Loshchilov and Hutter 2017, arXiv:1608.03983, equation 5, one cycle, minimum 0.
    """
    return _rise(progress, warmup) * _half_cosine(_after(progress, warmup))


def one_cycle(progress: float, warmup: float) -> float:
    """Rise from 1/25 along half a cosine over `warmup` (0.3 if 0), then fall to 1/250,000.

    Source: Smith and Topin 2018, arXiv:1708.07120, section 3, with the shape and the constants of
    torch's OneCycleLR.
    """
    rise, low, end = warmup or 0.3, 1 / 25, 1 / 250_000
    if progress < rise:
        return 1 + (low - 1) * _half_cosine(progress / rise)
    return end + (1 - end) * _half_cosine(_after(progress, rise))


SCHEDULES: dict[str, Callable[[float, float], float]] = {
    "constant": constant,
    "linear": linear,
    "cosine": cosine,
    "one-cycle": one_cycle,
}


def learning_rate_share(settings: TrainingSettings, progress: float) -> float:
    """Return the value of the schedule that `settings` name at `progress` in [0, 1]."""
    return SCHEDULES[settings.schedule](progress, settings.warmup)


def _rise(progress: float, warmup: float) -> float:
    return min(1.0, progress / warmup) if warmup else 1.0


def _after(progress: float, start: float) -> float:
    return max(0.0, progress - start) / (1 - start)


def _half_cosine(progress: float) -> float:
    """Fall from 1 to 0."""
    return 0.5 * (1 + math.cos(math.pi * progress))
