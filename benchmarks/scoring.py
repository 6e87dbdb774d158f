"""How fast engines score a text in windows: the measure behind `rnnlab evaluate`.

An LSTM with one-hot input and random weights reads random tokens, windows:256, in float32. Engines
take turns with the processor's bare multiply-adds. Shown are characters/s, medians over the rounds
and their range; the ratio to nn.LSTM (`builtin`), and the share of the processor's peak. A
character needs 2 (4 H H + V H) floating-point operations, so the peak sets a limit.
"""

import argparse
import json
from collections.abc import Iterator
from statistics import median

import numpy as np

from rnnlab.bench.benchmark import time_interleaved
from rnnlab.bench.tasks import VOCABULARY, Case, Task, bare_multiply_adds
from rnnlab.engines import ENGINES
from rnnlab.engines.threads import using_threads
from rnnlab.lm.compute import Compute
from rnnlab.lm.evaluate import target_nats
from rnnlab.lm.model import LanguageModel

CONTEXT, CHARACTERS = "windows:256", 131_072
ENGINE_NAMES = ("native", "builtin")
REFERENCE, PEAK = "builtin", "peak"


def scoring(name: str, case: Case) -> Task:
    """Yield the characters of a text each time that it has been scored."""
    model = LanguageModel(case.settings.model, VOCABULARY, seed=0)
    ids = np.random.default_rng(0).integers(0, VOCABULARY, CHARACTERS + 1)
    compute = Compute(ENGINES[name])
    while True:
        yield len(target_nats(model, compute, ids, CONTEXT))


def measure(hidden_size: int, rounds: int, seconds: float) -> dict[str, list[float]]:
    """Return by engine [characters/s, lowest, highest, ratio to builtin, share of the peak]."""
    case = Case("lstm", "float32", hidden_size)
    tasks: dict[str, Iterator[float]] = {name: scoring(name, case) for name in ENGINE_NAMES}
    tasks[PEAK] = bare_multiply_adds("float32")
    with using_threads():
        rates = time_interleaved(tasks, rounds, seconds, lambda name, number: None)
    peak, found = rates.pop(PEAK), {}
    for name, own in rates.items():
        ratio = median(a / b for a, b in zip(own, rates[REFERENCE], strict=True))
        flop = case.flop_per_token / 3  # forward only
        share = median(a * flop / b for a, b in zip(own, peak, strict=True))
        found[name] = [median(own), min(own), max(own), ratio, share]
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--hidden-size", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=1.0, help="of one measurement")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    found = measure(given.hidden_size, given.rounds, given.seconds)
    if given.json:
        print(json.dumps(found))
        return
    for name, (middle, low, high, ratio, share) in found.items():
        print(
            f"{name:<8} {middle:,.0f} characters/s ({low:,.0f} .. {high:,.0f}), "
            f"{ratio:.2f} of {REFERENCE}, {share:.0%} of the peak"
        )


if __name__ == "__main__":
    main()
