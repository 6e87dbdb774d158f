"""What `rnnlab bench` and benchmarks/ time: whole training steps, whole texts, bare arithmetic.

A workload is an iterator that never ends: asking it for the next item does one piece of work, and
the item says how much that was (tokens, characters, floating-point operations).
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from rnnlab.bench.d2l_lstm import LiteralLSTM, LiteralTraining
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
"""Characters that a text has after its prefix of one."""
LITERAL = "literal"
"""The written-out LSTM; it takes the place of an engine and brings its own training step."""

BARE_STEPS = 10_000_000
"""Rounds of twelve multiply-adds in one call: some hundredths of a second."""

Work = Iterator[float]


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
        """A model of one layer with one-hot input, and how it is trained."""
        return Settings().changed(
            cell=self.cell, hidden_size=self.hidden_size, input="one-hot",
            optimizer="sgd", learning_rate=LEARNING_RATE, clip_norm=CLIP_NORM,
        )  # fmt: skip

    @property
    def flop_per_token(self) -> int:
        """Floating-point operations that training must spend on a token: 6 (G·H·H + V·H).

        A weight costs a multiply-add (2) forward and two of them (4) backward. One-hot input is a
        gather and costs none; gates, loss and update are left out, being small beside it.
        """
        H = self.hidden_size
        return 6 * (CELLS[self.cell].num_gates * H * H + VOCABULARY * H)

    def sequences(self) -> SequentialBatches:
        """Random tokens, enough for some batches."""
        count = self.batch_size * self.num_steps * 8
        ids = np.random.default_rng(0).integers(0, VOCABULARY, count)
        return SequentialBatches(ids, self.batch_size, self.num_steps)

    def batches(self) -> Iterator[tuple[Ids, Ids]]:
        """Hand out batches without end."""
        sequences, rng = self.sequences(), np.random.default_rng(0)
        while True:
            yield from sequences.epoch(rng)[1]


def rate(work: Work, seconds: float) -> float:
    """Do work for about `seconds`, at least one piece; returns its amount per second."""
    began, amount = time.perf_counter(), 0.0
    while (elapsed := time.perf_counter() - began) < seconds or not amount:
        amount += next(work)
    return amount / elapsed


def training(name: str, case: Case, device: torch.device) -> Work:
    """Training steps of an engine or of the written-out LSTM; items are tokens."""
    return literal_steps(case, device) if name == LITERAL else steps(ENGINES[name], case, device)


def generation(name: str, case: Case, device: torch.device) -> Work:
    """Greedy texts by an engine or by the written-out LSTM, one at a time; items are characters."""
    return literal_texts(case, device) if name == LITERAL else texts(ENGINES[name], case, device)


def steps(engine: Engine, case: Case, device: torch.device) -> Work:
    """What `rnnlab train` does in a step: forward, loss, backward, clipping, update."""
    model = LanguageModel(case.settings.model, VOCABULARY).to(device)
    compute = Compute(engine, device, case.precision)
    return Trainer(model, compute, case.sequences(), case.settings.training).steps_without_end()


def texts(engine: Engine, case: Case, device: torch.device) -> Work:
    """What `rnnlab generate --temperature 0` does."""
    model = LanguageModel(case.settings.model, VOCABULARY).to(device)
    settings = GenerationSettings(length=TEXT_LENGTH, temperature=0)
    compute = Compute(engine, device, case.precision)
    while True:
        yield sum(1 for _ in generate_ids(model, compute, [np.array([1])], settings))


def literal_steps(case: Case, device: torch.device) -> Work:
    """Training steps of the written-out LSTM."""
    model = LiteralLSTM(VOCABULARY, case.hidden_size).to(device)
    trainer = LiteralTraining(model, LEARNING_RATE, CLIP_NORM, case.precision)
    state = model.zero_state(case.batch_size)
    for inputs, targets in case.batches():
        ids, expected = torch.from_numpy(inputs).to(device), torch.from_numpy(targets).to(device)
        _, state = trainer.step(ids, expected, state)
        yield inputs.size


def literal_texts(case: Case, device: torch.device) -> Work:
    """Greedy texts by the written-out LSTM."""
    model = LiteralLSTM(VOCABULARY, case.hidden_size).to(device)
    while True:
        with autocast(case.precision, device):
            written = len(model.predict(1, TEXT_LENGTH))
        yield written


def bare_multiply_adds(precision: str) -> Work:
    """Multiply-adds on registers alone, by all threads: what a processor can do at most.

    It uses the fastest instruction set that the kernels know here; items are floating-point
    operations. bfloat16 means products of bfloat16 where there is an instruction for them, and
    otherwise float32.
    """
    while True:
        yield kernels().bare_multiply_adds(
            instruction_sets()[0], precision, BARE_STEPS, torch.get_num_threads()
        )
