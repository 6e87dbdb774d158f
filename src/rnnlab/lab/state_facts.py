"""What a training state says beside its tensors, and the check that a file says just that."""

import json
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rnnlab.config.faults import spelled
from rnnlab.lab.metrics import Pending
from rnnlab.lm.train import EpochLoss

Count = Annotated[int, Field(ge=0, lt=2**63)]
Amount = Annotated[float, Field(ge=0)]


class Facts(BaseModel):
    """Exactly these keys, of exactly these types; all numbers finite."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class Counters(Facts):
    """`training_state.COUNTERS`."""

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


class TrainerFacts(Facts):
    """What `training_state.take_state` returns."""

    counters: Counters
    best_nats: Amount | None
    epoch_loss: EpochLoss
    last_norms: list[Amount]
    epoch_rng: dict[str, Any]


class LogFacts(Facts):
    """What `MetricsLog.state` returns."""

    bytes: Count
    pending: Pending
    logged_seconds: Amount
    logged_tokens: Count


class SavingFacts(Facts):
    """What `States.costs` returns."""

    states_saved: Count
    state_seconds: Amount


class StateFacts(Facts):
    """What `RunWriter` says."""

    about: dict[str, Any]
    trainer: TrainerFacts
    log: LogFacts
    samples_bytes: Count
    resumed_at: list[Count]
    differences: list[str]
    saving: SavingFacts


def check_facts(facts: Mapping[str, Any]) -> None:
    """Raise ValueError for what no run could have said."""
    try:
        StateFacts.model_validate_json(json.dumps(facts))
    except ValidationError as error:
        fault = error.errors()[0]
        raise ValueError(f"{spelled(fault['loc'])}: {fault['msg']}") from None
