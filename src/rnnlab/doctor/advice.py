"""Advice: flags to try, with values that the settings accept."""

from collections.abc import Iterator

from rnnlab.config import LEARNING_RATES, ModelSettings, Settings
from rnnlab.lm.optimizers import peak_learning_rate

FORGETTING = 0.002
"""Share of every weight that decay removes per step; at this value a third of what was learned is
left after 500 steps. At 0.003 an LSTM ended 0.2 nats higher than without decay, at 0.009 0.5."""

MUCH_PENALTY = 0.01
"""L2 penalty that counts as strong with adam, rmsprop and adagrad. They scale the penalty like a
gradient, so even a small one dominates if gradients are small."""

DECOUPLED = ("adamw", "sgd")
"""Optimizers whose decay removes a share of each weight."""

LEAST_BATCH = 8
"""Sequences. With fewer, a token costs more time: on one core an LSTM of 256 units read 55,000
tokens per second in batches of 32, 50,000 in batches of 8, 22,000 one by one; the textbook engine
read 27,000 in batches of 32 and 11,000 in batches of 8."""

WORTH_ITS_TIME = 4
"""How many times smaller a batch must be to be advised for the same time. With a quarter of the
batch, all engines reached a lower held-out loss in the same seconds; with half, not always."""

TIMES = 4
"""How much longer a budget is advised."""


def rounded(value: float) -> str:
    """Return a value for a flag, with two significant digits."""
    return f"{float(f'{value:.1e}'):g}"


def flag(
    settings: Settings, name: str, value: str | float, why: str = "", *, clip: bool = False
) -> str:
    """Return one advice: the flag, the value to try, other flags it needs, the value now.

    clip: among the others is the default --clip-norm, unless gradients are clipped as much now.
    """
    now = settings.flat()[name]
    if name == "learning_rate":
        now = now or LEARNING_RATES[settings.training.optimizer]
    wanted = rounded(value) if isinstance(value, float) else str(value)
    words = [f"--{name.replace('_', '-')} {wanted}", *_companions(settings, name, wanted)]
    if clip and not 0 < settings.training.clip_norm <= 1:
        words.append("--clip-norm 1")
    is_now = f"{now:g}" if isinstance(now, float) else str(now)
    return f"{' '.join(words)} (now {is_now})" + (f": {why}" if why else "")


def _companions(settings: Settings, name: str, wanted: str) -> Iterator[str]:
    """Yield the flags without which the settings would reject the value."""
    default = ModelSettings().init_std
    if name == "init" and wanted != "normal" and settings.model.init_std != default:
        yield f"--init-std {default:g}"
    model = settings.model
    more = name == "dropout" and float(wanted) > model.dropout
    if more and model.input == "embedding" and model.input_dropout < 0.2:
        yield "--input-dropout 0.2"
    if name == "optimizer":
        yield f"--learning-rate {LEARNING_RATES[wanted]:g}"
    if name == "optimizer" and settings.training.nesterov:
        yield "--no-nesterov"
    if name == "optimizer" and settings.training.momentum:
        yield "--momentum 0"


def decay_share(settings: Settings) -> float:
    """Return the share of every weight that decay removes per step.

    It is 0 for optimizers that scale an L2 penalty like a gradient: they have no such share.
    """
    training = settings.training
    if training.optimizer not in DECOUPLED:
        return 0.0
    return min(1.0, peak_learning_rate(training) * training.weight_decay)


def decays_fast(settings: Settings) -> bool:
    """Whether weight decay is strong enough to be mentioned."""
    return decay_share(settings) >= FORGETTING


def weaker_decay(settings: Settings) -> list[str]:
    """Return the advice to weaken decay if it is strong, otherwise an empty list."""
    training = settings.training
    is_adamw, is_penalty = training.optimizer == "adamw", training.optimizer not in DECOUPLED
    if not decays_fast(settings) and not (is_penalty and training.weight_decay >= MUCH_PENALTY):
        return []
    return [flag(settings, "weight_decay", 0.01 if is_adamw else 1e-5)]


def default_rate(settings: Settings) -> float:
    """Return the optimizer's default rate; momentum m makes steps 1/(1-m) times as long."""
    training = settings.training
    return LEARNING_RATES[training.optimizer] * (1 - training.momentum)


def use_default_rate(settings: Settings) -> str:
    """Return the advice to use the optimizer's default rate."""
    momentum = settings.training.momentum
    why = f"the optimizer's default{f' at momentum {momentum:g}' if momentum else ''}"
    return flag(settings, "learning_rate", default_rate(settings), why)


def lower_rate(settings: Settings, factor: float, *, clip: bool = False) -> str:
    """Return the advice to divide the rate by a factor, or to use the optimizer's default if lower.

    Momentum is ignored here: with clipped gradients, an LSTM at momentum 0.99 learned best at a
    third of the rate that saturated its gates, and far worse at a hundredth.
    """
    default, rate = (
        LEARNING_RATES[settings.training.optimizer],
        peak_learning_rate(settings.training),
    )
    if settings.model.cell == "rnn-relu" and settings.training.optimizer == "sgd":
        default /= 10  # its states are not bounded, and the default is too high for it
        if rate / factor >= default:
            return flag(settings, "learning_rate", default, clip=clip)
    if rate / factor >= default:
        return flag(settings, "learning_rate", default, "the optimizer's default", clip=clip)
    return flag(settings, "learning_rate", rate / factor, clip=clip)


def smaller_batch(settings: Settings, wanted: int) -> list[str]:
    """Return the advice to make batches smaller, or an empty list if that promises nothing.

    wanted: sequences; at least LEAST_BATCH are advised. A budget in seconds does not buy more
    updates in proportion, on a GPU hardly any: the advice then gives no number, and is only given
    where the held-out loss after the same time was lower in trials.
    """
    now, size = settings.data.batch_size, max(LEAST_BATCH, wanted)
    if not settings.training.max_seconds:
        times = f"{now / size:.2g} times as many updates for the same tokens"
        return [flag(settings, "batch_size", size, times)] if now >= 2 * size else []
    if settings.machine.device == "cuda" or now < WORTH_ITS_TIME * size:
        return []
    return [flag(settings, "batch_size", size, "more updates, though each token takes longer")]


def longer_budget(settings: Settings) -> list[str]:
    """Return the advice to train for longer, in the units of all present budgets."""
    training = settings.training
    budgets = {
        name.replace("_", "-"): now
        for name in ("num_epochs", "max_tokens", "max_seconds")
        if (now := getattr(training, name))
    }
    flags = " ".join(f"--{name} {now * TIMES:g}" for name, now in budgets.items())
    return [f"{flags} (now {' and '.join(f'{now:g}' for now in budgets.values())})"]
