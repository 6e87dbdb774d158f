"""Everything that decides how training goes on: taken from a trainer, put back into another.

That is: the weights, the optimizer's tensors, the carried state, the states of the random number
generators, the position in the epoch and the counters. A trainer that continues from a training
state computes the same bits as one that was never interrupted, on the same machine with the same
engine and number of threads.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Annotated, Any

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from rnnlab.errors import ModelFolderError, message_of
from rnnlab.lm.compute import CPU
from rnnlab.lm.epoch_loss import EpochLoss
from rnnlab.lm.moments import EvaluationTimes
from rnnlab.lm.train import Trainer

Count = Annotated[int, Field(ge=0, lt=2**63)]
Amount = Annotated[float, Field(ge=0)]


class StrictModel(BaseModel):
    """Part of a file's schema: exactly these keys with exactly these types; finite numbers."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class Counters(StrictModel):
    """Attributes of a trainer that are copied as they are."""

    step: Count
    epoch: Count
    batch: Count
    tokens: Count
    clipped_steps: Count
    seconds: Amount
    elapsed: Amount
    progress: Amount
    since_best: Count
    milestone_is_due: bool
    early_is_due: bool = False  # older states lack this, as `times` below


class TrainerFacts(StrictModel):
    """The part of a training state that is not tensors."""

    counters: Counters
    best_nats: Amount | None
    """None if nothing was evaluated yet."""
    epoch_loss: EpochLoss
    last_norms: list[Amount]
    epoch_rng: dict[str, Any]
    times: EvaluationTimes = Field(default_factory=EvaluationTimes)


def take_state(trainer: Trainer) -> tuple[dict[str, Tensor], TrainerFacts]:
    """Return a trainer's state: tensors by name, and the rest. Call it at an event of `run`."""
    tensors = {f"weights.{name}": p.detach() for name, p in trainer.model.named_parameters()}
    for index, values in trainer.optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{key}": v for key, v in values.items() if v is not None}
    for layer, parts in enumerate(trainer.carried or ()):
        tensors |= {f"carried.{layer}.{part}": value for part, value in enumerate(parts)}
    for device in _random_devices(trainer):
        tensors[f"random.{device}"] = trainer.model.random.on(device).get_state()
    return tensors, TrainerFacts(
        counters=Counters(**{name: getattr(trainer, name) for name in Counters.model_fields}),
        best_nats=trainer.best_nats if math.isfinite(trainer.best_nats) else None,
        epoch_loss=replace(trainer.epoch_loss),
        last_norms=list(trainer.last_norms),
        epoch_rng=dict(trainer.epoch_rng),
        times=replace(trainer.times),
    )


def put_state(trainer: Trainer, tensors: Mapping[str, Tensor], facts: TrainerFacts) -> None:
    """Let `trainer` go on where another one was.

    Raises ModelFolderError if the state belongs to another model or optimizer; the trainer cannot
    be used after that.
    """
    try:
        _put_weights(trainer, tensors)
        _put_optimizer(trainer, tensors)
        _put_carried(trainer, tensors)
        for device in _random_devices(trainer):
            if device == CPU or f"random.{device}" in tensors:
                state = tensors[f"random.{device}"]
                trainer.model.random.on(device).set_state(state)
        for name, value in facts.counters:
            setattr(trainer, name, value)
        trainer.best_nats = math.inf if facts.best_nats is None else facts.best_nats
        trainer.epoch_loss = replace(facts.epoch_loss)
        trainer.times = replace(facts.times)
        trainer.last_norms.extend(facts.last_norms)
        trainer.epoch_rng = facts.epoch_rng
        trainer.rng.bit_generator.state = trainer.epoch_rng
    except (KeyError, TypeError, ValueError, RuntimeError, OverflowError) as error:
        raise ModelFolderError(
            f"the training state does not fit this run: {message_of(error)}"
        ) from error


def _random_devices(trainer: Trainer) -> list[str]:
    """Return the devices on which random numbers are drawn: weights begin on the CPU."""
    return list(dict.fromkeys((CPU, trainer.compute.device)))


def _put_weights(trainer: Trainer, tensors: Mapping[str, Tensor]) -> None:
    for name, parameter in trainer.model.named_parameters():
        parameter.data.copy_(_shaped(tensors[f"weights.{name}"], parameter))


def _put_optimizer(trainer: Trainer, tensors: Mapping[str, Tensor]) -> None:
    content = trainer.optimizer.state_dict()
    values: dict[int, dict[str, Tensor]] = {}
    for (index, key), tensor in _below("optimizer", tensors):
        values.setdefault(int(index), {})[key] = tensor
    for number, parameter in enumerate(trainer.model.parameters()):
        for key, tensor in values.get(number, {}).items():
            # torch's fused kernels would write beyond the end of a tensor that is too small.
            _shaped(tensor, torch.empty(()) if key == "step" else parameter)
    trainer.optimizer.load_state_dict(content | {"state": values})


def _put_carried(trainer: Trainer, tensors: Mapping[str, Tensor]) -> None:
    carried = dict(_below("carried", tensors))
    if not carried:
        trainer.carried = None
        return
    trainer.carried = tuple(
        tuple(
            _shaped(carried[str(layer), str(part)], zeros).to(trainer.compute.device)
            for part, zeros in enumerate(parts)
        )
        for layer, parts in enumerate(trainer.model.zero_state(trainer.batches.batch_size))
    )


def _below(prefix: str, tensors: Mapping[str, Tensor]) -> Iterator[tuple[tuple[str, str], Tensor]]:
    """Yield the tensors named PREFIX.A.B, by (A, B)."""
    for name, tensor in tensors.items():
        first, _, rest = name.partition(".")
        if first == prefix:
            a, _, b = rest.partition(".")
            yield (a, b), tensor


def _shaped(tensor: Tensor, like: Tensor) -> Tensor:
    if tensor.shape != like.shape:
        raise ValueError(f"shape {tuple(tensor.shape)}, expected {tuple(like.shape)}")
    return tensor
