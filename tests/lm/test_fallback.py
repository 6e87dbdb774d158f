"""Reading, writing and training through the forward pass."""

from itertools import islice

import numpy as np
import pytest
import torch

from rnnlab.config import TrainingSettings
from rnnlab.data.batches import RandomBatches, SequentialBatches
from rnnlab.engines import ENGINES
from rnnlab.lm.compute import Compute
from rnnlab.lm.fallback import FallbackReader
from rnnlab.lm.train import Step, Trainer

BUILTIN = ENGINES["builtin"]
IDS = np.random.default_rng(0).integers(0, 7, (12, 3))
FREE = {"temperature": 0, "top_k": 0, "top_p": 1.0, "forbidden": -1}


def test_the_state_is_carried_from_call_to_call_until_a_reset(make_model):
    reader = FallbackReader(make_model(dropout=0.5), Compute(BUILTIN), 3)
    whole = reader.score(IDS[:-1], IDS[1:])
    reader.reset()
    halves = [*reader.score(IDS[:5], IDS[1:6]), *reader.score(IDS[5:-1], IDS[6:])]
    assert np.array(halves) == pytest.approx(whole, rel=1e-5)
    assert reader.score(IDS[:-1], IDS[1:]) != pytest.approx(whole, rel=1e-6)


def test_tokens_known_to_all_rows_are_read_in_one_call_and_kept(make_model):
    model, lengths = make_model(), []
    model.register_forward_hook(lambda _model, inputs, _out: lengths.append(len(inputs[0])))
    ids, known = IDS.copy(), np.ones(IDS.shape, np.bool_)
    known[5:8, 1] = known[11, 2] = False
    assert FallbackReader(model, Compute(BUILTIN), 3).write(ids, known, np.zeros(ids.shape), **FREE)
    assert lengths == [5, 1, 1, 4]
    assert (ids[known] == IDS[known]).all()


@pytest.mark.parametrize("batches", [SequentialBatches, RandomBatches])
def test_steps_to_be_timed_are_those_of_training(make_model, batches):
    settings = TrainingSettings(
        optimizer="sgd", learning_rate=0.5, schedule="constant", warmup=0, num_epochs=2
    )
    trained, timed = (
        Trainer(make_model(), Compute(BUILTIN), batches(IDS.flatten(), 2, 3), settings)
        for _ in range(2)
    )
    steps = sum(isinstance(event, Step) for event in trained.run())
    assert list(islice(timed.steps_without_end(), steps)) == [6] * steps
    for one, other in zip(trained.model.parameters(), timed.model.parameters(), strict=True):
        assert torch.equal(one, other)
