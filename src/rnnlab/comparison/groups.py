"""Runs of the same settings with several seeds are one group; what differs between the groups."""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

from rnnlab.cells import short_name
from rnnlab.comparison.contender import Contender
from rnnlab.config import TEXTS, Settings
from rnnlab.experiments.plan import NOT_IN_THE_ID, change_name

ONLY_SHOWN = ("num_log_lines", "sample_prefix", "sample_length", "sample_temperature")
"""Settings that decide what a run writes about itself, not its result."""

NOT_COMPARED = ("data_dir", "mirror", "checkpoint_seconds", *ONLY_SHOWN)

LONG_NAME = 40

MACHINE = {
    "cpu": "processor", "gpu": "GPU", "instruction_set": "instruction set",
    "rnnlab": "rnnlab version", "commit": "commit", "torch": "torch version",
}  # fmt: skip
"""Entries of `environment` that are told if they differ."""

SPEED = ("cpu", "gpu", "instruction_set", "torch")
"""Those that decide how fast a run is."""


@dataclass(frozen=True)
class Group:
    """A run, a model folder, or several runs that differ in nothing but their seeds."""

    name: str
    members: tuple[Contender, ...]

    @property
    def seeds(self) -> tuple[int, ...]:
        """Of its runs; none of a model folder."""
        return tuple(m.seed for m in self.members if m.seed is not None)


@dataclass(frozen=True)
class Difference:
    """A setting, or a fact about data or machine, that is not the same in all groups."""

    name: str
    values: tuple[Any, ...]
    """In the order of the groups; None: not known."""
    kind: str = "setting"
    """setting, data or machine."""


def group(contenders: Sequence[Contender]) -> tuple[list[Group], list[str]]:
    """Return runs by their settings without the seed, and notices.

    Runs that have the same settings and the same seed as well are left alone.
    """
    found: dict[str, list[Contender]] = {}
    for contender in contenders:
        found.setdefault(_key(contender), []).append(contender)
    members, notices = list[tuple[Contender, ...]](), list[str]()
    for own in found.values():
        twice = [seed for seed, count in Counter(c.seed for c in own).items() if count > 1]
        if twice and len(own) > 1:
            names = " and ".join(c.name for c in own if c.seed == twice[0])
            notices.append(
                f"{names} have the same settings and the same seed, {twice[0]}: they are one "
                "training, and not grouped over seeds"
            )
        members += [(c,) for c in own] if twice else [tuple(sorted(own, key=_seed))]
    places = {c.name: n for n, c in enumerate(contenders)}
    members.sort(key=lambda own: min(places[c.name] for c in own))
    return [Group(name, own) for name, own in zip(_names(members), members, strict=True)], notices


def single(contenders: Sequence[Contender]) -> list[Group]:
    """Return each as a group of its own."""
    return [Group(contender.name, (contender,)) for contender in contenders]


def differences(groups: Sequence[Group]) -> tuple[Difference, ...]:
    """Return what differs: settings in their order, then data, then machine.

    Settings that change no result are left out, and so are names of texts that are the same.
    """
    rows = list[Difference]()
    own = [{n: _name(n, v) for n, v in g.members[0].own.items()} for g in groups]
    texts = {m.corpus_sha256 for g in groups for m in g.members}
    ignored = {*NOT_COMPARED, "seed", *(TEXTS if len(texts) == 1 else ())}
    for name in (name for name in Settings.names() if name not in ignored):
        rows.append(Difference(name, tuple(settings.get(name) for settings in own)))
    seeds = tuple(" ".join(map(str, g.seeds)) or None for g in groups)
    rows.append(Difference("seed", seeds))
    facts: dict[str, Callable[[Contender], Any]] = {
        "corpus SHA-256": lambda c: c.corpus_sha256[:12],
        "held-out text": lambda c: c.text.name if c.text else "none",
        "tokenizer": lambda c: c.tokenizer,
        "weights": lambda c: c.checkpoint,
    }
    rows += [Difference(n, tuple(_joined(map(fact, g.members)) for g in groups), "data")
             for n, fact in facts.items()]  # fmt: skip
    rows += [
        Difference(
            title,
            tuple(_joined(m.environment.get(name) for m in g.members) for g in groups),
            "machine",
        )
        for name, title in MACHINE.items()
    ]
    return tuple(_with_cells_shown(row) for row in rows if len({*map(str, row.values)}) > 1)


def speeds_differ_in(groups: Sequence[Group]) -> list[str]:
    """Return what was not the same when training was timed, in words."""
    members = [m for g in groups for m in g.members if m.settings is not None]
    found = [MACHINE[name] for name in SPEED if len({m.environment.get(name) for m in members}) > 1]
    return found + [n for n in ("threads", "device") if len({m.own.get(n) for m in members}) > 1]


def _with_cells_shown(row: Difference) -> Difference:
    """Return a row in which cells of files have the names that people are shown.

    Two files that have the same name are told apart by their checksums.
    """
    if row.name != "cell":
        return row
    names = [value and short_name(value) for value in row.values]
    different = len({*names}) == len({*row.values})
    values = row.values if different else [value and f"{short_name(value)} ({value[-6:]})"
                                           for value in row.values]  # fmt: skip
    return Difference(row.name, tuple(names if different else values))


def _name(setting: str, value: Any) -> Any:
    """Return texts by their names, without their folders; other settings as they are."""
    return tuple(Path(each).name for each in value) if setting in TEXTS else value


def _joined(values: Iterable[Any]) -> str | None:
    """Return all different values as one text; None if none is known."""
    return ", ".join(dict.fromkeys(str(value) for value in values if value)) or None


def decisive(own: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that decide a result, apart from the text and the seed."""
    ignored = {*NOT_IN_THE_ID, *NOT_COMPARED, *TEXTS, "seed"}
    return {name: value for name, value in own.items() if name not in ignored}


def _seed(contender: Contender) -> int:
    return contender.seed or 0


def _key(contender: Contender) -> str:
    """Return what runs of one group have in common; a model folder is alone."""
    if contender.settings is None:
        return str(contender.path)
    own = decisive(contender.own)
    text = contender.text.content if contender.text else ""
    return json.dumps([own, contender.corpus_sha256, contender.checkpoint, text], sort_keys=True)


def _names(groups: Sequence[tuple[Contender, ...]]) -> list[str]:
    """Name groups: by what the names of their runs begin with, or else by what they change."""
    names = [own[0].name if len(own) == 1 else _stem(own) for own in groups]
    if all(names) and len({*names}) == len(names):
        return names
    changes = [_change(own, groups) for own in groups]
    if all(changes) and len({*changes}) == len(changes) and max(map(len, changes)) <= LONG_NAME:
        return changes
    return [own[0].name if len(own) == 1 else f"{own[0].name} and {len(own) - 1} more"
            for own in groups]  # fmt: skip


def _stem(own: Sequence[Contender]) -> str:
    """Return the common beginning of names without `-s`, `_seed` and the like at its end."""
    letters = zip(*(c.name for c in own), strict=False)  # as far as the shortest name reaches
    same = takewhile(lambda at: len({*at}) == 1, letters)
    common = "".join(at[0] for at in same)
    return re.sub(r"([-_. ]+(s|seed)?[-_. =]*0*|[-_. =]+)$", "", common)


def _change(own: Sequence[Contender], groups: Sequence[Sequence[Contender]]) -> str:
    first = [group[0].own for group in groups]
    ignored = {*NOT_COMPARED, *TEXTS, "seed"}
    change = {name: value for name, value in own[0].own.items()
              if name not in ignored and len({str(o.get(name)) for o in first}) > 1}  # fmt: skip
    return change_name(change)
