"""The numbers 0 .. N-1 in random order, of which any part can be had without the rest."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.int64]

MOST_IN_MEMORY = 2**22
"""From here on an order is computed, not kept: eight bytes a number would grow with the text."""

ROUNDS = 6


def shuffled(
    rng: np.random.Generator, count: int, most_in_memory: int = MOST_IN_MEMORY
) -> Callable[[int, int], Numbers]:
    """Draw an order of 0 .. count-1; returns a function from (start, end) to that part of it.

    Of more than `most_in_memory` the order is a Feistel network keyed by `rng`: a bijection of 4^k
    numbers, applied again and again to those that it takes beyond `count` (Black and Rogaway,
    Ciphers with arbitrary finite domains, 2002). It is no uniform choice among all orders, as 6
    keys of 64 bits cannot be, but one in which no number's neighbours tell anything.
    """
    if count <= most_in_memory:
        order = rng.permutation(count)
        return lambda start, end: order[start:end]
    half = np.uint64(-(-(count - 1).bit_length() // 2))
    mask = (np.uint64(1) << half) - np.uint64(1)
    keys = rng.integers(0, 2**64, ROUNDS, np.uint64)

    def permuted(numbers: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
        left, right = numbers >> half, numbers & mask
        for key in keys:
            left, right = right, left ^ (_mixed(right ^ key) & mask)
        return (left << half) | right

    def part(start: int, end: int) -> Numbers:
        numbers = permuted(np.arange(start, min(end, count), dtype=np.uint64))
        while (beyond := numbers >= count).any():
            numbers[beyond] = permuted(numbers[beyond])
        return numbers.astype(np.int64)

    return part


def _mixed(numbers: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Spread every bit over all (the finaliser of SplitMix64, Steele et al. 2014, figure 16)."""
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return numbers ^ (numbers >> np.uint64(31))
