"""An experiment file from a comparison: what was seen becomes claims to test on fresh seeds."""

import textwrap
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from itertools import count, islice
from pathlib import Path
from typing import Any

import tomli_w

from rnnlab.cells.registry import CellFile, file_of
from rnnlab.comparison.comparison import Comparison
from rnnlab.comparison.groups import NOT_COMPARED, Group
from rnnlab.comparison.leads import Gap, Tested
from rnnlab.comparison.wording import describe
from rnnlab.config import TEXTS, Settings
from rnnlab.console import listed, visible
from rnnlab.errors import UsageError
from rnnlab.experiments.cell_files import write_copies
from rnnlab.experiments.folder import FILE
from rnnlab.experiments.plan import make_plan
from rnnlab.experiments.statistics import LEVEL
from rnnlab.files import check_path, make_folder, write_atomically

SEEDS, QUICK_SEEDS = 6, 2

QUICK_BATCHES = 20
"""How many batches each run of the quick version has, at most."""

LEFT_OUT = {*NOT_COMPARED, "seed", "threads", "device", "engine", "match_parameters"}
"""Settings that an experiment decides itself, or that decide no result."""

OF_TRAINING = ("training_perplexity", "tokens_per_second", "training_seconds")
"""Outcomes that every run has."""


def write_experiment(found: Comparison, folder: Path) -> Path:
    """Write experiment.toml, and the files of its cells, into a folder; return the file.

    The settings that all runs share are the base, and what differs is a variant for each group.
    A difference that was seen becomes a claim; the seeds that showed it are left out.

    Raises UsageError if a group is a model folder or nothing differs, or if the folder has an
    experiment already.
    """
    file = new_file(folder)
    content = experiment_file(found)
    plan = make_plan(tomllib.loads(content), folder.resolve().name, str(file))
    plan.check_settings_have_effect(str(file))
    try:
        make_folder(folder)
        write_copies(_cells(found.groups), folder)
        write_atomically(file, content.encode())
    except OSError as error:
        raise UsageError(f"{folder} cannot be written: {error.strerror}") from None
    return file


def new_file(folder: Path) -> Path:
    """Return the file that an experiment in a folder has. Raises UsageError if it exists."""
    check_path(folder)
    file = folder / FILE
    if file.exists():
        raise UsageError(f"{file} exists; choose another folder, or delete it first")
    return file


def experiment_file(found: Comparison) -> str:
    """Return the content of experiment.toml. Raises UsageError as `write_experiment`."""
    base, changes = _divided(found.groups)
    names = listed(found.names)
    used = sorted({seed for group in found.groups for seed in group.seeds})
    fresh = list(islice((seed for seed in count() if seed not in used), SEEDS))
    held_out = _held_out_outcome(found.groups)
    lines = [
        *_comment(f"Do the differences between {names} hold for their settings? Made by rnnlab "
                  "experiment new."),
        *_comment(f"The comparison looked at {'seeds' if used[1:] else 'seed'} {_numbers(used)}; a "
                  "difference that was found there can only be confirmed with other seeds."),
        _pair("title", f"{names} on fresh seeds"),
        _pair("question", f"Do the differences that were seen between {names} hold on seeds that "
              "nobody has looked at?"),
        _pair("seeds", fresh),
        _pair("reference", found.against),
        _pair("outcomes", [*held_out, *OF_TRAINING]),
        _pair("quick", {"seeds": fresh[:QUICK_SEEDS], **_quick(found.groups, changes)}),
        "",
        "[base]",
        *(_pair(name, value) for name, value in base.items()),
    ]  # fmt: skip
    for group, change in zip(found.groups, changes, strict=True):
        lines += ["", "[[variant]]", _pair("name", group.name), _pair("change", change)]
    for gap in found.gaps:
        lines += ["", *_claim(gap, held_out[0], found)]
    if not found.gaps:
        words = "No claim: nothing could be compared. " + " ".join(found.findings)
        lines += ["", *_comment(words)]
    return "\n".join(lines) + "\n"


def _divided(groups: Sequence[Group]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return the settings that all groups share, and what each has in their place.

    Neither has what equals its default. A text that is the same under two names is shared.
    """
    own = list[dict[str, Any]]()
    for group in groups:
        first = group.members[0]
        if first.settings is None:
            raise UsageError(
                f"{first.name} is a model folder, which does not say how it was trained; give its "
                "run directory"
            )
        own.append(_plain(first.settings))
    same_text = len({group.members[0].corpus_sha256 for group in groups}) == 1
    if same_text:
        own = [{**values, **{name: own[0][name] for name in TEXTS}} for values in own]
    shared = {n: v for n, v in own[0].items() if all(values[n] == v for values in own)}
    usual = _plain(Settings())
    base = {name: value for name, value in shared.items() if value != usual[name]}
    if len(shared) == len(own[0]):
        raise UsageError(
            f"nothing differs between {listed([g.name for g in groups])} that decides the result; "
            "an experiment compares settings"
        )
    changes = [
        {n: v for n, v in values.items() if n not in shared and v != usual[n]} for values in own
    ]
    return base, changes


def _plain(settings: Settings) -> dict[str, Any]:
    """Return settings by name, as TOML has them, without those in `LEFT_OUT`."""
    groups = settings.model_dump(mode="json").values()
    return {n: value for group in groups for n, value in group.items() if n not in LEFT_OUT}


def _quick(groups: Sequence[Group], changes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return a budget that ends each run at once; one that no variant sets."""
    settings = groups[0].members[0].own
    batch = settings["batch_size"] * settings["num_steps"]
    small = {"max_tokens": QUICK_BATCHES * batch, "max_seconds": 1.0, "num_epochs": 1}
    varied = {name for change in changes for name in change}
    name = next((name for name in small if name not in varied), "max_tokens")
    return {name: small[name]}


def _held_out_outcome(groups: Sequence[Group]) -> list[str]:
    """Return the outcome that was compared: of the weights that were measured."""
    members = [member for group in groups for member in group.members]
    if any(member.text is None for member in members):
        return []
    last = all(member.checkpoint == "last" for member in members)
    return ["held_out_bits_per_character" if last else "best_held_out_bits_per_character"]


def _claim(gap: Gap, outcome: str, found: Comparison) -> list[str]:
    """Return a claim in the direction that was seen, or of any difference if none was shown."""
    test = gap.seeds_test or gap.over_text
    shown = test is not None and test.adjusted_p <= LEVEL
    side = ("better", "lower") if gap.difference < 0 else ("worse", "higher")
    if shown:
        text = f"{gap.name} predicts the held-out text {side[0]} than {gap.against}."
        expect = side[1]
    else:
        text, expect = f"{gap.name} and {gap.against} differ on the held-out text.", "different"
    seen = describe(gap, found.characters, corrected=len(found.gaps) > 1)
    return [
        *_comment(f"Measured by the comparison, not by this experiment: {' '.join(seen)} The claim "
                  "must now be tested on fresh seeds."),
        "[[claim]]",
        _pair("text", text),
        _pair("note", f"seen before with {_seen_with(test, gap)}; tested on other seeds"),
        "[[claim.comparison]]",
        _pair("variant", gap.name),
        _pair("against", gap.against),
        _pair("outcome", outcome),
        _pair("expect", expect),
    ]  # fmt: skip


def _seen_with(test: Tested | None, gap: Gap) -> str:
    if gap.over_seeds is not None:
        own, other = gap.over_seeds.seeds
        return f"{own} and {other} seeds"
    return "one model each" if test is not None else "one model each on a short text"


def _cells(groups: Sequence[Group]) -> list[CellFile]:
    """Return the Python files of the groups' own cells."""
    names = dict.fromkeys(str(group.members[0].own["cell"]) for group in groups)
    return [file for name in names if (file := file_of(name)) is not None]


def _numbers(seeds: Sequence[int]) -> str:
    return listed([str(seed) for seed in seeds])


def _comment(words: str) -> Iterable[str]:
    """Return words as comments of at most 100 characters a line."""
    return [f"# {line}" for line in textwrap.wrap(" ".join(visible(words).split()), 98)]


def _pair(name: str, value: Any) -> str:
    return f"{name} = {_written(value)}"


def _written(value: Any) -> str:
    """Return a value as TOML on one line."""
    if isinstance(value, dict):
        inside = ", ".join(_pair(name, each) for name, each in value.items())
        return f"{{ {inside} }}" if inside else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_written, value))}]"
    return tomli_w.dumps({"value": value}).removeprefix("value = ").rstrip("\n")
