"""How often an experiment gives a false verdict, simulated.

Variants' true differences from v0 are in units of a run's noise: 0.01 bits, 1% of perplexity.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from made_up_comparisons import BITS, PERPLEXITY, plan, records
from numpy.typing import NDArray

from rnnlab.experiments.comparison import ClaimVerdict
from rnnlab.experiments.verdicts import judge_claims

EXPERIMENTS = 1000
NOTHING_DIFFERS = [
    {"variant": "v1", "outcome": BITS, "expect": "lower"},
    {"variant": "v1", "outcome": PERPLEXITY, "expect": "higher"},
    {"variant": "v2", "outcome": BITS, "expect": "different"},
    {"variant": "v2", "outcome": PERPLEXITY, "expect": "lower", "margin": 1.0},
    {"variant": "v3", "outcome": BITS, "expect": "higher"},
    {"variant": "v3", "outcome": PERPLEXITY, "expect": "different"},
]
SOME_DIFFER = [  # v1 by 10, v2 not, v3 by 3
    {"variant": "v1", "outcome": BITS, "expect": "lower"},
    {"variant": "v1", "outcome": PERPLEXITY, "expect": "higher", "margin": 1.01},
    {"variant": "v2", "outcome": BITS, "expect": "different"},
    {"variant": "v2", "outcome": PERPLEXITY, "expect": "lower"},
    {"variant": "v3", "outcome": BITS, "expect": "equivalent", "margin": 0.0299},
    {"variant": "v3", "outcome": PERPLEXITY, "expect": "higher", "margin": math.exp(0.03)},
]
FALSE_WHERE_SOME_DIFFER = [
    ("supported",), ("contradicted",), ("supported",), ("supported", "contradicted"),
    ("supported",), ("supported", "contradicted"),
]  # fmt: skip


def simulate(
    comparisons: Sequence[dict[str, Any]], gaps: Sequence[float], experiments: int, seed: int
) -> list[list[ClaimVerdict]]:
    """Judge experiments of six seeds, where the seed changes all variants alike as well."""
    rng = np.random.default_rng(seed)

    def outcomes() -> NDArray[np.float64]:  # (experiments, variants, seeds)
        of_the_seed = rng.normal(0, 0.02, (experiments, 1, 6))
        of_the_run = rng.normal(0, 0.01, (experiments, len(gaps), 6))
        return of_the_seed + of_the_run + 0.01 * np.array(gaps)[:, None]

    made = plan(comparisons, variants=len(gaps))
    names = [variant.name for variant in made.variants]
    bits, perplexities = (2.0 + outcomes()).tolist(), np.exp(0.1 + outcomes()).tolist()
    return [
        judge_claims(
            records(
                made,
                {
                    name: {BITS: bits[e][v], PERPLEXITY: perplexities[e][v]}
                    for v, name in enumerate(names)
                },
            )
        )
        for e in range(experiments)
    ]


def test_null_experiments_give_a_false_verdict_in_at_most_5_percent() -> None:
    """If nothing differs, both supported and contradicted are false."""
    experiments = simulate(NOTHING_DIFFERS, [0, 0, 0, 0], EXPERIMENTS, seed=1979)
    false = sum(any(claim.verdict != "not shown" for claim in claims) for claims in experiments)
    assert 0.03 * EXPERIMENTS < false <= 0.05 * EXPERIMENTS


def test_experiments_with_some_differences_give_a_false_verdict_in_at_most_5_percent() -> None:
    experiments = simulate(SOME_DIFFER, [0, 10, 0, 3], EXPERIMENTS, seed=1979)
    false = sum(
        any(
            claim.verdict in is_false
            for claim, is_false in zip(claims, FALSE_WHERE_SOME_DIFFER, strict=True)
        )
        for claims in experiments
    )
    assert 0.02 * EXPERIMENTS < false <= 0.05 * EXPERIMENTS
    for i, verdict in ((0, "contradicted"), (1, "supported")):
        assert sum(claims[i].verdict == verdict for claims in experiments) > 0.95 * EXPERIMENTS
