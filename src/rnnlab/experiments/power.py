"""Before an experiment: how small a difference it would show, and how many seeds one would need.

Whether a difference is shown is a matter of chance, and of how much the paired differences vary.
Given their standard deviation, this is exact for normally distributed differences: noncentral t,
and for equivalence the power of two one-sided tests; see `statistics.detectable_errors`. About
these texts it is close, see `Design.mean`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from scipy.special import chdtri

from rnnlab.console import counted
from rnnlab.errors import RunDirectoryError, UsageError
from rnnlab.experiments.archive import collect_records
from rnnlab.experiments.claims import TOLERANT, ComparisonSettings
from rnnlab.experiments.evidence import text_word, train_share
from rnnlab.experiments.folder import FILE, open_existing
from rnnlab.experiments.outcomes import OUTCOMES
from rnnlab.experiments.pairing import find_pairs
from rnnlab.experiments.plan import Plan, read_plan
from rnnlab.experiments.pooling import pooled_deviation
from rnnlab.experiments.records import Records
from rnnlab.experiments.statistics import LEVEL, Mean, estimate_mean
from rnnlab.experiments.texts import FEWEST
from rnnlab.experiments.verdicts import detectable
from rnnlab.experiments.wording import default_claim_text

MOST = 100_000
"""More seeds than this are not counted."""

CAREFUL = 0.8
"""With this probability the true standard deviation is below the one that is called careful."""

EFFECTS = (0.5, 0.8, 1.0, 1.5, 2.0, 3.0)
"""Differences, or margins, in standard deviations, for the table without any spread."""


@dataclass(frozen=True)
class Design:
    """How the error of a mean difference depends on the number of seeds, texts or folds."""

    unit: Literal["seed", "round", "text", "fold"]
    """What there may be more of."""
    count: int
    """How many the experiment's file asks for."""
    texts: int = 0
    """With this many texts, each of which has so many seeds; 0: one text, or `unit` counts them."""
    train_share: float = 0.0
    """Of folds: the share of what a fold leaves that is training text."""

    def mean(self, count: int, deviation: float) -> Mean:
        """Return a mean of 0 with the error that so many give.

        About these texts the degrees of freedom are estimated (`pooling.mean_on_these`), here
        1 / E(1 / them) if all J texts vary alike: f (J f + 2) / (f + 2), f of each text.
        """
        freedom: float
        if self.texts:
            each = count - 1
            freedom = each * (self.texts * each + 2) / (each + 2)
            factor = 1 / (self.texts * count)
        else:
            ratio = 1 / ((count - 1) * self.train_share) if self.train_share else 0.0
            freedom, factor = count - 1, 1 / count + ratio
        return Mean(0.0, math.sqrt(factor) * deviation, freedom)

    @property
    def least(self) -> int:
        """The least number that can be tested."""
        return 2 if self.unit in ("seed", "round") else FEWEST


@dataclass(frozen=True)
class Spread:
    """The standard deviation of paired differences, and where it comes from."""

    deviation: float
    """On the scale of the comparison: of logarithms if figures are compared by ratio."""
    source: str
    freedom: int = 0
    """Degrees of freedom of the estimate; 0 for a number that was given."""

    @property
    def careful(self) -> float:
        """A deviation below which the true one is with a probability of 80%."""
        if not self.freedom:
            return self.deviation
        return self.deviation * math.sqrt(self.freedom / float(chdtri(self.freedom, CAREFUL)))


@dataclass(frozen=True)
class ComparisonPower:
    """What a comparison can show."""

    settings: ComparisonSettings
    design: Design
    level: float
    """At which it is tested: 5% over the number of comparisons, Holm's first and hardest step."""
    spread: Spread | None
    shown: float | None
    """Smallest true difference (or ratio above 1) that the experiment as planned shows with a
    probability of 80%; see `ComparisonResult.detectable`. None without a spread."""
    wanted: float | None
    """The difference or margin that is to be shown, as `shown`; None if nothing says it."""
    needed: int | None
    """How many seeds (or texts, folds, rounds) that needs; None if not known, or above `MOST`."""
    needed_if_careful: int | None
    """The same if the spread is as large as `Spread.careful`."""


@dataclass(frozen=True)
class ClaimPower:
    """A claim and what its comparisons can show."""

    text: str
    comparisons: tuple[ComparisonPower, ...]


@dataclass(frozen=True)
class ExperimentPower:
    """What an experiment can show, before it is made."""

    plan: Plan
    claims: tuple[ClaimPower, ...]
    level: float
    tests: int
    """Number of comparisons for which p values are corrected."""


def plan_power(
    file: Path, *, output: str = "", pilot: str = "", sd: float = 0.0, difference: float = 0.0
) -> ExperimentPower:
    """Say how small a difference each claim of an experiment file would show.

    file: an experiment.toml, or its folder. output: the folder of its runs, if it is another one.
    The standard deviation of paired differences is `sd` (of logarithms for outcomes that are
    compared by ratio), or else that of the experiment in the folder `pilot`, of its own runs so
    far, or of those of its quick version. difference: what claims without a margin of tolerance
    are to show, or a ratio above 1 for such outcomes.

    Raises UsageError for a file that is wrong, or without anything to compare.
    """
    file = file / FILE if file.is_dir() else file
    plan = read_plan(file)
    if not plan.claims:
        why = "a search has no claims" if plan.settings.search else "its variants are not compared"
        raise UsageError(f"{file}: nothing to test: {why}")
    for name, value in (("sd", sd), ("difference", difference)):
        if value < 0 or not math.isfinite(value):
            raise UsageError(f"power: {name} must be a number above 0, not {value:g}")
    known = [*_of_pilot(pilot), *_own(plan, Path(output or file.parent))]
    comparisons = list(dict.fromkeys(c for claim in plan.claims for c in claim.comparison))
    level = LEVEL / len(comparisons)
    found = {c: _power(plan, c, level, known, sd, difference) for c in comparisons}
    claims = tuple(
        ClaimPower(
            claim.text or default_claim_text(claim.comparison[0]),
            tuple(found[c] for c in claim.comparison),
        )
        for claim in plan.claims
    )
    return ExperimentPower(plan, claims, level, len(comparisons))


def design_of(plan: Plan, comparison: ComparisonSettings) -> Design:
    """Return what there may be more of in a plan, for a comparison."""
    settings = plan.settings
    if settings.timing and OUTCOMES[comparison.outcome].timed:
        return Design("round", settings.timing.rounds)
    seeds, texts = len(settings.seeds), len(plan.texts)
    if plan.scope == "these texts":
        return Design("seed", seeds, texts)
    if not texts:
        return Design("seed", seeds)
    if settings.folds:
        return Design("fold", texts, train_share=train_share(plan))
    return Design("text", texts)


def needed(
    settings: ComparisonSettings, design: Design, level: float, deviation: float, wanted: float
) -> int | None:
    """Return the least number with which 80% of experiments show what is wanted; None above `MOST`.

    wanted: on the scale of the differences.
    """

    def is_enough(count: int) -> bool:
        smallest = detectable(settings, design.mean(count, deviation), level)
        return smallest is None or smallest <= wanted

    low, high = design.least - 1, design.least
    while not is_enough(high):
        low, high = high, 2 * high
        if low >= MOST:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if is_enough(middle) else (middle, high)
    return high


def _power(
    plan: Plan,
    settings: ComparisonSettings,
    level: float,
    known: Sequence[tuple[Records, str]],
    sd: float,
    difference: float,
) -> ComparisonPower:
    design = design_of(plan, settings)
    found = (_spread(records, settings, design, source) for records, source in known)
    spread = Spread(sd, "as given") if sd else next(filter(None, found), None)
    wanted = _wanted(settings, difference)
    shown = counts = None
    if spread:
        planned = design.mean(max(design.count, design.least), spread.deviation)
        shown = detectable(settings, planned, level)
        shown = None if design.count < design.least else shown
        if wanted is not None:
            counts = [
                needed(settings, design, level, deviation, wanted)
                for deviation in (spread.deviation, spread.careful)
            ]
    unscaled = OUTCOMES[settings.outcome].unscaled
    return ComparisonPower(
        settings, design, level, spread,
        None if shown is None else unscaled(shown),
        None if wanted is None else unscaled(wanted),
        *(counts or (None, None)),
    )  # fmt: skip


def _wanted(settings: ComparisonSettings, difference: float) -> float | None:
    """Return what is to be shown, on the scale of the differences."""
    if settings.expect in TOLERANT:
        return settings.scaled_margin
    if not difference:
        return None
    if settings.is_ratio and difference <= 1:
        raise UsageError(
            f"power: {settings.outcome} is compared by ratio: difference must be a ratio above 1, "
            f"not {difference:g}"
        )
    wanted = math.log(difference) if settings.is_ratio else difference
    if wanted <= settings.scaled_margin:
        raise UsageError(
            f"power: difference must be above the margin of a claim, {settings.margin:g}, not "
            f"{difference:g}"
        )
    return wanted


def _own(plan: Plan, folder: Path) -> list[tuple[Records, str]]:
    """Return the experiment's own records, and those of its quick version."""
    found = [(collect_records(plan, folder), "of this experiment so far")]
    quick = folder / "quick"
    if (quick / FILE).is_file():
        found.append((
            collect_records(read_plan(quick / FILE), quick),
            "of the quick version, whose runs may vary otherwise",
        ))  # fmt: skip
    return found


def _of_pilot(pilot: str) -> list[tuple[Records, str]]:
    if not pilot:
        return []
    records = collect_records(open_existing(Path(pilot)), Path(pilot))
    if not any(run.status == "finished" for run in records.runs):
        raise RunDirectoryError(f"{pilot}: no run of this experiment has finished")
    return [(records, f"of {pilot}")]


def _spread(
    records: Records, settings: ComparisonSettings, design: Design, source: str
) -> Spread | None:
    """Return the spread of a comparison in records; None if they do not have it.

    If they lack one of the variants it is the largest of their own comparisons of the outcome.
    """
    own = {variant.name for variant in records.plan.variants}
    sides = [name for name in (settings.variant, settings.against) if isinstance(name, str)]
    if own.issuperset(sides):
        return _spread_of(records, settings, design, source)
    others = {c for claim in records.plan.claims for c in claim.comparison}
    found = [
        _spread_of(records, c, design, f"{source}, {c.variant} against {c.against}")
        for c in sorted(others, key=lambda c: (c.variant, str(c.against)))
        if c.outcome == settings.outcome
    ]
    return max(filter(None, found), key=lambda spread: spread.deviation, default=None)


def _spread_of(
    records: Records, settings: ComparisonSettings, design: Design, source: str
) -> Spread | None:
    if records.plan.texts:
        by_text = [find_pairs(on, settings).differences for on in records.on_texts.values()]
    else:
        by_text = [find_pairs(records, settings).differences]
    by_text = [own for own in by_text if own]
    if design.unit in ("text", "fold"):
        means = [estimate_mean(own) for own in by_text]
        if not records.plan.texts or len(means) < 2:
            return None  # nothing tells how much texts differ
        deviation = estimate_mean([mean.mean for mean in means]).deviation
        words = counted(len(means), text_word(records.plan))
        freedom = len(means) - 1
    else:
        by_text = [own for own in by_text if len(own) > 1]
        if not by_text:
            return None
        deviation = pooled_deviation(by_text)
        words, freedom = f"{sum(map(len, by_text))} pairs", sum(len(own) - 1 for own in by_text)
    return Spread(deviation, f"from {words} {source}", freedom) if deviation else None
