"""How fast a text too large for memory is tokenized, and how much memory training on it takes.

The text is made of the lines of the two named corpora in random order, again and again;
`typographic` has ’ for ', so that hardly any piece of it is ASCII. In each round every tokenizer
takes its turn. Measured are

checksum      reading the bytes for their SHA-256; that is all that is done if the ids are cached
count         reading and decoding, to count the characters
vocabulary    what the tokenizer is learned from, 90% of the text
ids           reading once more, tokenizing, writing the ids
all           `load_dataset` with an empty cache: all of the above, 90% of it for the vocabulary
again         `load_dataset` after that

in MB of text per second of one core's time: medians over the rounds and their range. One process,
one thread.

With --train, texts of --gigabytes are made, and `rnnlab train` reads each for --seconds. Shown is
the peak of its resident memory above that of a process that only imports torch.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

MB = 1_000_000
KINDS = ("char", "byte", "word", "bpe")
PARTS = ("checksum", "count", "vocabulary", "ids", "all", "again")


def write_text(file: Path, size: int, *, typographic: bool = False, one_line: bool = False) -> None:
    """Write at least `size` bytes of shuffled lines."""
    from rnnlab.data.named_corpora import NAMED

    text = "\n".join(corpus.load("", "strict").text for corpus in NAMED.values())
    lines, order = text.replace("'", "’" if typographic else "'").split("\n"), random.Random(0)
    written = 0
    with file.open("wb") as stream:
        while written < size:
            order.shuffle(lines)
            written += stream.write(((" " if one_line else "\n").join(lines) + " ").encode())


def seconds(work: Callable[[], object]) -> float:
    """Return the processor time it takes, without waiting for other processes or the disk."""
    began = time.process_time()
    work()
    return time.process_time() - began


def measure(file: Path, kind: str, cache: Path) -> dict[str, float]:
    """Return the MB/s of each part."""
    import pooch

    from rnnlab.config import DataSettings
    from rnnlab.data.dataset import load_dataset
    from rnnlab.data.pieces import PieceReader
    from rnnlab.data.streaming_limits import STREAMING_LIMITS, StreamingLimits
    from rnnlab.data.texts import TextFile
    from rnnlab.data.token_cache import TokenWriter
    from rnnlab.data.tokenizer import Tokenizer, train_tokenizer

    pooch.os_cache = lambda name: cache
    settings = DataSettings(corpus=(str(file),), tokenizer=kind)

    def opened() -> TextFile:
        return TextFile.open(str(file), "strict", STREAMING_LIMITS.chunk_bytes)

    pieces = opened().pieces
    characters = sum(map(len, pieces()))

    def train() -> Tokenizer:
        return train_tokenizer(settings, PieceReader(pieces()).take(characters * 9 // 10))

    tokenizer = train()

    def write() -> None:
        with (cache / "ids").open("wb") as stream:
            writer = TokenWriter(stream)
            writer.begin(tokenizer.size)
            for ids in tokenizer.encode_pieces(pieces()):
                writer.write(ids)
            os.fsync(stream.fileno())

    works: dict[str, Callable[[], object]] = {
        "checksum": opened,
        "count": lambda: sum(map(len, pieces())),
        "vocabulary": train,
        "ids": write,
        "all": lambda: load_dataset(settings, limits=StreamingLimits(from_bytes=0)),
        "again": lambda: load_dataset(settings, limits=StreamingLimits(from_bytes=0)),
    }
    size = file.stat().st_size / MB
    return {part: size / seconds(work) for part, work in works.items()}


def speeds(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Return a row for each text and tokenizer."""
    found: dict[tuple[str, str], list[dict[str, float]]] = {}
    with TemporaryDirectory() as folder:
        for text in ("ascii", "typographic"):
            for kind in arguments.tokenizer:
                slow = kind in ("word", "bpe")
                size = arguments.megabytes * MB // (10 if slow else 1)
                write_text(Path(folder, f"{text}-{kind}"), size, typographic=text == "typographic")
        for turn in range(arguments.rounds + 1):
            for text in ("ascii", "typographic"):
                for kind in arguments.tokenizer:
                    with TemporaryDirectory() as cache:
                        file = Path(folder, f"{text}-{kind}")
                        row = measure(file, kind, Path(cache))
                    if turn:  # the first round warms up
                        found.setdefault((text, kind), []).append(row)
    return [
        {"text": text, "tokenizer": kind}
        | {
            part: [median(values), min(values), max(values)]
            for part in PARTS
            if (values := [row[part] for row in rows])
        }
        for (text, kind), rows in found.items()
    ]


def peak_mib(command: list[str], cache: Path, log: Path) -> tuple[float, float]:
    """Run a command; return the peak of its resident memory in MiB, and its seconds."""
    began = time.perf_counter()
    with log.open("w") as stream:
        process = subprocess.Popen(
            command,
            stdout=stream,
            stderr=subprocess.STDOUT,
            env=os.environ | {"XDG_CACHE_HOME": str(cache)},
        )
        _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command)} failed:\n{log.read_text()}")
    return usage.ru_maxrss / 1024, time.perf_counter() - began


def training(arguments: argparse.Namespace) -> dict[str, Any]:
    """Train on a text of each size."""
    python = [sys.executable]
    with TemporaryDirectory(dir=arguments.folder) as name:
        folder = Path(name)
        log = folder / "log"
        importing = [*python, "-c", "import torch; torch.ones(9).sum()"]
        torch_own, _ = peak_mib(importing, folder, log)
        found: dict[str, Any] = {"torch_mib": torch_own, "runs": []}
        for gigabytes in arguments.gigabytes:
            size = int(gigabytes * 1000 * MB)
            file = folder / "text.txt"
            write_text(file, size, one_line=arguments.one_line)
            for kind in arguments.tokenizer:
                run = folder / f"run-{size}-{kind}"
                flags = f"--corpus {file} --tokenizer {kind} --batching {arguments.batching} "
                flags += (
                    f"--no-automatic --max-seconds {arguments.seconds} --threads 1 --run-dir {run}"
                )
                command = [*python, "-m", "rnnlab", "train", *flags.split()]
                peak, took = peak_mib(command, folder / "cache", log)
                result = json.loads((run / "result.json").read_text())
                found["runs"].append(
                    {
                        "bytes": file.stat().st_size,
                        "tokenizer": kind,
                        "tokens": result["data"]["tokens"],
                        "mib_above_torch": peak - torch_own,
                        "seconds": took,
                        "training": result["training"],
                        "evaluations": result["evaluations"],
                        "printed": log.read_text(),
                    }
                )
    return found


def main() -> None:
    """Measure, and print a table or JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--tokenizer", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--megabytes", type=int, default=200, help="a tenth for word, bpe")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--train", action="store_true", help="measure memory instead of speed")
    parser.add_argument("--gigabytes", type=float, nargs="+", default=(0.001, 2))
    parser.add_argument("--seconds", type=float, default=60, help="of training")
    parser.add_argument("--batching", choices=("sequential", "random"), default="sequential")
    parser.add_argument("--one-line", action="store_true", help="spaces instead of line ends")
    parser.add_argument("--folder", default=None, help="with enough room; default: /tmp")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    found = training(arguments) if arguments.train else speeds(arguments)
    if arguments.json:
        print(json.dumps(found))
    elif isinstance(found, dict):
        print(f"torch alone {found['torch_mib']:.0f} MiB; above that:")
        for row in found["runs"]:
            rate = row["training"]["tokens_per_second"]
            print(
                f"{row['bytes']:>14,} bytes  {row['tokenizer']:5} {row['mib_above_torch']:6.0f} MiB"
                f"  {row['seconds']:5.0f} s in all, {rate:,.0f} tokens/s while training"
            )
    else:
        print(f"{'MB/s':18}" + "".join(f"{part:>18}" for part in PARTS))
        for row in found:
            cells = ("{:.0f} ({:.0f}..{:.0f})".format(*row[part]) for part in PARTS)
            print(f"{row['text']:12}{row['tokenizer']:6}" + "".join(f"{c:>18}" for c in cells))


if __name__ == "__main__":
    main()
