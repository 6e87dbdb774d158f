"""What the figures of an experiment say about a comparison: on one text, and over several."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from rnnlab.console import counted
from rnnlab.data.splits import outside_fold
from rnnlab.experiments.claims import ComparisonSettings
from rnnlab.experiments.pairing import Pairs, Unit, find_pairs
from rnnlab.experiments.plan import Plan
from rnnlab.experiments.pooling import (
    Differences,
    mean_on_others,
    mean_on_these,
    mean_over_folds,
    pooled_deviation,
)
from rnnlab.experiments.records import Records
from rnnlab.experiments.statistics import (
    Mean,
    bias_correction,
    effect_size,
    estimate_mean,
    paired_mean,
)
from rnnlab.experiments.texts import FEWEST


@dataclass(frozen=True)
class Evidence:
    """What is known about one comparison, on the scale on which its figures are compared."""

    settings: ComparisonSettings
    pairs: int
    unit: Unit
    left_out: str
    survivors: bool
    own: float | None
    """Mean of the variant; None without any pair."""
    against: float | None
    """Mean of what it is compared with."""
    difference: Mean | None
    """None if there are too few pairs for a test."""
    effect_size: float | None
    about: str = ""
    over: str = ""
    """Number of texts, in words."""
    lacks: str = ""
    """Why there is no test; empty if one seed is the reason."""

    @property
    def is_testable(self) -> bool:
        """Whether a test can be made, and would mean something."""
        return self.difference is not None and not self.survivors


def on_one_text(records: Records, settings: ComparisonSettings) -> Evidence:
    """Return what the records of one text say; see `find_pairs`."""
    return _of_pairs(settings, find_pairs(records, settings))


def _of_pairs(settings: ComparisonSettings, pairs: Pairs) -> Evidence:
    count, differences = len(pairs.values), pairs.differences
    return Evidence(
        settings, count, pairs.unit, pairs.left_out, pairs.survivors,
        estimate_mean(pairs.values).mean if count else None,
        estimate_mean(pairs.against).mean if count else None,
        paired_mean(differences) if count > 1 else None,
        effect_size(differences) if count else None,
    )  # fmt: skip


def over_texts(records: Records, settings: ComparisonSettings) -> Evidence:
    """Return what the records of several texts say together.

    Each text counts alike, however many seeds it has. A text without any pair is left out. Nothing
    is tested if any run diverged on any text.
    """
    by_text = {name: find_pairs(on, settings) for name, on in records.on_texts.items()}
    usable = [pairs for pairs in by_text.values() if pairs.values]
    differences = [pairs.differences for pairs in usable]
    left_out = "; ".join(f"{name}: {p.left_out}" for name, p in by_text.items() if p.left_out)
    pool, lacks, size = _rule(records.plan, differences)
    return Evidence(
        settings, sum(map(len, differences)), "seed", left_out,
        any(pairs.survivors for pairs in by_text.values()),
        _mean_of_means([pairs.values for pairs in usable]),
        _mean_of_means([pairs.against for pairs in usable]),
        None if lacks else pool(differences),
        size(differences) if differences else None,
        about_words(records.plan), counted(len(usable), text_word(records.plan)), lacks,
    )  # fmt: skip


def _rule(
    plan: Plan, differences: Differences
) -> tuple[Callable[[Differences], Mean], str, Callable[[Differences], float | None]]:
    """Return how to pool, why that cannot be done ("" if it can), and the effect size."""
    texts = len(differences)
    what = text_word(plan)
    if plan.scope == "texts like these":
        lacks = ""
        if texts < FEWEST:
            lacks = (
                f"figures of {counted(texts, what)} are not enough for a test, which needs {FEWEST}"
            )
        folds = plan.settings.folds
        pool = partial(mean_over_folds, ratio=size_ratio(plan)) if folds else mean_on_others
        return pool, lacks, lambda d: effect_size([estimate_mean(own).mean for own in d])
    lacks = ""
    if not texts or min(map(len, differences)) < 2:
        lacks = f"one seed on a {what} is not enough for a test about these {what}s"
    return mean_on_these, lacks, _effect_within


def size_ratio(plan: Plan) -> float:
    """Return the size of a fold over that of its training text."""
    return 1 / ((plan.settings.folds - 1) * train_share(plan))


def train_share(plan: Plan) -> float:
    """Return the share of what a fold leaves that is training text."""
    return outside_fold(plan.base.data.split, plan.base.data.held_out_names)[0]


def text_word(plan: Plan) -> str:
    """Return what the texts of a plan are called."""
    return "fold" if plan.settings.folds else "text"


def about_words(plan: Plan) -> str:
    """Say what verdicts are about; empty if there is one text."""
    if not plan.settings.folds:
        return plan.scope
    return "text like this" if plan.scope == "texts like these" else "these folds"


def _effect_within(differences: Differences) -> float | None:
    """Return the mean over the deviation within texts, with Hedges' correction."""
    freedom = sum(len(own) - 1 for own in differences)
    deviation = pooled_deviation(differences)
    if freedom < 2 or not deviation:
        return None
    mean = _mean_of_means(differences) or 0.0
    return bias_correction(freedom) * mean / deviation


def _mean_of_means(values: Sequence[Sequence[float]]) -> float | None:
    means = [estimate_mean(own).mean for own in values]
    return math.fsum(means) / len(means) if means else None
