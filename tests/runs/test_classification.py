"""What a classification is made of; the command is tested in test_sample_runs.py."""

import numpy as np
import pytest

from rnnlab.data.labelled_tokenizer import label_character
from rnnlab.runs.classification import Classification, labelled_samples, share_with_interval


def test_a_sample_that_has_lost_its_label_is_left_out() -> None:
    """The end of a long text begins anywhere."""
    one, two = label_character(0), label_character(2)
    samples, numbers = labelled_samples(f"ut off\n{two}anna\n{one}ben b\n")
    assert samples == ["anna", "ben b"]
    assert numbers.tolist() == [2, 0]


def test_the_lead_is_a_mean_of_paired_differences() -> None:
    targets, rng = np.array([0, 1, 1, 0, 1] * 20), np.random.default_rng(0)
    chosen = np.where(rng.random(100) < 0.8, targets, 1 - targets)
    baseline = np.where(rng.random(100) < 0.6, targets, 1 - targets)
    found = Classification("test", ["a", "b"], targets, np.eye(2)[chosen], 1.0, baseline, 3, 0.6)
    gains = (chosen == targets).astype(float) - (baseline == targets)
    lead, half = found.lead()
    assert (lead, half) == pytest.approx((gains.mean(), 1.96 * gains.std() / 10))
    assert found.confusion.sum() == 100
    assert np.trace(found.confusion) == (chosen == targets).sum()


def test_the_interval_of_a_share_is_wilsons() -> None:
    n, k, z = 50, 47, 1.959964
    middle = (k + z * z / 2) / (n + z * z)
    half = z / (n + z * z) * np.sqrt(k * (n - k) / n + z * z / 4)
    found = share_with_interval(k, n)
    assert (found["low"], found["high"]) == pytest.approx((middle - half, middle + half), rel=1e-4)
