"""The limit for one more untrained network, against scipy's t and by simulation."""

import numpy as np
import pytest
from scipy.stats import binom, t

from rnnlab.probes.twin_limit import twin_limit, twin_limit_of_correlations


def test_the_limit_is_that_of_the_formula():
    best = np.array([[0.1, 0.5], [0.2, 0.5], [0.15, 0.5]])
    spread = best[:, 0].std(ddof=1)
    expected = 0.15 + t(2).ppf(1 - 0.05 / 2) * spread * (1 + 1 / 3) ** 0.5
    assert twin_limit(best) == pytest.approx([expected, 0.5])
    of_r = twin_limit_of_correlations(best)
    assert of_r == pytest.approx(np.tanh(twin_limit(np.arctanh(best))))
    assert twin_limit_of_correlations(np.ones((2, 1))) == pytest.approx([1])


def test_one_more_exceeds_it_in_any_feature_in_one_of_twenty_cases():
    random, tries = np.random.default_rng(0), 2000
    values = random.normal(size=(tries, 6, 8))  # 5 twins and one more, 8 features
    beyond = sum((case[5] > twin_limit(case[:5])).any() for case in values)
    assert binom.ppf(0.001, tries, 0.04) < beyond < binom.ppf(0.999, tries, 0.05)
