"""What the last tokens tell of a feature, against a dictionary of contexts."""

import numpy as np
import pytest

from rnnlab.probes.ngram_features import contexts, ngram_means


def test_contexts_are_those_of_a_dictionary():
    ids = np.random.default_rng(0).integers(0, 3, 60)
    for k, groups in enumerate(contexts(ids, 4), start=1):
        own = [tuple(ids[max(0, t - k + 1) : t + 1]) for t in range(60)]
        pairs = set(zip(own, groups.tolist(), strict=True))
        assert len(pairs) == len(set(own)) == len(set(groups.tolist()))


@pytest.mark.parametrize("longest", [1, 3])
def test_means_are_those_of_a_loop(longest):
    random = np.random.default_rng(1)
    ids, y = random.integers(0, 4, 80), random.normal(size=(80, 2))
    train = slice(5, 50)
    found = ngram_means(ids, y, train, longest)
    for feature in range(2):
        for t in range(80):
            mean = y[train, feature].mean()
            for k in range(1, longest + 1):
                same = [
                    y[s, feature]
                    for s in range(5, 50)
                    if ids[max(0, s - k + 1) : s + 1].tolist()
                    == ids[max(0, t - k + 1) : t + 1].tolist()
                ]
                mean = (sum(same) + mean) / (len(same) + 1)
                assert found[k - 1, t, feature] == pytest.approx(mean, abs=1e-12)


def test_a_context_tells_all_of_what_it_decides():
    ids = np.random.default_rng(2).integers(0, 2, 4000)
    y = np.roll(ids, 2)[:, None].astype(float)  # two tokens ago
    _, two, three = ngram_means(ids, y, slice(2, 2000), 3)
    assert np.abs(two[2000:] - 0.5).max() < 0.1
    assert np.abs(three[2000:] - y[2000:]).max() < 0.01
