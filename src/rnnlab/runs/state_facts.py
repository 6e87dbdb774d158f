"""What a training state says beside its tensors, and the check that a file says just that."""

import json
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from rnnlab.config.validation import spelled
from rnnlab.lm.training_state import Amount, Count, Exactly, TrainerFacts
from rnnlab.runs.metrics import Pending


class LogFacts(Exactly):
    """What `MetricsLog.state` returns."""

    bytes: Count
    pending: Pending
    logged_seconds: Amount
    logged_tokens: Count


class SavingFacts(Exactly):
    """What `States.costs` returns."""

    states_saved: Count
    state_seconds: Amount


class AboutFacts(Exactly):
    """What `resume.about` returns."""

    settings: dict[str, dict[str, Any]]
    corpus_sha256: str
    tokenizer_sha256: str
    environment: dict[str, Any]


class StateFacts(Exactly):
    """What `RunWriter` says."""

    about: AboutFacts
    trainer: TrainerFacts
    log: LogFacts
    samples_bytes: Count
    resumed_at: list[Count]
    bits_may_differ: list[str]
    saving: SavingFacts


def check_facts(facts: Mapping[str, Any]) -> None:
    """Raise ValueError for what no run could have said."""
    try:
        StateFacts.model_validate_json(json.dumps(facts))
    except ValidationError as error:
        fault = error.errors()[0]
        raise ValueError(f"{spelled(fault['loc'])}: {fault['msg']}") from None
