"""What networks have learned of two texts, and how far three cells reach.

docs/explanation/inside.md shows what came out; the pictures are in docs/explanation/inside/.

    python benchmarks/inside.py runs/inside           # trains, probes and draws
    python benchmarks/inside.py runs/inside --draw    # only draws its figures.json again

timemachine  The Time Machine as it is, with quotes and line breaks; the settings of `rnnlab train`
code         4 MB of Python's standard library, of this interpreter, in alphabetical order
rnn gru lstm the letters of The Time Machine; the same size, tokens and settings for each

Budgets are in tokens, so that a busy machine changes nothing: twelve epochs of The Time Machine,
after which more do not help, and 4 million tokens of code, which two idle cores read in less than
three minutes. A run or a probe that is complete in the folder is not made again.
"""

import argparse
import json
import re
import sysconfig
import tempfile
import tokenize
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from inside_pictures import draw

import rnnlab
from rnnlab.probes.following import Following

DOCS = Path(__file__).parents[1] / "docs" / "explanation" / "inside"
FIGURES = DOCS / "figures.json"

SPLIT = (0.85, 0.05, 0.1)
CODE_CHARACTERS = 4_000_000
TEXTS: dict[str, dict[str, Any]] = {
    "timemachine": {"corpus": "timemachine", "split": SPLIT, "max_tokens": 5_000_000},
    "code": {"max_tokens": 4_000_000},
}
CELLS = ("rnn", "gru", "lstm")
CELL: dict[str, Any] = {
    "automatic": False, "corpus": "timemachine", "preprocessing": "letters", "split": SPLIT,
    "hidden_size": 128, "batch_size": 16, "num_steps": 100, "learning_rate": 0.003,
    "schedule": "linear", "max_tokens": 1_500_000, "num_evaluations": 4,
}  # fmt: skip
"""In training, gradients may flow back 100 tokens: what is less is due to the cell."""
SEEDS = {"timemachine": 2, "code": 1, **dict.fromkeys(CELLS, 3)}
"""How many runs of each there are, from seed 1 on."""

BEGIN = {"timemachine": 0, "code": 60_000}
"""Where in the held-out text probes begin: in code, where all kinds of its parts occur."""
READ, ABLATED = 20_000, 3_000
"""Characters that are probed, and that are read once for each unit held."""

SYNTAX = re.compile(
    r"""(?P<string>(?i:[rbfu]{0,2})(?:\"{3}(?:\\.|[^\\])*?\"{3}|'{3}(?:\\.|[^\\])*?'{3}"""
    r"""|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'))|(?P<comment>\#[^\n]*)""",
    re.DOTALL,
)
CONDITION = re.compile(r"^[ \t]*(?:el)?if\b.*?:(?=[ \t]*(?:#.*)?$)", re.MULTILINE)

SHOWN = {
    "timemachine": {"position in line": "Line position", "inside quotes": "Quotes"},
    "code": {
        "position in line": "Line position", "indentation": "Indentation",
        "inside brackets": "Brackets", "bracket depth": "Nesting of brackets",
        "part = string": "Strings", "part = comment": "Comments", "part = if": "if statements",
    },
}  # fmt: skip
"""The cells of Karpathy, Johnson and Fei-Fei 2015, and the features that stand for them."""

PASSAGES = {
    "timemachine": "",  # of the held-out text: the first that has a quotation
    "code": '''\
def pick(names, most=3):
    """Return the first few names, in a list."""
    if not names or (most < 1 and not all(names)):
        return []  # nothing was asked for
    found = [(len(name), name.strip("_")) for name in names]
    return [name for _, name in sorted(found)[:most]]
''',
}
PASSAGE = 400
"""Characters of a passage at most."""


def source_code() -> str:
    """Return the beginning of the sources of the standard library's modules that are one file."""
    texts = []
    for file in sorted(Path(sysconfig.get_path("stdlib")).glob("*.py")):
        with tokenize.open(file) as stream:
            texts.append(stream.read())
    return "".join(texts)[:CODE_CHARACTERS]


def parts_of_code(text: str) -> list[str]:
    """Return for each character of Python source what it is part of."""
    parts = ["code"] * len(text)
    for match in CONDITION.finditer(text):
        parts[slice(*match.span())] = ["if"] * len(match[0])
    for match in SYNTAX.finditer(text):
        parts[slice(*match.span())] = [str(match.lastgroup)] * len(match[0])
    return parts


def trained(folder: Path, name: str, seed: int, **settings: Any) -> Path:
    """Return a run that is complete: made with a seed, or gone on with, if it is not."""
    directory = folder / f"{name}-{seed}"
    if (directory / "config.toml").is_file() and not (directory / "result.json").is_file():
        rnnlab.train(resume=directory, quiet=True)
    elif not directory.is_dir():
        given: Any = {"text": source_code()} if name == "code" else {}
        rnnlab.train(run_dir=directory, seed=seed, sample_length=0, quiet=True, **given, **settings)
    return directory


def kept(file: Path, measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return figures that are kept in a file, measured if they are not there."""
    if not file.is_file():
        file.write_text(json.dumps(measure()), encoding="utf-8")
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


def learned(run: Path, kind: str) -> dict[str, Any]:
    """Return what the units of a network follow, and what they are for."""
    model = rnnlab.load(run)
    whole = rnnlab.probe(run, what="surprise")
    text = whole.read[BEGIN[kind] :][:READ]
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as labels:
        labels.write("\n".join(parts_of_code(text)))
        labels.flush()
        files = {"part": labels.name} if kind == "code" else {}
        found = rnnlab.probe(model, text, what="following", label_files=files)
    followed = found["following"]
    assert isinstance(followed, Following)
    following = followed.to_dict()
    ablation = rnnlab.probe(model, text[:ABLATED], what="ablation").results["ablation"].to_dict()
    costs = {k: np.array(ablation[k]["values"]) for k in ("at_mean", "half_width", "limit")}
    closest = followed.closest()
    largest = np.abs(np.array(following["r"]["values"])).max((0, 1, 2))
    features = {}
    for f, name in enumerate(following["features"]):
        chance, limit, twin, ngram = (
            following[key]["values"][f]
            for key in ("thresholds", "twin_limits", "twin_r", "ngram_r")
        )
        features[name] = {
            "r": largest[f], "limit": max(chance, limit), "untrained": twin, "ngram": ngram
        }  # fmt: skip
        if name in closest:
            one = closest[name]
            place = one.layer, one.unit
            features[name] |= {
                "r": abs(one.r), "part": one.part, "layer": one.layer, "unit": one.unit, "p": one.p,
                "cost": {key: value[place] for key, value in costs.items()},
            }  # fmt: skip
    stands_out = costs["at_mean"] - costs["half_width"] > np.maximum(0, costs["limit"])
    result: dict[str, Any] = rounded({
        "bits_per_character": ablation["bits_per_character"],
        "units": costs["at_mean"].size, "units_that_follow": len(followed.found()),
        "units_that_stand_out": int(stands_out.sum()), "features": features,
        "left_out": following["left_out"], "passage": passage(model, kind, whole.read, closest),
    })  # fmt: skip
    return result


def passage(
    model: rnnlab.TextModel, kind: str, text: str, closest: Mapping[str, Any]
) -> dict[str, Any]:
    """Return a passage with the values of the units that follow Karpathy's features."""
    from rnnlab.probes.reading import Reading
    from rnnlab.probes.unit_values import unit_values

    shown = {name: closest[name] for name in SHOWN[kind] if name in closest}
    before = ""
    if kind == "code":
        words = PASSAGES[kind]
    else:
        begin = re.compile(r"(?<=\n\n)'").search(text, 200)
        place = begin.start() if begin else 200
        before, words = text[place - 200 : place], text[place : place + PASSAGE]
    reading = Reading.of(model, before + words, is_prepared=True)
    values = unit_values(reading, [(one.part, one.layer, one.unit) for one in shown.values()])
    return {
        "text": words,
        "units": {
            name: {"unit": one.unit, "layer": one.layer, "part": one.part, "r": one.r,
                   "values": row[len(before) :].tolist()}
            for (name, one), row in zip(shown.items(), values.values, strict=True)
        },
    }  # fmt: skip


def reached(run: Path) -> dict[str, Any]:
    """Return how far back a network's gradient and its context reach."""
    found = rnnlab.probe(run, what="reach")["reach"].to_dict()
    names = ("gradient", "untrained_gradient", "contexts", "excess", "low", "high")
    return {
        "bits_per_character": round(found["bits_per_character"], 4),
        **{name: [float(f"{v:.4g}") for v in found[name]["values"]] for name in names},
    }


def rounded(value: Any) -> Any:
    """Return what JSON can hold, numbers to four places."""
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [rounded(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    return round(value, 4) if isinstance(value, float) else value


def measure(folder: Path, most_seeds: int) -> dict[str, Any]:
    """Return all figures: by text or cell, then by seed."""
    folder.mkdir(parents=True, exist_ok=True)
    found = dict[str, Any]()
    for name, number in SEEDS.items():
        found[name] = {}
        settings = TEXTS[name] if name in TEXTS else CELL | {"cell": name}
        for seed in range(1, max(number, most_seeds) + 1):
            run = trained(folder, name, seed, **settings)
            work = partial(learned, run, name) if name in TEXTS else partial(reached, run)
            own = found[name][str(seed)] = kept(folder / f"{run.name}.json", work)
            print(f"{run.name}: {own['bits_per_character']:.3f} bits/character", flush=True)
    return found


def main() -> None:
    """Train, probe and draw."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("folder", type=Path, help="of the runs")
    parser.add_argument("--seeds", type=int, default=0, help="at least so many runs of each")
    parser.add_argument("--draw", action="store_true", help="only draw the figures again")
    args = parser.parse_args()
    DOCS.mkdir(parents=True, exist_ok=True)
    if not args.draw:
        figures = measure(args.folder, args.seeds)
        FIGURES.write_text(json.dumps(figures) + "\n", encoding="utf-8")
    figures = json.loads(FIGURES.read_text(encoding="utf-8"))
    for name, svg in draw(figures, SHOWN).items():
        (DOCS / f"{name}.svg").write_text(svg, encoding="utf-8")


if __name__ == "__main__":
    main()
