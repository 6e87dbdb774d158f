"""Experiments with made-up figures, for verdicts."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnnlab.experiments.comparison import ComparisonResult
from rnnlab.experiments.plan import Plan, make_plan
from rnnlab.experiments.records import Records, RunRecord
from rnnlab.experiments.verdicts import judge_claims

BITS, PERPLEXITY = "held_out_bits_per_character", "training_perplexity"
NOISE = [0.010, -0.013, 0.004, 0.011, -0.008, -0.004]
"""Noise of six seeds with mean 0."""


def plan(
    comparisons: Sequence[dict[str, Any]], seeds: int = 6, variants: int = 2, **keys: Any
) -> Plan:
    """Return a plan with a claim for each comparison, of variants v0 (the reference), v1, …"""
    content = {
        "question": "Which is best?",
        "base": {"corpus": "python-reference", "num_epochs": 1},
        "seeds": seeds,
        "phrases": ["a"],
        "variant": [
            {"name": f"v{i}", "change": {"hidden_size": 16 + i}} for i in range(variants)
        ],
        "claim": [
            {"comparison": [{"variant": "v1", "against": "v0", "outcome": BITS, **comparison}]}
            for comparison in comparisons
        ],
        **keys,
    }  # fmt: skip
    return make_plan(content, "made-up", "experiment.toml")


def records(plan: Plan, figures: dict[str, dict[str, Sequence[float]]]) -> Records:
    """Return finished runs with figures given as `variant: {outcome: one for each seed}`."""
    runs = [
        RunRecord(
            f"{run.variant}-{run.seed}", run.variant, run.seed, "finished",
            outcomes={name: v[run.seed] for name, v in figures[run.variant].items()},
        )
        for run in plan.runs
    ]  # fmt: skip
    return Records(plan, runs)


def compare(gap: float, spread: float = 1.0, **comparison: Any) -> ComparisonResult:
    """Compare two variants that differ by `gap`: a difference in bits, or a ratio."""
    outcome = comparison.setdefault("outcome", BITS)
    noise = spread * np.array(NOISE)
    reference = 2.0 + np.array([0.3, 0.1, -0.2, 0.05, -0.1, -0.15])
    variant = reference * gap * np.exp(noise) if outcome == PERPLEXITY else reference + gap + noise
    figures = {"v0": {outcome: list(reference)}, "v1": {outcome: list(variant)}}
    return judge_claims(records(plan([comparison]), figures))[0].compared[0]


def plan_on_texts(
    comparisons: Sequence[dict[str, Any]],
    texts: int,
    seeds: int = 6,
    variants: int = 2,
    **keys: Any,
) -> Plan:
    """Return such a plan with texts t0, t1, …, or with as many folds if `folds` is given."""
    named = [{"name": f"t{i}", "change": {"corpus_limit": 1000 + i}} for i in range(texts)]
    return plan(
        comparisons, seeds, variants, **({} if "folds" in keys else {"texts": named}), **keys
    )


def records_on_texts(plan: Plan, figures: NDArray[np.float64], outcome: str = BITS) -> Records:
    """Return finished runs; figures: (variants, texts, seeds), runs of NaN are missing."""
    variants = [variant.name for variant in plan.variants]
    texts = [text.name for text in plan.texts]
    runs = []
    for run in plan.runs:
        value = float(figures[variants.index(run.variant), texts.index(run.text), run.seed])
        done = np.isfinite(value)
        runs.append(
            RunRecord(
                f"{run.variant}-{run.text}-{run.seed}", run.variant, run.seed,
                "finished" if done else "missing",
                outcomes={outcome: value} if done else {}, text=run.text,
            )
        )  # fmt: skip
    return Records(plan, runs)


def compared_on_texts(
    plan: Plan, figures: NDArray[np.float64], outcome: str = BITS
) -> list[ComparisonResult]:
    """Judge figures as `records_on_texts` takes them; return the first comparison of each claim."""
    return [claim.compared[0] for claim in judge_claims(records_on_texts(plan, figures, outcome))]
