"""What was tried and left out: the parts of it that could be wrong."""

import sys
from collections import Counter
from pathlib import Path

import numpy as np
import torch

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))

from left_out import IDEAS, LENGTHS, Network, joined, log_ngrams, ngram_numbers, orthogonalised


def test_ngrams_are_numbered_by_what_they_are_if_seen_often_enough() -> None:
    text, trained, least = np.random.default_rng(0).integers(0, 3, 200), 120, 4
    numbers, sizes = ngram_numbers(text, trained, 3, least)
    for column, length in enumerate(LENGTHS):
        own = [tuple(text[end - length : end]) for end in range(length, len(text) + 1)]
        counts = Counter(own[: trained - length + 1])
        found = numbers[length - 1 :, column]
        assert not numbers[: length - 1, column].any()
        for ngram, number in zip(own, found, strict=True):
            assert (number > 0) == (counts[ngram] >= least)
        pairs = {(n, k) for n, k in zip(own, found, strict=True) if k}
        assert len(pairs) == len({n for n, _ in pairs}) == len({k for _, k in pairs})
        assert max(found) < sizes[column]


def test_an_orthogonalised_matrix_keeps_its_directions_and_evens_their_lengths() -> None:
    matrix = torch.randn(24, 24, generator=torch.Generator().manual_seed(0))
    found = orthogonalised(matrix)
    left, _, right = torch.linalg.svd(matrix)
    inside = left.T @ found @ right.T
    torch.testing.assert_close(inside, torch.diag(inside.diag()), atol=1e-4, rtol=0)
    assert inside.diag().sort().values[3:].min() > 0.5
    assert inside.diag().max() < 1.3


def test_without_ngrams_the_network_has_only_the_characters() -> None:
    network, numbers = Network(3, []), torch.ones(5, 2, 4, dtype=torch.int64)
    x = torch.randint(3, (5, 2), generator=torch.Generator().manual_seed(0))
    network.eval()
    torch.testing.assert_close(network(x, numbers, None)[0], network(x, 0 * numbers, None)[0])


def test_what_is_added_to_the_logits_is_predicted_from_other_parts() -> None:
    text = np.random.default_rng(0).integers(0, 3, 800)
    other = text.copy()
    other[350:400] = 1  # the second half of the fourth of eight parts
    found, changed = (
        log_ngrams(each, 3, IDEAS["residual"]).astype(float) / IDEAS["residual"].residual
        for each in (text, other)
    )
    np.testing.assert_allclose(np.exp(found).sum(1), 1, rtol=1e-2)
    assert (found[300:350] == changed[300:350]).all()
    assert (found[:300] != changed[:300]).mean() > 0.5
    assert log_ngrams(text, 3, IDEAS["plain"]).shape == (800, 1)


def test_probabilities_are_multiplied_and_made_to_sum_to_one() -> None:
    p, q = np.random.default_rng(0).dirichlet(np.ones(5), (2, 7))
    expected = p * q**0.6
    found = joined(np.log(p), np.log(q), 0.6)
    np.testing.assert_allclose(np.exp(found), expected / expected.sum(1, keepdims=True))
