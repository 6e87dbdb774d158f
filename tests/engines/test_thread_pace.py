"""How training chooses its threads, on a machine whose speed is made up, and that bits stay."""

from copy import deepcopy
from typing import ClassVar

import numpy as np
import pytest
import torch
from native_oracle import needs_kernels

from rnnlab.config import ModelSettings, TrainingSettings
from rnnlab.data.batches import SequentialBatches
from rnnlab.engines import ENGINES, thread_pace
from rnnlab.engines.thread_pace import ThreadPace
from rnnlab.lm.compute import Compute
from rnnlab.lm.model import LanguageModel
from rnnlab.lm.train import Trainer

TOKENS = 1000


@pytest.fixture(autouse=True)
def same_threads_afterwards():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


class Machine:
    """Trains `speeds[threads]` tokens/s, and keeps the time."""

    def __init__(self, monkeypatch, most):
        self.now = 0.0
        monkeypatch.setattr(thread_pace, "perf_counter", lambda: self.now)
        torch.set_num_threads(most)

    def train(self, pace, seconds, speeds):
        """Return the speed that was reached, relative to the best possible."""
        began, tokens = self.now, 0
        while self.now < began + seconds:
            with pace.step(TOKENS):
                self.now += TOKENS / speeds[torch.get_num_threads()]
            tokens += TOKENS
        return tokens / (self.now - began) / max(speeds.values())


QUIET, BUSY = {1: 40_000, 2: 70_000}, {1: 40_000, 2: 10_000}


def test_a_quiet_machine_gives_all_its_threads(monkeypatch):
    pace = ThreadPace()
    assert Machine(monkeypatch, 2).train(pace, 10, QUIET) > 0.99
    assert pace.threads == 2
    assert pace.mean_threads > 1.98


def test_one_thread_is_taken_where_two_wait_for_each_other(monkeypatch):
    pace = ThreadPace()
    assert Machine(monkeypatch, 2).train(pace, 10, BUSY) > 0.9
    assert pace.threads == 1
    assert pace.mean_threads < 1.1


def test_load_that_comes_and_goes_is_followed(monkeypatch):
    pace, machine = ThreadPace(), Machine(monkeypatch, 2)
    assert machine.train(pace, 10, QUIET) > 0.98
    assert machine.train(pace, 30, BUSY) > 0.95
    assert pace.threads == 1
    machine.train(pace, thread_pace.LONGEST_WAIT + 2, QUIET)
    assert pace.threads == 2
    assert machine.train(pace, 10, QUIET) == pytest.approx(1)


def test_a_small_network_on_many_cores_finds_its_number(monkeypatch):
    speeds = {1: 100_000, 2: 150_000, 4: 180_000, 8: 120_000, 16: 60_000}
    pace = ThreadPace()
    assert Machine(monkeypatch, 16).train(pace, 60, speeds) > 0.95
    assert pace.threads == 4


def test_slower_for_any_number_of_threads_is_no_reason_to_change(monkeypatch):
    pace, machine = ThreadPace(), Machine(monkeypatch, 2)
    machine.train(pace, 5, QUIET)
    slow = {threads: speed / 3 for threads, speed in QUIET.items()}
    assert machine.train(pace, 20, slow) > 0.98
    assert pace.threads == 2


def test_an_engine_whose_bits_depend_on_threads_keeps_them(monkeypatch):
    pace = ThreadPace(adapts=False)
    assert Machine(monkeypatch, 2).train(pace, 10, BUSY) == pytest.approx(10 / 40)
    assert pace.mean_threads == 2


def test_only_native_says_that_its_bits_do_not_depend_on_threads():
    assert [name for name, engine in ENGINES.items() if engine.any_threads] == ["native"]


class EverChanging(ThreadPace):
    """Has another number of threads at each step."""

    used: ClassVar = []

    def _add(self, tokens, seconds):
        self.used.append(self.threads)
        self.threads = self.most + 1 - self.threads


@needs_kernels
@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_weights_are_the_same_bits_whatever_is_chosen(optimizer):
    torch.set_num_threads(2)
    settings = TrainingSettings(optimizer=optimizer, learning_rate=0.01, num_epochs=2)
    model = LanguageModel(
        ModelSettings(hidden_size=72, embedding_size=16, dropout=0.3, weight_dropout=0.2), 20, 0
    )
    ids = np.random.default_rng(0).integers(0, 20, 3_000)
    trained = []
    for pace in (ThreadPace(adapts=False), EverChanging()):
        own = deepcopy(model)
        trainer = Trainer(
            own, Compute(ENGINES["native"]), SequentialBatches(ids, 8, 16), settings, pace=pace
        )
        assert len(list(trainer.run())) > 40
        trained.append(own.state_dict())
    assert {1, 2} == {*EverChanging.used}
    for name, weights in trained[0].items():
        assert torch.equal(weights, trained[1][name]), name
