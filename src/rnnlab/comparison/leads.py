"""How far groups are apart in bits per character: over the text, and over seeds.

Over the text: the codes of a group's models, averaged piece by piece, are compared with those of
another group, see `rnnlab.lm.code_length`. This says how much the difference between these models
would vary over texts of the same kind, and nothing about other seeds.

Over seeds: a t test on differences paired by seed, if all seeds of one group are also in the other;
otherwise Welch's test (1947, Biometrika 34:28). This says how much the difference would vary over
seeds, on this text, and so it speaks about the settings.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from rnnlab.comparison.figures import BITS
from rnnlab.comparison.groups import Group
from rnnlab.experiments.statistics import Mean, estimate_mean, holm, paired_mean
from rnnlab.lm.code_length import CodeLength, Lead, MeanLead, lead, mean_lead


@dataclass(frozen=True)
class Tested:
    """A difference in bits per character, of a group minus the one it is compared with."""

    difference: float
    """Below 0: the group predicts the text better."""
    low: float
    high: float
    """Of the 95% interval."""
    p: float
    adjusted_p: float
    """After Holm's correction over all groups of the comparison."""


@dataclass(frozen=True)
class OverSeeds:
    """A difference over seeds."""

    tested: Tested
    seeds: tuple[int, int]
    """How many the group has, and how many the other one."""
    paired: int
    """Pairs of equal seeds that were tested; 0: the seeds are not paired."""


@dataclass(frozen=True)
class Gap:
    """How far a group is from the one that all are compared with."""

    name: str
    against: str
    difference: float
    """Of the means of bits per character; below 0: the group predicts the text better."""
    over_text: Tested | None
    """None: the text is too short for an interval."""
    over_seeds: OverSeeds | None
    """None: there are fewer than two seeds of either, or `untested` says why."""
    untested: str = ""
    """Why seeds are not tested although there are several."""

    @property
    def seeds_test(self) -> Tested | None:
        """The test over seeds, if there is one."""
        return None if self.over_seeds is None else self.over_seeds.tested

    def to_dict(self) -> dict[str, Any]:
        """Return all fields, ready for JSON."""
        return asdict(self)


def gaps(groups: Sequence[Group], against: Group) -> tuple[Gap, ...]:
    """Compare all groups with one of them, on the text that all models were measured on."""
    others = [group for group in groups if group is not against]
    found = [_gap(group, against) for group in others]
    over_text = _corrected([gap.over_text for gap in found])
    over_seeds = _corrected([gap.seeds_test for gap in found])
    corrected = []
    for gap, text, seeds in zip(found, over_text, over_seeds, strict=True):
        if gap.over_seeds is not None and seeds is not None:
            gap = replace(gap, over_seeds=replace(gap.over_seeds, tested=seeds))
        corrected.append(replace(gap, over_text=text))
    return tuple(corrected)


def own_interval(code: CodeLength) -> Lead | None:
    """Return a model's bits per character with their interval: its lead over a code of no length.

    None if the text is too short for one.
    """
    return lead(CodeLength(code.ends, np.zeros_like(code.nats)), code)


def mean_code(group: Group) -> CodeLength:
    """Return the mean of the codes of a group's models, which have the same tokens."""
    codes = [member.code for member in group.members if member.code is not None]
    return CodeLength(codes[0].ends, np.mean([code.nats for code in codes], axis=0))


def welch(own: Sequence[float], other: Sequence[float]) -> Tested:
    """Compare two means of at least two values each, which need not have the same spread.

    With standard errors e = s²/n, t = (x̄ - ȳ) / √(e + f), and (e + f)² / (e²/(n-1) + f²/(m-1))
    degrees of freedom.
    """
    one, two = estimate_mean(own), estimate_mean(other)
    e, f = ((each.deviation or 0.0) ** 2 / each.count for each in (one, two))
    freedom = float(one.count + two.count - 2)
    if e + f:
        freedom = (e + f) ** 2 / (e**2 / (one.count - 1) + f**2 / (two.count - 1))
    return _tested(Mean(one.mean - two.mean, math.sqrt(e + f), freedom))


def _tested(mean: Mean) -> Tested:
    """Return a difference with its interval and p value, not corrected yet."""
    p = mean.p_value()
    return Tested(mean.value, *mean.interval(), p, p)


def _gap(group: Group, against: Group) -> Gap:
    own, other = mean_code(group), mean_code(against)
    found = mean_lead(own, other)
    difference = (own.total - other.total) / math.log(2) / own.characters
    over_seeds, untested = _over_seeds(group, against)
    return Gap(
        group.name, against.name, difference,
        None if found is None else _as_tested(found), over_seeds, untested,
    )  # fmt: skip


def _as_tested(found: MeanLead) -> Tested:
    """Return a lead, which counts what is better as above 0, as a difference."""
    ahead, p = found.interval(), found.p_value()
    return Tested(-ahead.bits_per_character, -ahead.high, -ahead.low, p, p)


def _over_seeds(group: Group, against: Group) -> tuple[OverSeeds | None, str]:
    sizes = len(group.seeds), len(against.seeds)
    if max(sizes) < 2:
        return None, ""
    odd = [m for g in (group, against) for m in g.members if m.unusual_end]
    if odd:
        words = " and ".join(f"{m.name} {m.unusual_end}" for m in odd)
        return None, f"{words}, and the remaining runs are a biased sample"
    if min(sizes) < 2:
        few = group if sizes[0] < 2 else against
        return None, f"{few.name} has {'one seed' if few.seeds else 'no known seed'}"
    own, other = (dict(zip(g.seeds, (m.figures[BITS] for m in g.members), strict=True))
                  for g in (group, against))  # fmt: skip
    shared = sorted(own.keys() & other.keys())
    if len(shared) < min(sizes):
        return OverSeeds(welch([*own.values()], [*other.values()]), sizes, 0), ""
    pairs = paired_mean([own[seed] - other[seed] for seed in shared])
    return OverSeeds(_tested(pairs), sizes, len(shared)), ""


def _corrected(found: Sequence[Tested | None]) -> list[Tested | None]:
    """Return tests with p values that are adjusted for all of them."""
    adjusted = iter(holm([test.p for test in found if test is not None]))
    return [test and replace(test, adjusted_p=next(adjusted)) for test in found]
