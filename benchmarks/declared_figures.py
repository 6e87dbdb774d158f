"""Every measured figure of README and docs: its commands, its tolerance, where it is printed."""

import math
import re
from typing import Any

from figure_types import TEXT, Command, Figure, Measurement, Number, Output

from rnnlab.engines import precision_needs
from rnnlab.lm.baseline_titles import baseline_title

QUALITY = Figure("bits/character", 0.03)
"""A budget in seconds reaches a little more or less on each machine and day."""

EXACT = Figure("bits/character", 0.0005)
SPEED, DURATION = Figure("k tokens/s", 0.1, share=True), Figure("s", 0.15, share=True)
RATIO = Figure("times", 0.1, share=True)

BASELINES = ("ngram", "ppmd", "ppmd-restarted", "bzip2", "xz")


def title(record: dict[str, Any], name: str) -> str:
    """Return what a baseline of a record is called within a sentence."""
    about = record["baselines"][name]
    if name == "ngram":
        return f"{about['order']}-gram"
    return baseline_title(name, about).replace(",", "")


def lead(record: dict[str, Any], name: str) -> str:
    """Return a lead with its interval; say so if it contains 0."""
    found = record["leads"][name]
    half = (found["high"] - found["low"]) / 2
    shown = f"{found['bits_per_character']:+.3f} ± {half:.3f}"
    return f"{shown}, not shown" if found["low"] <= 0 <= found["high"] else shown


def leads(record: dict[str, Any]) -> str:
    """Return the leads over the strongest baselines."""
    return "; ".join(
        f"{title(record, name)} {lead(record, name)}"
        for name in ("ppmd", "ppmd-restarted", "ngram")
    )


def standing(record: dict[str, Any]) -> str:
    """Say which baselines a model is ahead of, and which it is behind."""
    sides: dict[str, list[str]] = {"ahead of": [], "level with": [], "behind": []}
    for name in BASELINES:
        exact = record["baselines"][name]["bits_per_character"] - record["bits_per_character"]
        found = record["leads"].get(name, {"low": exact, "high": exact})
        side = "ahead of" if found["low"] > 0 else "behind" if found["high"] < 0 else "level with"
        sides[side].append(title(record, name))
    return ", ".join(f"{side} {_listed(titles)}" for side, titles in sides.items() if titles)


def _listed(titles: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(titles[:-1]), titles[-1]]))


# Quality.

HELD_OUT = {
    **dict.fromkeys(("uniform", "unigram", *BASELINES), EXACT),
    "carried": QUALITY, "windows": QUALITY, "carried_nats": Figure("nats/character", 0.02),
    "windows_nats": Figure("nats/character", 0.02), "ngram_title": TEXT, "leads": TEXT,
    "standing": TEXT,
}  # fmt: skip


def held_out(run: str, output: Output) -> dict[str, Number]:
    """Return what a run reaches on its test split, and its baselines."""
    carried, windows = (output.record(run, context=rule) for rule in ("carried", "windows:256"))
    return {
        **{name: b["bits_per_character"] for name, b in carried["baselines"].items()},
        "carried": carried["bits_per_character"],
        "windows": windows["bits_per_character"],
        "carried_nats": carried["nats_per_token"],
        "windows_nats": windows["nats_per_token"],
        "ngram_title": title(carried, "ngram"),
        "leads": leads(carried),
        "standing": standing(carried),
    }


def first_run(output: Output) -> dict[str, Number]:
    """Return the figures of README's first run, and what its three commands print."""
    trained, written, evaluated = output.printed
    started = trained.partition("\nrun  ")[0]
    return {
        **held_out("runs/first", output),
        "started": re.sub(r"\(found at .*/", "(found at ../data/", started),
        "written": written.strip(),
        "table": "\n".join(map(str.rstrip, evaluated.partition("\n\nLead: ")[0].splitlines())),
    }


def lab_report(output: Output) -> dict[str, Number]:
    """Return what is reached on the text after the lab report's: by its LSTM at its best moment,
    by the best n-gram, and by rnnlab's own choice."""
    report, chosen = output.record("report", "validation"), output.record("chosen")
    return {
        "report": report["bits_per_character"],
        "ngram": chosen["baselines"]["ngram"]["bits_per_character"],
        "ngram_title": title(chosen, "ngram"),
        "chosen": chosen["bits_per_character"],
    }


UNKNOWN_WORDS = (1_000, 100, 20, 5, 2, 1)
OTHER_TOKENIZERS = {"char": "", "byte": "", "bpe": " --bpe-size 1000"}
UNKNOWN_WORDS_RUN = (
    "rnnlab train --corpus tinyshakespeare --no-automatic --hidden-size 128 --max-tokens 1000000"
    " --num-evaluations 5 --dropout 0.2"
)


def unknown_words(output: Output) -> dict[str, Number]:
    """Return bits per character of word models by the rarest word that they know."""
    figures: dict[str, Number] = {}
    for least in UNKNOWN_WORDS:
        record = output.record(f"word-{least}")
        spelling = record["spelling_nats"] / math.log(2) / record["characters"]
        figures[f"share_{least}"] = 100 * record["unknown_characters"] / record["characters"]
        figures[f"without_{least}"] = record["bits_per_character"] - spelling
        figures[f"bits_{least}"] = record["bits_per_character"]
    return figures | {k: output.record(k)["bits_per_character"] for k in OTHER_TOKENIZERS}


# Speed.


def no_bfloat16() -> str:
    """Return what the CPU lacks to compute in bfloat16."""
    return precision_needs("bfloat16", "cpu")


ENGINES = ("literal", "textbook", "builtin", "native")
BENCH = {
    **{f"{engine}_{precision}": SPEED for engine in ("literal", "builtin", "native")
       for precision in ("float32", "bfloat16")},
    "ratio_float32": RATIO, "ratio_bfloat16": RATIO,
    **{f"{engine}_character": Figure("µs", 0.15, share=True) for engine in ("builtin", "native")},
}  # fmt: skip


def bench(output: Output) -> dict[str, Number]:
    """Return speeds of engines."""
    found = output.parsed(0)
    figures: dict[str, Number] = {}
    for row in found["training"]:
        figures[f"{row['engine']}_{row['precision']}"] = row["tokens_per_second"] / 1e3
        if row["engine"] == "native":
            figures[f"ratio_{row['precision']}"] = row["ratio_to_builtin"]
    for row in found["generation"]:
        if row["precision"] == "float32":
            figures[f"{row['engine']}_character"] = row["microseconds_per_character"]
    return {name: figures[name] for name in BENCH}


PEERS = (*ENGINES, "torch.compile", "jax")


def peers(output: Output) -> dict[str, Number]:
    """Return speeds of other libraries."""
    figures: dict[str, Number] = {}
    for row in output.parsed(0)["peers"]:
        name = row["name"].replace(".", "_")
        low, high = (value / 1e3 for value in row["tokens_per_second_range"])
        figures[f"{name}_speed"] = row["tokens_per_second"] / 1e3
        figures[f"{name}_range"] = f"{low:.1f} .. {high:.1f}"
        figures[f"{name}_ratio"] = row["ratio_to_builtin"]
        figures[f"{name}_character"] = row["microseconds_per_character"]
    return figures


def memorising(output: Output) -> dict[str, Number]:
    """Return seconds until the training perplexity of the lab report."""
    return {way.replace(" ", "_"): seconds for way, seconds in output.parsed(0).items()}


def executors(output: Output) -> dict[str, Number]:
    """Return how much faster two runs at a time are, and what Ray costs."""
    figures: dict[str, Number] = {}
    for command, engine in enumerate(("native", "builtin")):
        speed = output.parsed(command)["results"][0]["rows"][1]["times_as_fast"]
        figures[engine], figures[f"{engine}_range"] = speed["median"], ranged(speed, 2)
    for row in output.parsed(2)["results"][0]["rows"]:
        name = row["variant"].partition(",")[0]
        for column, digits in (("first", 1), ("each", 2)):
            figures[f"{name}_{column}"] = row[column]["median"]
            figures[f"{name}_{column}_range"] = ranged(row[column], digits)
    return figures


def ranged(figure: dict[str, Any], digits: int) -> str:
    """Return the range of a figure."""
    low, high = figure["range"]
    return f"{low:.{digits}f} .. {high:.{digits}f}"


PROGRAMS = (0, 1, 2, 4)


def busy_cores(output: Output) -> dict[str, Number]:
    """Return speeds relative to one thread while other programs compute."""
    figures: dict[str, Number] = {}
    for programs, row in output.parsed(0).items():
        for name, (middle, low, high) in row.items():
            figures[f"{name}_{programs}"] = middle
            figures[f"{name}_{programs}_range"] = f"{low:.2f} .. {high:.2f}"
    return figures


TEXTS, TOKENIZERS = ("ascii", "typographic"), ("char", "byte", "word", "bpe")
READS = ("checksum", "count", "vocabulary", "ids", "all")


def tokenizing(output: Output) -> dict[str, Number]:
    """Return MB/s of each read; the vocabulary of bytes is not learned."""
    return {
        f"{row['text']}_{row['tokenizer']}_{part}": row[part][0]
        for row in output.parsed(0)
        for part in READS
        if (row["tokenizer"], part) != ("byte", "vocabulary")
    }


def memory(output: Output) -> dict[str, Number]:
    """Return MiB above torch for a small and a large text, and the seconds of the large one."""
    found = output.parsed(0)
    figures: dict[str, Number] = {"torch": found["torch_mib"]}
    large = max(row["bytes"] for row in found["runs"])
    for row in found["runs"]:
        size = "large" if row["bytes"] == large else "small"
        figures[f"{row['tokenizer']}_{size}"] = row["mib_above_torch"]
        if size == "large":
            figures[f"{row['tokenizer']}_seconds"] = row["seconds"]
    return figures


MEASUREMENTS = {
    "first": Measurement(
        (
            Command(
                "rnnlab train --corpus timemachine --preprocessing letters"
                " --budget 60s --run-dir runs/first"
            ),
            Command(
                'rnnlab generate runs/first --prefix "the time traveller" --length 120'
                " --temperature 0.5"
            ),
            Command("rnnlab evaluate runs/first --split test"),
        ),
        1.4, HELD_OUT | dict.fromkeys(("started", "written", "table"), TEXT), first_run,
    ),
    "tinyshakespeare": Measurement(
        (
            Command(
                "rnnlab train --corpus tinyshakespeare --split 0.9 0 0.1 --budget 180s",
                "--run-dir run",
            ),
        ),
        3.7, HELD_OUT, lambda output: held_out("run", output),
    ),
    "lab_report": Measurement(
        (
            Command(
                "rnnlab train --corpus timemachine --preprocessing letters --vocabulary text"
                " --split 10000 0 5000 --budget 10s",
                "--run-dir chosen",
            ),
            Command(
                "rnnlab train --config lab-report --split 10000 5000 0 --num-epochs 250",
                "--run-dir report",
            ),
        ),
        1.5, {"report": QUALITY, "ngram": EXACT, "ngram_title": TEXT, "chosen": QUALITY},
        lab_report,
    ),
    "memorising": Measurement(
        (Command("python benchmarks/memorising.py", "--json"),),
        5.0, dict.fromkeys(("native_float32", "native_bfloat16", "builtin_float32"), DURATION),
        memorising, no_bfloat16,
    ),
    "sooner": Measurement(
        (Command("python benchmarks/memorising.py --sooner", "--json"),),
        0.5, {"sooner": DURATION}, memorising,
    ),
    "bench": Measurement(
        (Command("rnnlab bench --hidden-size 256 --precision float32 bfloat16",
                 "--json --plot {root}/docs/bench.svg"),),
        2.5, BENCH, bench, no_bfloat16,
    ),
    "peers": Measurement(
        (Command("python benchmarks/peers.py --rounds 5 --seconds 0.6", "--json"),),
        2.0,
        {f"{name.replace('.', '_')}_{figure}": about for name in PEERS for figure, about in {
            "speed": SPEED, "range": TEXT, "ratio": RATIO,
            "character": Figure("µs", 0.15, share=True)}.items()},
        peers,
    ),
    "executors": Measurement(
        (
            Command("python benchmarks/executors.py --only threads", "--json"),
            Command(
                "python benchmarks/executors.py --only threads --engine builtin --tokens 50000",
                "--json",
            ),
            Command("python benchmarks/executors.py --only overhead", "--json"),
        ),
        6.5,
        {"native": RATIO, "native_range": TEXT, "builtin": RATIO, "builtin_range": TEXT} | {
            f"{name}_{column}{range_}": TEXT if range_ else Figure("s", 0.3, share=True)
            for name in ("local", "ray") for column in ("first", "each")
            for range_ in ("", "_range")
        },
        executors,
    ),
    "busy_cores": Measurement(
        (Command("python benchmarks/busy_cores.py", "--json"),),
        2.3,
        {f"{name}_{programs}{range_}": TEXT if range_ else Figure("times", 0.3, share=True)
         for name in ("all", "chosen") for programs in PROGRAMS for range_ in ("", "_range")},
        busy_cores,
    ),
    "tokenizing": Measurement(
        (Command("python benchmarks/tokenizing.py", "--rounds 2 --json"),),
        4.0,
        {f"{text}_{kind}_{part}": Figure("MB/s", 0.2, share=True)
         for text in TEXTS for kind in TOKENIZERS for part in READS
         if (kind, part) != ("byte", "vocabulary")},
        tokenizing,
    ),
    "memory": Measurement(
        (Command("python benchmarks/tokenizing.py --train --one-line --gigabytes 0.001 0.2"
                 " --seconds 10", "--json"),),
        6.0,
        {"torch": Figure("MiB", 0.1, share=True)} | {
            f"{kind}_{size}": Figure("MiB", 0.1, share=True)
            for kind in TOKENIZERS for size in ("small", "large")
        } | {f"{kind}_seconds": Figure("s", 0.3, share=True) for kind in TOKENIZERS},
        memory,
    ),
    "unknown_words": Measurement(
        tuple(
            Command(f"{UNKNOWN_WORDS_RUN} --tokenizer word --min-frequency {n}",
                    f"--run-dir word-{n}")
            for n in UNKNOWN_WORDS
        ) + tuple(
            Command(f"{UNKNOWN_WORDS_RUN} --tokenizer {kind}{more}", f"--run-dir {kind}")
            for kind, more in OTHER_TOKENIZERS.items()
        ),
        4.5,
        {f"{figure}_{n}": Figure("%", 0.1) if figure == "share" else QUALITY
         for n in UNKNOWN_WORDS for figure in ("share", "without", "bits")}
        | dict.fromkeys(OTHER_TOKENIZERS, QUALITY),
        unknown_words,
    ),
}  # fmt: skip


PAGES = {
    "first": "README.md",
    "results": "README.md",
    "speed": "README.md",
    "memorised": "README.md",
    "first.zh": "README.zh.md",
    "results.zh": "README.zh.md",
    "speed.zh": "README.zh.md",
    "memorised.zh": "README.zh.md",
    "peers": "benchmarks/engines.md",
    "executors": "benchmarks/README.md",
    "busy-cores": "docs/how-to/threads-and-processes.md",
    "tokenizing": "docs/how-to/long-texts.md",
    "memory": "docs/how-to/long-texts.md",
    "unknown-words": "docs/explanation/measuring.md",
}
"""The parts of pages that print figures, each with its page; templates/NAME.md is its template."""
