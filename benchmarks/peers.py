"""Compare rnnlab's engines with other libraries on the same work, interleaved.

The work: an LSTM with H 256, B 32, T 35, V 28 and one-hot input in float32; a whole training step
(forward, cross entropy, backward, clipping to a norm of 1, SGD), and greedy texts of 200
characters. Peers that are not installed or fail are left out and listed. See README.md here.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from statistics import median
from typing import Any

import torch

from rnnlab.bench.benchmark import REFERENCE, time_interleaved, why_unavailable
from rnnlab.bench.tasks import (
    CLIP_NORM,
    D2L,
    LEARNING_RATE,
    TEXT_LENGTH,
    VOCABULARY,
    Case,
    Task,
    generation_task,
    greedy_texts,
    training_steps,
    training_task,
)
from rnnlab.engines import ENGINES
from rnnlab.engines.engine import Engine
from rnnlab.lm.model import LanguageModel
from rnnlab.runs.environment import environment

CASE = Case("lstm", "float32", 256, 32, 35)
CPU = "cpu"
TORCH_COMPILE, JAX = "torch.compile", "jax"


class Compiled(Engine):
    """The textbook engine through torch.compile: its loop over time unrolled into one graph."""

    name = TORCH_COMPILE
    about = "the textbook engine, compiled by torch.compile in its default mode"

    def __init__(self) -> None:
        self.compiled = torch.compile(ENGINES["textbook"].run, dynamic=False)

    def run(self, *args: Any) -> Any:
        """See `Engine.run`."""
        return self.compiled(*args)


class Jax:
    """The same LSTM in JAX: `lax.scan` over time, jitted, with donated parameters."""

    def __init__(self, case: Case) -> None:
        import jax
        import jax.numpy as jnp

        self.case, self.jnp = case, jnp
        model = LanguageModel(case.settings.model, VOCABULARY)
        self.parameters = [jnp.asarray(p.detach().numpy()) for p in model.parameters()]

        def advance(parameters, state, ids):
            W_ih, W_hh, b_ih, b_hh, _, _ = parameters
            h, c = state
            gates = W_ih.T[ids] + h @ W_hh.T + (b_ih + b_hh)  # (B, 4H)
            i, f, g, o = jnp.split(gates, 4, axis=-1)
            c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
            h = jax.nn.sigmoid(o) * jnp.tanh(c)
            return (h, c), h

        def loss(parameters, ids, targets, state):
            state, h = jax.lax.scan(lambda s, x: advance(parameters, s, x), state, ids)
            logits = h @ parameters[4].T + parameters[5]  # (T, B, V)
            nats = -jnp.take_along_axis(jax.nn.log_softmax(logits), targets[..., None], -1)
            return nats.mean(), state

        def step(parameters, ids, targets, state):
            (nats, state), gradients = jax.value_and_grad(loss, has_aux=True)(
                parameters, ids, targets, state
            )
            norm = jnp.sqrt(sum((g * g).sum() for g in gradients))
            scale = LEARNING_RATE * jnp.minimum(1.0, CLIP_NORM / (norm + 1e-6))
            return [p - scale * g for p, g in zip(parameters, gradients, strict=True)], nats, state

        def write(parameters, first):
            def next_character(carried, _):
                state, ids = carried
                state, h = advance(parameters, state, ids)
                ids = (h @ parameters[4].T + parameters[5]).argmax(-1)
                return (state, ids), ids

            start = (self.zero_state(1), first)
            return jax.lax.scan(next_character, start, length=TEXT_LENGTH)[1]

        self.step = jax.jit(step, donate_argnums=(0, 3))
        self.write = jax.jit(write)

    def zero_state(self, batch_size: int) -> Any:
        """Return h and c of zeros, each (B, H)."""
        shape = (batch_size, self.case.hidden_size)
        return self.jnp.zeros(shape), self.jnp.zeros(shape)

    def steps(self) -> Task:
        """Yield the tokens of each training step; the loss is read after each, as in rnnlab."""
        state = self.zero_state(self.case.batch_size)
        for ids, targets in self.case.batches():
            self.parameters, nats, state = self.step(self.parameters, ids, targets, state)
            float(nats)
            yield ids.size

    def texts(self) -> Task:
        """Yield the lengths of greedy texts, each written by one call."""
        first = self.jnp.ones(1, int)
        while True:
            yield len(self.write(self.parameters, first).block_until_ready())


def prepare_tasks(without: list[str]) -> tuple[dict[str, Task], dict[str, Task], dict[str, str]]:
    """Return the training and generation tasks by name, and why other peers are left out."""
    trainings, generations, left_out = {}, {}, {}

    def add(name: str, make: Callable[[], tuple[Task, Task]]) -> None:
        if name in without:
            return
        began = time.perf_counter()
        try:
            work = make()
            for first in work:  # compiles
                next(first)
        except Exception as error:
            left_out[name] = f"{type(error).__name__}: {str(error).splitlines()[0]}"
            tell(f"{name} left out: {left_out[name]}")
            return
        trainings[name], generations[name] = work
        tell(f"{name} ready after {time.perf_counter() - began:.1f} s")

    for name in (D2L, *ENGINES):
        if why := why_unavailable(name, CASE.cell, CPU):
            left_out[name] = why
        else:
            add(
                name,
                lambda name=name: (
                    training_task(name, CASE, CPU),
                    generation_task(name, CASE, CPU),
                ),
            )
    add(
        TORCH_COMPILE,
        lambda: (training_steps(Compiled(), CASE, CPU), greedy_texts(Compiled(), CASE, CPU)),
    )

    def jax_work() -> tuple[Task, Task]:
        return Jax(CASE).steps(), Jax(CASE).texts()

    add(JAX, jax_work)
    return trainings, generations, left_out


def tell(text: str) -> None:
    """Print progress to standard error."""
    print(text, file=sys.stderr, flush=True)


def measure(
    work: dict[str, Task], what: str, rounds: int, seconds: float
) -> dict[str, list[float]]:
    """Time all tasks in turns; return their rates by name."""

    def progress(name: str, number: int) -> None:
        if name == next(iter(work)):
            tell(f"{what}: {f'round {number} of {rounds}' if number else 'warming up'}")

    return time_interleaved(work, rounds, seconds, progress)


def rows(
    speeds: dict[str, list[float]], writing: dict[str, list[float]]
) -> Iterator[dict[str, Any]]:
    """Yield the medians, ranges and ratios of each peer."""
    for name, own in speeds.items():
        times = [1e6 / value for value in writing[name]]
        ratios = [a / b for a, b in zip(own, speeds[REFERENCE], strict=True)]
        yield {
            "name": name,
            "tokens_per_second": median(own),
            "tokens_per_second_range": [min(own), max(own)],
            "ratio_to_builtin": median(ratios),
            "microseconds_per_character": median(times),
            "microseconds_per_character_range": [min(times), max(times)],
        }


def versions() -> dict[str, str]:
    """Return the versions of packages that rnnlab does not depend on."""
    try:
        import jax
    except ImportError:
        return {}
    return {"jax": jax.__version__}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7, help="measurements of each peer")
    parser.add_argument("--seconds", type=float, default=1.0, help="length of a measurement")
    parser.add_argument(
        "--without", nargs="*", default=[], help="peers to leave out, such as torch.compile"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    args = parser.parse_args()
    trainings, generations, left_out = prepare_tasks(args.without)
    speeds = measure(trainings, "training", args.rounds, args.seconds)
    writing = measure(generations, "generation", args.rounds, args.seconds)
    peers = list(rows(speeds, writing))
    machine = {**environment(), **versions()}
    if args.json:
        print(json.dumps({"peers": peers, "left_out": left_out, "machine": machine}, indent=2))
        return
    print(f"{machine['cpu']}, {machine['threads']} threads, torch {machine['torch']}")
    print(f"\n{'':<14}{'k tokens/s':>12}{'range':>20}{'ratio':>8}{'µs/character':>15}{'range':>20}")
    for row in peers:
        low, high = (value / 1e3 for value in row["tokens_per_second_range"])
        quick, slow = row["microseconds_per_character_range"]
        print(
            f"{row['name']:<14}{row['tokens_per_second'] / 1e3:>12.1f}"
            f"{f'{low:.1f} .. {high:.1f}':>20}{row['ratio_to_builtin']:>8.2f}"
            f"{row['microseconds_per_character']:>15.1f}{f'{quick:.1f} .. {slow:.1f}':>20}"
        )
    for name, why in left_out.items():
        print(f"{name}: left out: {why}")


if __name__ == "__main__":
    main()
