"""What to try, as flags with values that the settings will take."""

from collections.abc import Iterator

from rnnlab.config import LEARNING_RATES, Settings
from rnnlab.lm.optimizers import peak_learning_rate

FORGETTING = 0.002
"""Share of every weight that decay takes at a step: a third is left of what was learned 500 steps
ago. At 0.003 an LSTM ended 0.2 nats above where it ends without decay, at 0.009 0.5."""

MUCH_PENALTY = 0.01
"""An L2 penalty that adam, rmsprop and adagrad scale like a gradient, so that even a small one
rules where gradients are small."""


DECOUPLED = ("adamw", "sgd")
"""Optimizers of which decay takes a share of each weight."""


def rounded(value: float) -> str:
    """A value to give to a flag: two significant digits."""
    return f"{float(f'{value:.1e}'):g}"


def flag(settings: Settings, name: str, value: str | float, why: str = "") -> str:
    """One piece of advice: the flag, the value to try, what must change with it, the value now."""
    now = settings.flat()[name]
    if name == "learning_rate":
        now = now or LEARNING_RATES[settings.training.optimizer]
    wanted = rounded(value) if isinstance(value, float) else str(value)
    words = [f"--{name.replace('_', '-')} {wanted}", *_companions(settings, name, wanted)]
    is_now = f"{now:g}" if isinstance(now, float) else str(now)
    return f"{' '.join(words)} (now {is_now})" + (f": {why}" if why else "")


def _companions(settings: Settings, name: str, wanted: str) -> Iterator[str]:
    """Flags without which the settings would refuse the value."""
    if name == "optimizer" and settings.training.nesterov:
        yield "--no-nesterov"
    if name == "optimizer" and settings.training.momentum:
        yield "--momentum 0"


def decay_share(settings: Settings) -> float:
    """Share of every weight that decay takes at a step; of the optimizers that scale an L2 penalty
    like a gradient there is no such share, and it is 0."""
    training = settings.training
    if training.optimizer not in DECOUPLED:
        return 0.0
    return min(1.0, peak_learning_rate(training) * training.weight_decay)


def decays_fast(settings: Settings) -> bool:
    """Whether weight decay is strong enough to be named."""
    return decay_share(settings) >= FORGETTING


def weaker_decay(settings: Settings) -> list[str]:
    """Advice where decay is strong, and otherwise none."""
    training = settings.training
    is_adamw, is_penalty = training.optimizer == "adamw", training.optimizer not in DECOUPLED
    if not decays_fast(settings) and not (is_penalty and training.weight_decay >= MUCH_PENALTY):
        return []
    return [flag(settings, "weight_decay", 0.01 if is_adamw else 1e-5)]


def own_rate(settings: Settings) -> float:
    """The optimizer's own learning rate; momentum m makes steps 1/(1-m) times as long."""
    training = settings.training
    return LEARNING_RATES[training.optimizer] * (1 - training.momentum)


def to_own_rate(settings: Settings) -> str:
    """Advice to learn at the optimizer's own rate."""
    momentum = settings.training.momentum
    why = f"the optimizer's own{f', at momentum {momentum:g}' if momentum else ''}"
    return flag(settings, "learning_rate", own_rate(settings), why)


def calmer_rate(settings: Settings, factor: float) -> str:
    """Advice to learn more slowly: by a factor, and no faster than the optimizer's own rate.

    Momentum does not count here: with clipped gradients an LSTM at momentum 0.99 learned best at a
    third of the rate that saturated its gates, and far worse at a hundredth.
    """
    rate = peak_learning_rate(settings.training) / factor
    if rate >= LEARNING_RATES[settings.training.optimizer]:
        return to_own_rate(settings)
    return flag(settings, "learning_rate", rate)
