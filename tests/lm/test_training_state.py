"""A trainer's state, put into a new trainer, changes no bit of what follows."""

import json
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from rnnlab.config import ModelSettings, TrainingSettings
from rnnlab.data.batches import BATCH_KINDS
from rnnlab.engines import ENGINES
from rnnlab.errors import ModelFolderError
from rnnlab.lm.compute import Compute
from rnnlab.lm.model import LanguageModel
from rnnlab.lm.tensor_file import arrays_of, read_tensors, write_arrays
from rnnlab.lm.train import Milestone, Step, Trainer
from rnnlab.lm.training_state import TrainerFacts, put_state, take_state

V, B, T, EPOCHS = 7, 3, 4, 3
IDS = np.random.default_rng(3).integers(0, V, B * T * 5 + T + 1)
EVENTS = EPOCHS * 5 + 4 + 3  # steps, milestones and early evaluations between them


def new_trainer(
    seed: int,
    cell: str = "lstm",
    engine: str = "textbook",
    kind: str = "sequential",
    hidden_size: int = 8,
    **training: Any,
) -> Trainer:
    torch.manual_seed(seed)
    model = LanguageModel(
        ModelSettings(cell=cell, hidden_size=hidden_size, embedding_size=5, dropout=0.3), V
    )
    asked = {"num_epochs": EPOCHS, "num_evaluations": 4, "learning_rate": 0.05, "seed": seed}
    trainer = Trainer(model, Compute(ENGINES[engine]), BATCH_KINDS[kind](IDS, B, T),
                      TrainingSettings(**asked | training), evaluation_cost=1.5)  # fmt: skip
    trainer.evaluate = lambda _: float(model.output.weight.detach().abs().sum())
    return trainer


def save(file: Path, trainer: Trainer) -> None:
    tensors, facts = take_state(trainer)
    write_arrays(file, arrays_of(tensors), facts.model_dump())


def restore(trainer: Trainer, file: Path) -> None:
    tensors, content = read_tensors(file)
    put_state(trainer, tensors, TrainerFacts.model_validate_json(json.dumps(content)))


def told(event: Step | Milestone) -> tuple[Any, ...]:
    """Return the fields of an event that do not tell the time."""
    if isinstance(event, Milestone):
        return event.step, event.held_out_nats, event.is_best, event.is_early
    return event.step, event.epoch, event.tokens, event.progress, event.loss_nats, event.clipped


def weights(trainer: Trainer) -> list[torch.Tensor]:
    return [parameter.detach().clone() for parameter in trainer.model.parameters()]


@given(
    at=st.integers(1, EVENTS),
    cell=st.sampled_from(["rnn", "rnn-relu", "gru", "lstm"]),
    engine=st.sampled_from(sorted(ENGINES)),
    kind=st.sampled_from(sorted(BATCH_KINDS)),
    optimizer=st.sampled_from(
        [
            {"optimizer": "sgd"},
            {"optimizer": "sgd", "momentum": 0.9, "nesterov": True},
            {"optimizer": "adam"},
            {"optimizer": "adamw", "schedule": "one-cycle", "warmup": 0.2},
            {"optimizer": "rmsprop", "momentum": 0.5},
            {"optimizer": "adagrad", "patience": 2},
        ]
    ),
)
@settings(max_examples=60)
def test_a_restored_trainer_computes_the_same_bits(
    tmp_path_factory: pytest.TempPathFactory,
    at: int, cell: str, engine: str, kind: str, optimizer: dict[str, Any],
) -> None:  # fmt: skip
    undisturbed = new_trainer(1, cell, engine, kind, **optimizer)
    expected = [told(event) for event in undisturbed.run()]
    assert len(expected) == EVENTS or "patience" in optimizer

    first = new_trainer(1, cell, engine, kind, **optimizer)
    before = [told(event) for event in islice(first.run(), at)]
    file = tmp_path_factory.mktemp("state") / "state.safetensors"
    save(file, first)

    second = new_trainer(2, cell, engine, kind, **optimizer)  # starts from other weights
    restore(second, file)
    after = [told(event) for event in second.run()]
    assert before + after == expected
    assert all(map(torch.equal, weights(second), weights(undisturbed)))
    assert second.summary().keys() == undisturbed.summary().keys()
    kept = {"steps", "epochs", "tokens", "nats_per_token", "clipped_share", "stopped_by"}
    assert all(second.summary()[name] == undisturbed.summary()[name] for name in kept)


def test_a_larger_budget_ends_like_one_from_the_start() -> None:
    long = new_trainer(1, num_epochs=2)
    steps = [told(e)[0] for e in long.run() if isinstance(e, Step)]
    short = new_trainer(1, num_epochs=1)
    done = [told(e)[0] for e in short.run() if isinstance(e, Step)]
    state = take_state(short)
    more = new_trainer(2, num_epochs=2)
    put_state(more, *state)
    more.update_progress()
    assert more.progress == 0.5
    assert done + [told(e)[0] for e in more.run() if isinstance(e, Step)] == steps
    assert all(map(torch.equal, weights(more), weights(long)))


@pytest.mark.parametrize(
    "other",
    [
        {"hidden_size": 9},
        {"cell": "gru"},
        {"optimizer": "sgd", "momentum": 0.5},
    ],
)
def test_a_state_of_another_trainer_is_refused(other: dict[str, Any]) -> None:
    first = new_trainer(1, optimizer="sgd")
    next(first.run())
    tensors, facts = take_state(first)
    if "optimizer" in other:
        tensors["optimizer.0.momentum_buffer"] = torch.zeros(2, 2)
    with pytest.raises(ModelFolderError, match=r"^the training state does not fit this run: "):
        put_state(new_trainer(1, **{"optimizer": "sgd"} | other), tensors, facts)


@pytest.mark.parametrize("key", ["step", "exp_avg", "exp_avg_sq"])
def test_optimizer_tensors_of_another_shape_are_refused(key: str) -> None:
    """torch's fused kernels do not check them, and would write to memory that is not theirs."""
    first = new_trainer(1, optimizer="adamw")
    next(first.run())
    tensors, facts = take_state(first)
    tensors[f"optimizer.0.{key}"] = torch.zeros((2,) if key == "step" else ())
    with pytest.raises(ModelFolderError, match=r"^the training state does not fit this run: shape"):
        put_state(new_trainer(1, optimizer="adamw"), tensors, facts)


@pytest.mark.parametrize("missing", ["counters", "best_nats", "epoch_loss", "epoch_rng"])
def test_facts_that_lack_a_field_are_refused(missing: str) -> None:
    facts = take_state(new_trainer(1))[1].model_dump()
    del facts[missing]
    with pytest.raises(ValidationError, match=f"{missing}\n  Field required"):
        TrainerFacts.model_validate_json(json.dumps(facts))


def test_equal_states_are_equal_files(tmp_path: Path) -> None:
    contents = set()
    for _ in range(5):
        save(tmp_path / "state", new_trainer(1))
        contents.add((tmp_path / "state").read_bytes())
    assert len(contents) == 1


@given(share=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
@settings(max_examples=80)
@example(share=0.001953125, bit=0)  # in the name of the entry that holds checksum and facts
def test_one_wrong_bit_is_found(
    tmp_path_factory: pytest.TempPathFactory, share: float, bit: int
) -> None:
    file = tmp_path_factory.mktemp("state") / "state.safetensors"
    trainer = new_trainer(1)
    next(trainer.run())
    save(file, trainer)
    sound = read_tensors(file)
    content = bytearray(file.read_bytes())
    content[int(share * len(content))] ^= 1 << bit
    file.write_bytes(content)
    try:
        tensors, facts = read_tensors(file)
    except ModelFolderError:
        return
    # In the header, spaces and the order of keys say nothing.
    assert facts == sound[1]
    assert tensors.keys() == sound[0].keys()
    assert all(torch.equal(tensors[name], sound[0][name]) for name in tensors)
