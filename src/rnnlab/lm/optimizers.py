"""torch's optimizers by name, and the clipping of gradients."""

import math
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from inspect import unwrap
from typing import Any, TypeVar

from torch import Tensor, nn, no_grad, optim

from rnnlab.config import LEARNING_RATES, TrainingSettings
from rnnlab.config.validation import format_value
from rnnlab.errors import UsageError

Kind = TypeVar("Kind", bound=optim.Optimizer)


@cache
def _uncompiled(kind: type[Kind]) -> type[Kind]:
    """Return the same optimizer without the wrappers that only torch.compile needs.

    Each imports torch._dynamo when it is first called, which takes as long as to import torch.
    """
    names = ("add_param_group", "zero_grad", "state_dict", "load_state_dict")
    methods: dict[str, Any] = {name: unwrap(getattr(kind, name)) for name in names}
    methods["step"] = no_grad()(unwrap(kind.step))
    return type(kind.__name__, (kind,), methods)


Maker = Callable[[list[Tensor], TrainingSettings, float], optim.Optimizer]

# fused: one pass over memory in each step; on 2 cores much faster than torch's default loop.
OPTIMIZERS: dict[str, Maker] = {
    "sgd": lambda parameters, settings, rate: _uncompiled(optim.SGD)(
        parameters,
        rate,
        momentum=settings.momentum,
        nesterov=settings.nesterov,
        weight_decay=settings.weight_decay,
        fused=True,
    ),
    "adam": lambda parameters, settings, rate: _uncompiled(optim.Adam)(
        parameters,
        rate,
        betas=(settings.beta1, settings.beta2),
        weight_decay=settings.weight_decay,
        fused=True,
    ),
    "adamw": lambda parameters, settings, rate: _uncompiled(optim.AdamW)(
        parameters,
        rate,
        betas=(settings.beta1, settings.beta2),
        weight_decay=settings.weight_decay,
        fused=True,
    ),
    "rmsprop": lambda parameters, settings, rate: _uncompiled(optim.RMSprop)(
        parameters, rate, momentum=settings.momentum, weight_decay=settings.weight_decay
    ),
    "adagrad": lambda parameters, settings, rate: _uncompiled(optim.Adagrad)(
        parameters, rate, weight_decay=settings.weight_decay, fused=True
    ),
}


def peak_learning_rate(settings: TrainingSettings) -> float:
    """Return the learning rate in `settings`, or the optimizer's default if that is 0."""
    return settings.learning_rate or LEARNING_RATES[settings.optimizer]


def trained_parameters(named: Iterable[tuple[str, Tensor]], frozen: Sequence[str]) -> list[Tensor]:
    """Return the parameters that are not in frozen parts; all gradients count in the norm.

    Raises UsageError if there are none.
    """
    found = [parameter for name, parameter in named if name.split(".")[0] not in frozen]
    if not found:
        raise UsageError(f"freeze = {format_value(tuple(frozen))} leaves nothing to train")
    return found


def make_optimizer(settings: TrainingSettings, parameters: Iterable[Tensor]) -> optim.Optimizer:
    """Return the optimizer that `settings` name."""
    maker = OPTIMIZERS[settings.optimizer]
    return maker(list(parameters), settings, peak_learning_rate(settings))


def clip_gradients(parameters: Iterable[Tensor], clip_norm: float) -> float:
    """Scale all gradients by clip_norm / norm if their common L2 norm is larger; 0: never.

    Returns the norm before clipping. Source: Pascanu et al. 2013, arXiv:1211.5063, section 3.2.
    """
    return nn.utils.clip_grad_norm_(parameters, clip_norm or math.inf).item()
