"""The tasks that `rnnlab bench` and benchmarks/ time: training steps, texts, bare arithmetic.

A task is an endless iterator: each `next` does one piece of work and returns its amount (in tokens,
characters or floating-point operations).
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from rnnlab.bench.d2l_lstm import D2lLSTM, D2lTrainer
from rnnlab.cells import CELLS
from rnnlab.config import GenerationSettings, Settings
from rnnlab.data.batches import SequentialBatches
from rnnlab.data.tokenizer import Ids
from rnnlab.engines import ENGINES, Engine
from rnnlab.engines.native_kernels import instruction_sets, kernels
from rnnlab.lm.compute import Compute, autocast
from rnnlab.lm.generate import generate_ids
from rnnlab.lm.model import LanguageModel
from rnnlab.lm.train import Trainer

VOCABULARY = 28
"""The letters, the space and <unk>."""
LEARNING_RATE = 0.1
CLIP_NORM = 1.0
TEXT_LENGTH = 200
"""Characters written after a prefix of one character."""
D2L = "literal"
"""The name of d2l's written-out LSTM, which is compared like an engine."""

BARE_STEPS = 10_000_000
"""Rounds of twelve multiply-adds per call, which take some hundredths of a second."""

Task = Iterator[float]


@dataclass(frozen=True)
class Case:
    """The sizes of one comparison."""

    cell: str
    precision: str
    hidden_size: int
    batch_size: int = 1
    num_steps: int = 1

    @property
    def settings(self) -> Settings:
        """Settings of a model with one layer and one-hot input, trained by SGD."""
        return Settings().with_changes(
            cell=self.cell, hidden_size=self.hidden_size, input="one-hot",
            optimizer="sgd", learning_rate=LEARNING_RATE, clip_norm=CLIP_NORM,
        )  # fmt: skip

    @property
    def flop_per_token(self) -> int:
        """Floating-point operations that training needs per token: 6 (G·H·H + V·H).

        A weight costs one multiply-add (2) forward and two (4) backward. One-hot input is a gather
        and costs nothing. Gates, loss and update are small in comparison and are not counted.
        """
        H = self.hidden_size
        return 6 * (CELLS[self.cell].num_gates * H * H + VOCABULARY * H)

    def sequences(self) -> SequentialBatches:
        """Return random tokens, enough for 8 batches."""
        count = self.batch_size * self.num_steps * 8
        ids = np.random.default_rng(0).integers(0, VOCABULARY, count)
        return SequentialBatches(ids, self.batch_size, self.num_steps)

    def batches(self) -> Iterator[tuple[Ids, Ids]]:
        """Yield batches without end."""
        sequences, rng = self.sequences(), np.random.default_rng(0)
        while True:
            yield from sequences.epoch(rng)[1]


def items_per_second(task: Task, seconds: float) -> float:
    """Run a task for about `seconds`, at least once; return its amount per second."""
    began, amount = time.perf_counter(), 0.0
    while (elapsed := time.perf_counter() - began) < seconds or not amount:
        amount += next(task)
    return amount / elapsed


def training_task(name: str, case: Case, device: str) -> Task:
    """Return training steps of an engine or of d2l's LSTM; items are tokens."""
    if name == D2L:
        return d2l_training_steps(case, device)
    return training_steps(ENGINES[name], case, device)


def generation_task(name: str, case: Case, device: str) -> Task:
    """Return greedy texts of an engine or of d2l's LSTM, one at a time; items are characters."""
    if name == D2L:
        return d2l_texts(case, device)
    return greedy_texts(ENGINES[name], case, device)


def training_steps(engine: Engine, case: Case, device: str) -> Task:
    """Return the steps of `rnnlab train`: forward, loss, backward, clipping, update."""
    model = LanguageModel(case.settings.model, VOCABULARY, seed=0).to(device)
    compute = Compute(engine, device, case.precision)
    return Trainer(model, compute, case.sequences(), case.settings.training).steps_without_end()


def greedy_texts(engine: Engine, case: Case, device: str) -> Task:
    """Yield the lengths of texts written as by `rnnlab generate --temperature 0`."""
    model = LanguageModel(case.settings.model, VOCABULARY, seed=0).to(device)
    settings = GenerationSettings(length=TEXT_LENGTH, temperature=0)
    compute = Compute(engine, device, case.precision)
    while True:
        yield sum(1 for _ in generate_ids(model, compute, [np.array([1])], settings))


def d2l_training_steps(case: Case, device: str) -> Task:
    """Yield the tokens of each training step of d2l's LSTM."""
    model = D2lLSTM(VOCABULARY, case.hidden_size).to(device)
    trainer = D2lTrainer(model, LEARNING_RATE, CLIP_NORM, case.precision)
    state = model.zero_state(case.batch_size)
    for inputs, targets in case.batches():
        ids, expected = torch.from_numpy(inputs).to(device), torch.from_numpy(targets).to(device)
        _, state = trainer.step(ids, expected, state)
        yield inputs.size


def d2l_texts(case: Case, device: str) -> Task:
    """Yield the lengths of greedy texts of d2l's LSTM."""
    model = D2lLSTM(VOCABULARY, case.hidden_size).to(device)
    while True:
        with autocast(case.precision, device):
            written = len(model.predict(1, TEXT_LENGTH))
        yield written


def bare_multiply_adds(precision: str) -> Task:
    """Yield the floating-point operations of multiply-adds on registers alone, on all threads.

    Their rate is the peak of the processor. They use the fastest instruction set of the kernels on
    this machine. bfloat16 means products of bfloat16 if there is an instruction for them, otherwise
    float32.
    """
    while True:
        yield kernels().bare_multiply_adds(
            instruction_sets()[0], precision, BARE_STEPS, torch.get_num_threads()
        )
