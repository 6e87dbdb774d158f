"""All that decides how training goes on: taken from a trainer, put back into one.

Weights, the optimizer's own tensors, the carried state, the generators of random numbers, the place
in the epoch and the counters. Whoever goes on from it computes the same bits as if nothing had come
between, on the same machine with the same engine and number of threads.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Annotated, Any

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from rnnlab.errors import ModelFolderError, plainly
from rnnlab.lm.train import EpochLoss, Trainer

Count = Annotated[int, Field(ge=0, lt=2**63)]
Amount = Annotated[float, Field(ge=0)]


class Exactly(BaseModel):
    """Exactly these keys, of exactly these types; all numbers finite."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class Counters(Exactly):
    """Attributes of a trainer that are taken and put back as they are."""

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


class TrainerFacts(Exactly):
    """What `take_state` says beside the tensors."""

    counters: Counters
    best_nats: Amount | None
    epoch_loss: EpochLoss
    last_norms: list[Amount]
    epoch_rng: dict[str, Any]


def take_state(trainer: Trainer) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors by name, and everything else as JSON can say it; take it at an event of `run`."""
    tensors = {f"weights.{name}": p.detach() for name, p in trainer.model.named_parameters()}
    for index, values in trainer.optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{key}": v for key, v in values.items() if v is not None}
    for layer, parts in enumerate(trainer.carried or ()):
        tensors |= {f"carried.{layer}.{part}": value for part, value in enumerate(parts)}
    tensors["random.cpu"] = torch.get_rng_state()
    if trainer.device.type == "cuda":
        tensors["random.cuda"] = torch.cuda.get_rng_state(trainer.device)
    return tensors, {
        "counters": {name: getattr(trainer, name) for name in Counters.model_fields},
        "best_nats": trainer.best_nats if math.isfinite(trainer.best_nats) else None,
        "epoch_loss": asdict(trainer.epoch_loss),
        "last_norms": list(trainer.last_norms),
        "epoch_rng": trainer.epoch_rng,
    }


def put_state(trainer: Trainer, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
    """Let `trainer` go on where another one was.

    Raises ModelFolderError, with the trainer of no more use, where the state is of another model or
    optimizer.
    """
    try:
        _put_weights(trainer, tensors)
        _put_optimizer(trainer, tensors)
        _put_carried(trainer, tensors)
        torch.set_rng_state(tensors["random.cpu"])
        if trainer.device.type == "cuda" and "random.cuda" in tensors:
            torch.cuda.set_rng_state(tensors["random.cuda"], trainer.device)
        for name in Counters.model_fields:
            setattr(trainer, name, facts["counters"][name])
        best = facts["best_nats"]
        trainer.best_nats = math.inf if best is None else best
        trainer.epoch_loss = EpochLoss(**facts["epoch_loss"])
        trainer.last_norms.extend(facts["last_norms"])
        trainer.epoch_rng = facts["epoch_rng"]
        trainer.rng.bit_generator.state = trainer.epoch_rng
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ModelFolderError(
            f"the training state does not fit this run: {plainly(error)}"
        ) from error


def _put_weights(trainer: Trainer, tensors: Mapping[str, Tensor]) -> None:
    for name, parameter in trainer.model.named_parameters():
        parameter.data.copy_(_shaped(tensors[f"weights.{name}"], parameter))


def _put_optimizer(trainer: Trainer, tensors: Mapping[str, Tensor]) -> None:
    content = trainer.optimizer.state_dict()
    values: dict[int, dict[str, Tensor]] = {}
    for (index, key), tensor in _below("optimizer", tensors):
        values.setdefault(int(index), {})[key] = tensor
    for number, parameter in enumerate(trainer.model.parameters()):
        for tensor in values.get(number, {}).values():
            if tensor.dim():  # a number counts steps
                _shaped(tensor, parameter)
    trainer.optimizer.load_state_dict(content | {"state": values})


def _put_carried(trainer: Trainer, tensors: Mapping[str, Tensor]) -> None:
    carried = dict(_below("carried", tensors))
    if not carried:
        trainer.carried = None
        return
    trainer.carried = tuple(
        tuple(
            _shaped(carried[str(layer), str(part)], zeros).to(trainer.device)
            for part, zeros in enumerate(parts)
        )
        for layer, parts in enumerate(trainer.model.zero_state(trainer.batches.batch_size))
    )


def _below(prefix: str, tensors: Mapping[str, Tensor]) -> Iterator[tuple[tuple[str, str], Tensor]]:
    """Tensors PREFIX.A.B by (A, B)."""
    for name, tensor in tensors.items():
        first, _, rest = name.partition(".")
        if first == prefix:
            a, _, b = rest.partition(".")
            yield (a, b), tensor


def _shaped(tensor: Tensor, like: Tensor) -> Tensor:
    if tensor.shape != like.shape:
        raise ValueError(f"{tuple(tensor.shape)} where {tuple(like.shape)} belongs")
    return tensor
