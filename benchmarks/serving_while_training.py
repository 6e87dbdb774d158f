"""What a run that trains loses while clients write, and what the server's memory does meanwhile.

    python benchmarks/serving_while_training.py runs/256 --minutes 10

A run of the same size trains in a process of its own all the time. Clients come and go in turns, so
that what else changes on the machine meets both phases alike; then they stay for some minutes.
"""

import argparse
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import linear_regression, median

from serving import RNNLAB, memory, shown, start, stream

from rnnlab.runs.files import read_metrics

BEGINNING_SECONDS = 10.0
"""Until a run trains at its usual speed."""

SAMPLE_SECONDS = 2.0
"""How often memory is looked at."""


@contextmanager
def training(corpus: str, hidden_size: int) -> Iterator[Path]:
    """Train until the block ends; give the run directory."""
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        command = [
            RNNLAB, "train", "--corpus", corpus, "--hidden-size", str(hidden_size), "--run-dir",
            str(run), "--ngram-order", "0", "--no-automatic", "--num-epochs", "0",
            "--max-seconds", "7200", "--num-evaluations", "0", "--sample-length", "0",
            "--num-log-lines", "20000",
        ]  # fmt: skip
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            while not read_metrics(run):
                if process.poll() is not None:
                    raise SystemExit(f"{' '.join(map(str, command))} ended")
                time.sleep(0.5)
            time.sleep(BEGINNING_SECONDS)
            yield run
        finally:
            process.kill()
            process.wait()


def tokens_per_second(run: Path, seconds: float) -> float:
    """Return the speed of training over some seconds from now."""
    first = read_metrics(run)[-1]
    time.sleep(seconds)
    last = read_metrics(run)[-1]
    if last["step"] == first["step"]:
        raise SystemExit(f"the run has made no step in {seconds:g} seconds")
    return float((last["tokens"] - first["tokens"]) / (last["seconds"] - first["seconds"]))


class Clients:
    """So many clients, each of which asks again as soon as it is answered."""

    def __init__(self, port: int, count: int, tokens: int) -> None:
        self.port, self.count, self.tokens = port, count, tokens
        self.answers, self.characters, self.errors = 0, 0, list[str]()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Let them write while the block lasts."""
        ending = threading.Event()

        def client(number: int) -> None:
            while not ending.is_set():
                try:
                    _, _, characters = stream(self.port, self.tokens, number)
                except (OSError, AssertionError, ValueError) as error:
                    self.errors.append(repr(error))
                else:
                    self.answers, self.characters = self.answers + 1, self.characters + characters

        threads = [threading.Thread(target=client, args=(n,)) for n in range(self.count)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            ending.set()
            for thread in threads:
                thread.join()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("model", type=Path, help="run that the clients write with")
    parser.add_argument("--corpus", default="timemachine")
    parser.add_argument("--hidden-size", type=int, default=256)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--tokens", type=int, default=1_000, help="of each answer")
    parser.add_argument("--rounds", type=int, default=5, help="of training alone and with clients")
    parser.add_argument("--seconds", type=float, default=20.0, help="of each phase")
    parser.add_argument("--minutes", type=float, default=10.0, help="that the clients stay at last")
    args = parser.parse_args()
    process, port = start(args.model)
    clients = Clients(port, args.clients, args.tokens)
    try:
        with training(args.corpus, args.hidden_size) as run:
            stream(port, 10, 0)
            alone, together = list[float](), list[float]()
            for _ in range(args.rounds):
                alone.append(tokens_per_second(run, args.seconds))
                with clients.writing():
                    together.append(tokens_per_second(run, args.seconds))
            losses = [1 - b / a for a, b in zip(alone, together, strict=True)]
            print("training alone", shown(alone, "tokens/s"))
            print(f"with {args.clients} clients", shown(together, "tokens/s"))
            print("its loss", shown(losses, "%", 100))
            before = clients.characters
            with clients.writing():
                places, sizes = watched(process, 60 * args.minutes)
            rate = (clients.characters - before) / (60 * args.minutes)
        print(f"{clients.answers:,} answers, {len(clients.errors)} errors", *clients.errors[:3])
        print(f"the clients together {rate:,.0f} characters/s in the last {args.minutes:g} minutes")
        slope, _ = linear_regression(places, sizes)
        print(
            f"memory {sizes[0]:,.0f} MB at first, {sizes[-1]:,.0f} MB at last, "
            f"{min(sizes):,.0f} to {max(sizes):,.0f}; {60 * slope:+.2f} MB a minute, in the second "
            f"half {60 * second_half(places, sizes):+.2f}"
        )
    finally:
        process.terminate()
        process.wait()
    sys.exit(bool(clients.errors))


def watched(process: "subprocess.Popen[str]", seconds: float) -> tuple[list[float], list[float]]:
    """Return the memory of a process [MB] and when it was looked at [s]."""
    began, places, sizes = time.monotonic(), list[float](), list[float]()
    while (now := time.monotonic() - began) < seconds or len(sizes) < 2:
        places.append(now)
        sizes.append(memory(process))
        time.sleep(SAMPLE_SECONDS)
    return places, sizes


def second_half(places: list[float], sizes: list[float]) -> float:
    """Return the slope of the second half, when everything has been loaded [MB/s]."""
    later = [at for at, place in enumerate(places) if place >= median(places)]
    if len(later) < 2:
        return 0.0
    return linear_regression([places[at] for at in later], [sizes[at] for at in later]).slope


if __name__ == "__main__":
    main()
