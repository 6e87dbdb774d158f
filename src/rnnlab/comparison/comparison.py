"""Two or more runs or model folders next to each other."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from os import PathLike, fspath
from pathlib import Path
from typing import Any

from rnnlab.comparison import wording
from rnnlab.comparison.contender import Contender, names_of, read_contender
from rnnlab.comparison.figures import FigureRow, Needs, figure_rows
from rnnlab.comparison.groups import (
    Difference,
    Group,
    differences,
    group,
    single,
    speeds_differ_in,
)
from rnnlab.comparison.leads import Gap, gaps, mean_code, own_interval
from rnnlab.comparison.measured_text import MovedTo
from rnnlab.config import ComputeSettings
from rnnlab.data.streaming_limits import ProgressCallback, no_progress
from rnnlab.errors import unknown
from rnnlab.files import finite


@dataclass(frozen=True)
class Comparison:
    """What differs between groups of runs, and how far they are apart."""

    groups: tuple[Group, ...]
    against: str
    """The name of the group that the others are compared with."""
    text: str
    """On which text all were measured; "" if it is not the same."""
    characters: int
    """Of this text."""
    differences: tuple[Difference, ...]
    figures: tuple[FigureRow, ...]
    gaps: tuple[Gap, ...]
    findings: tuple[str, ...]
    """What the gaps show, in sentences; all that can be concluded."""
    notes: tuple[str, ...]
    """What a reader must know."""
    has_curves: bool
    """Whether the learning curves of the groups may be drawn into one plot."""

    @property
    def names(self) -> tuple[str, ...]:
        """Of the groups."""
        return tuple(group.name for group in self.groups)

    @property
    def has_seeds(self) -> bool:
        """Whether any group has several seeds."""
        return any(len(group.members) > 1 for group in self.groups)

    def to_dict(self) -> dict[str, Any]:
        """Return everything, ready for JSON."""
        content = {
            "against": self.against,
            "text": self.text,
            "characters": self.characters,
            "groups": [
                {
                    "name": group.name,
                    "runs": [
                        {
                            "name": member.name,
                            "path": fspath(member.path),
                            "seed": member.seed,
                            "corpus_sha256": member.corpus_sha256,
                            "tokenizer": member.tokenizer,
                            "checkpoint": member.checkpoint,
                            "figures": dict(member.figures),
                            "baselines": dict(member.baselines),
                            "curve": [point._asdict() for point in member.curve],
                            "environment": dict(member.environment),
                        }
                        for member in group.members
                    ],
                }
                for group in self.groups
            ],
            "differences": [asdict(row) for row in self.differences],
            "figures": [asdict(row) for row in self.figures],
            "gaps": [gap.to_dict() for gap in self.gaps],
            "findings": list(self.findings),
            "notes": list(self.notes),
        }
        found = finite(content)
        assert isinstance(found, dict)
        return found


def compare(
    paths: Sequence[str | PathLike[str]],
    *,
    against: str = "",
    file: str = "",
    checkpoint: str = "best",
    grouped: bool = True,
    moved_to: MovedTo | None = None,
    machine: ComputeSettings | None = None,
    trust_cell: bool = False,
    watch: ProgressCallback = no_progress,
) -> Comparison:
    """Compare runs and model folders; see `rnnlab.compare`."""
    names = names_of(paths)
    contenders = []
    for number, (path, name) in enumerate(zip(paths, names, strict=True)):
        watch(name, number / len(names))
        contenders.append(
            read_contender(
                Path(path), name, file=file, checkpoint=checkpoint, moved_to=moved_to,
                machine=machine, trust_cell=trust_cell,
            )
        )  # fmt: skip
    return compared(contenders, against=against, grouped=grouped)


def compared(
    contenders: Sequence[Contender], *, against: str = "", grouped: bool = True
) -> Comparison:
    """Compare what has been read. Raises UsageError for an unknown `against`."""
    groups, notices = group(contenders) if grouped else (single(contenders), [])
    chosen = _chosen(groups, against)
    why_not = wording.why_texts_differ(contenders)
    equal: dict[Needs, bool] = {
        "text": not why_not,
        "tokens": len({c.tokens_are for c in contenders}) == 1,
        "validation": len({c.validation for c in contenders if c.curve}) == 1,
    }
    found = gaps(groups, chosen) if equal["text"] else ()
    alone = [g for g in groups if len(g.members) == 1 and equal["text"]]
    over_text = {g.name: own_interval(mean_code(g)) for g in alone}
    text = contenders[0].text if equal["text"] else None
    characters = len(text.content) if text else 0
    findings = [why_not] if why_not else []
    for gap in found:
        findings += wording.describe(gap, characters, corrected=len(found) > 1)
    if found and (words := wording.what_one_seed_says(groups)):
        findings.append(words)
    notes = list(dict.fromkeys([*notices, *(words for c in contenders for words in c.notices)]))
    if not equal["tokens"]:
        notes.append("Figures per token are left out: the models have different tokens.")
    curves = [c for c in contenders if c.curve]
    if curves and not equal["validation"]:
        notes.append(
            "Learning curves are left out: they are of different texts, or under different "
            "context rules (validation_context)."
        )
    if odd := speeds_differ_in(groups):
        notes.append(f"Training was not timed on equal machines ({', '.join(odd)} differ).")
    if any(c.own.get("ngram_order") for c in contenders):
        notes.append("Validation figures and curves are of networks without their n-gram models.")
    return Comparison(
        tuple(groups), chosen.name, text.name if text else "", characters, differences(groups),
        figure_rows(groups, equal, {n: own for n, own in over_text.items() if own}),
        found, tuple(findings), tuple(notes), bool(curves) and equal["validation"],
    )  # fmt: skip


def _chosen(groups: Sequence[Group], against: str) -> Group:
    """Return the group with this name, or with a run of this name; default: the first."""
    if not against:
        return groups[0]
    for each in groups:
        if against == each.name or against in (m.name for m in each.members):
            return each
    place = Path(against).resolve()
    for each in groups:
        if place in (m.path.resolve() for m in each.members):
            return each
    raise unknown("run to compare with", against, [g.name for g in groups])
