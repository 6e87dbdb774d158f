"""The speed of training, measured in two sizes and estimated for others."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rnnlab.config import ModelSettings, Settings
from rnnlab.data.batches import SequentialBatches
from rnnlab.lm.compute import Compute
from rnnlab.lm.model import LanguageModel
from rnnlab.runs.machine_speed import MachineSpeed, measure_speed, work

MODELS = [
    {},
    {"cell": "gru", "num_layers": 3},
    {"cell": "rnn", "input": "one-hot"},
    {"tie_weights": True, "embedding_size": 24, "num_layers": 2},
]


@pytest.mark.parametrize("options", MODELS, ids=str)
def test_work_is_the_size_of_all_matrices_that_multiply(options):
    settings = ModelSettings(**{"hidden_size": 24} | options)
    model = LanguageModel(settings, 31)
    matrices = [p for name, p in model.recurrent.named_parameters() if "weight" in name]
    if settings.input == "one-hot":
        matrices = [p for p in matrices if p.shape[1] != 31]
    total = sum(p.numel() for p in matrices) + model.output.weight.numel()
    assert work(settings, 31) == total


sizes = st.tuples(st.floats(1e3, 1e6), st.floats(1e-9, 1e-3))


@given(small=sizes, factor=st.floats(1.1, 100), slower=st.floats(0.1, 200))
def test_the_line_never_falls_and_is_right_where_it_was_measured(small, factor, slower):
    """But for the smaller size, if the larger one was faster or slowed down by more than its work:
    then that cannot be true of the machine, and the larger size counts."""
    large = small[0] * factor, small[1] * slower
    speed = MachineSpeed.through(small, large)
    assert speed.overhead >= 0
    assert speed.seconds_per_unit > 0
    at = [speed.overhead + size * speed.seconds_per_unit for size, _ in (small, large)]
    assert at[1] == pytest.approx(large[1])
    if 1 < slower <= factor:
        assert at[0] == pytest.approx(small[1])


def test_measuring_trains_nothing_and_draws_no_random_numbers():
    batches = SequentialBatches(torch.arange(300).numpy() % 7, 2, 10)
    settings = Settings().with_changes(threads=1)
    before = torch.get_rng_state()
    compute = Compute.choose(settings.machine, "lstm")
    speed = measure_speed(settings, batches, 7, compute)
    assert torch.equal(torch.get_rng_state(), before)
    assert speed.seconds_per_token(settings.model, 7) > 0
