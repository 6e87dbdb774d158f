import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnlab.data.shuffle import MOST_IN_MEMORY, shuffled

moderate = settings(max_examples=150, derandomize=True)


@given(count=st.integers(1, 5000), seed=st.integers(0, 2**32 - 1), most=st.sampled_from([0, 10**6]))
@moderate
def test_every_number_comes_once(count: int, seed: int, most: int) -> None:
    order = shuffled(np.random.default_rng(seed), count, most)
    assert np.array_equal(np.sort(order(0, count)), np.arange(count))


@given(count=st.integers(1, 5000), cut=st.integers(0, 5000), most=st.sampled_from([0, 10**6]))
@moderate
def test_a_part_is_that_of_the_whole(count: int, cut: int, most: int) -> None:
    order = shuffled(np.random.default_rng(1), count, most)
    parts = [order(0, cut), order(min(cut, count), count)]
    assert np.array_equal(np.concatenate(parts), order(0, count))
    assert all(part.dtype == np.int64 for part in parts)


def test_a_short_order_is_the_permutation_of_numpy() -> None:
    rng, same = np.random.default_rng(3), np.random.default_rng(3)
    assert np.array_equal(shuffled(rng, 1000)(0, 1000), same.permutation(1000))
    assert rng.bit_generator.state == same.bit_generator.state


def test_a_long_order_is_computed_where_it_is_asked_for() -> None:
    count = 2**52 + 1
    order = shuffled(np.random.default_rng(0), count)
    first, last = order(0, 1000), order(count - 1000, count)
    together = np.concatenate([first, last])
    assert len(np.unique(together)) == 2000
    assert together.min() >= 0
    assert together.max() < count
    assert count > MOST_IN_MEMORY


@pytest.mark.parametrize("count", [4097, 5000, 65_536])
def test_a_computed_order_looks_like_a_drawn_one(count: int) -> None:
    """Over 200 seeds: where a number lands, and what comes after it, is spread evenly."""
    orders = np.stack([shuffled(np.random.default_rng(s), count, 0)(0, count) for s in range(200)])
    uniform = (count - 1) / 2
    for numbers in (orders[:, 0], orders[:, -1], (orders[:, 1] - orders[:, 0]) % count):
        # The mean of 200 uniform draws; 5 standard deviations.
        assert abs(numbers.mean() - uniform) < 5 * count / np.sqrt(12 * 200)
        assert len(np.unique(numbers)) > 150
    # A uniform order has one fixed point on average, and as many ascents as descents.
    assert abs((orders == np.arange(count)).sum(1).mean() - 1) < 5 / np.sqrt(200)
    ascents = (np.diff(orders, axis=1) > 0).mean()
    assert abs(ascents - 0.5) < 5 / np.sqrt(12 * count * 200)
