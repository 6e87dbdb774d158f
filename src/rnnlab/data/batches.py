"""Token ids become batches for truncated backpropagation through time.

All kinds yield pairs (inputs, targets) of shape (T, B), time first. Targets are the inputs shifted
by one, and no token is a target twice in an epoch. Source: Zhang et al., Dive into Deep Learning,
section 9.3 of release 0.17 ("random sampling" and "sequential partitioning").
"""

import mmap
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from rnnlab.data.base_tokenizer import Ids
from rnnlab.errors import CorpusError

MOST_ORDERED_IN_MEMORY = 2**22
"""A longer order of windows is computed, not stored: eight bytes each would grow with the text."""

FEISTEL_ROUNDS = 6

FAULT_BYTES = 2**16
"""How much the system maps at most around a byte that is read."""

MOST_MAPPED_BYTES = 2**26
"""How much batches may leave mapped, since the system counts it as memory of this process."""


@dataclass(frozen=True)
class Batches(ABC):
    """The batches of one split."""

    ids: npt.NDArray[Any]  # (N,) of any integer type, maybe memory-mapped; batches are int64
    batch_size: int
    num_steps: int

    carries_state: ClassVar[bool]
    """Whether row b of batch k+1 continues row b of batch k."""

    def __post_init__(self) -> None:
        """Raise CorpusError if some offset would leave an epoch without a batch."""
        needed = self.batch_size * self.num_steps + self._largest_offset + 1
        if len(self.ids) < needed:
            raise CorpusError(
                f"text too short: batch_size {self.batch_size} x num_steps {self.num_steps} needs "
                f"a training split of at least {needed} tokens, not {len(self.ids)}; use a longer "
                "text, or a smaller --batch-size or --num-steps"
            )

    @property
    @abstractmethod
    def _largest_offset(self) -> int:
        """The largest random number of tokens that an epoch leaves out at the start."""

    @abstractmethod
    def epoch(
        self, rng: np.random.Generator, first: int = 0
    ) -> tuple[int, Iterator[tuple[Ids, Ids]]]:
        """Begin a pass over the text: return the number of batches, and those from `first` on.

        All random numbers are drawn from `rng` before this returns.
        """

    def fresh_rows(self, batch: int) -> npt.NDArray[np.bool_] | None:
        """Return which rows (B,) of a batch of an epoch begin a document; None if none can.

        There the state starts at zero, also where it is carried in general.
        """
        return None


class SequentialBatches(Batches):
    """The text cut into B long rows that are read in parallel; the state is carried along a row.

    An epoch starts at a random offset of 0 .. T tokens, so that windows differ between epochs.
    """

    carries_state = True

    @property
    def _largest_offset(self) -> int:
        return self.num_steps

    def epoch(
        self, rng: np.random.Generator, first: int = 0
    ) -> tuple[int, Iterator[tuple[Ids, Ids]]]:
        """See `Batches.epoch`."""
        start = int(rng.integers(0, self.num_steps + 1))
        row = (len(self.ids) - start - 1) // self.batch_size
        end = start + row * self.batch_size
        inputs = self.ids[start:end].reshape(self.batch_size, row)
        targets = self.ids[start + 1 : end + 1].reshape(self.batch_size, row)
        count = row // self.num_steps
        parts = (slice(k * self.num_steps, (k + 1) * self.num_steps) for k in range(first, count))
        pairs = ((_time_first(inputs[:, part]), _time_first(targets[:, part])) for part in parts)
        return count, _unmapped_after_use(pairs, self.ids)


class RandomBatches(Batches):
    """Windows of T tokens without overlap, in random order; every batch starts from zero state.

    An epoch starts at a random offset of 0 .. T-1 tokens.
    """

    carries_state = False

    @property
    def _largest_offset(self) -> int:
        return self.num_steps - 1

    def epoch(
        self, rng: np.random.Generator, first: int = 0
    ) -> tuple[int, Iterator[tuple[Ids, Ids]]]:
        """See `Batches.epoch`."""
        offset = int(rng.integers(0, self.num_steps))
        windows = (len(self.ids) - offset - 1) // self.num_steps
        order = shuffled(rng, windows)
        count = windows // self.batch_size
        steps = offset + np.arange(self.num_steps)[:, None]
        chosen = (
            order(k * self.batch_size, (k + 1) * self.batch_size) for k in range(first, count)
        )
        positions = (steps + self.num_steps * some for some in chosen)  # (T, B)
        pairs = ((_int64(self.ids[where]), _int64(self.ids[where + 1])) for where in positions)
        return count, _unmapped_after_use(pairs, self.ids)


@dataclass(frozen=True)
class DocumentBatches(Batches):
    """Windows that lie within documents; the state starts at zero where a document does.

    Each document is cut into windows of T tokens, one after another. The windows of all documents
    make B rows of equal length. An epoch starts in each document at a random offset, of as many
    tokens as are left over, so that no token is always left out. Up to T - 1 tokens are left out of
    each document; one of fewer than T is not read.
    """

    documents: tuple[int, ...] = (0,)
    """Where documents begin in `ids`, the first at 0."""

    carries_state = True

    def __post_init__(self) -> None:
        """Raise CorpusError if there are fewer windows than rows."""
        if self._windows < self.batch_size:
            raise CorpusError(
                f"documents too short: of their {self._windows} windows of num_steps "
                f"{self.num_steps} tokens, batch_size {self.batch_size} makes no batch; use longer "
                "texts, a smaller --batch-size or --num-steps, or --document-state carried"
            )

    @property
    def _largest_offset(self) -> int:
        return 0

    @property
    def _lengths(self) -> Ids:
        """The inputs in each document (D,): the last token of all is a target only."""
        return np.diff([*self.documents, len(self.ids) - 1])

    @property
    def _windows(self) -> int:
        return int((self._lengths // self.num_steps).sum())

    def _rows(self, windows: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Arrange a value for each window into rows: (W,) -> (B, W // B)."""
        count = len(windows) // self.batch_size
        return windows[: count * self.batch_size].reshape(self.batch_size, count)

    def fresh_rows(self, batch: int) -> npt.NDArray[np.bool_] | None:
        """See `Batches.fresh_rows`."""
        fresh: npt.NDArray[np.bool_] = self._rows(self._places)[:, batch] == 0
        return fresh

    @cached_property
    def _places(self) -> Ids:
        """For each window (W,), how many windows of its document are before it."""
        counts = self._lengths // self.num_steps
        return np.arange(counts.sum()) - np.repeat(counts.cumsum() - counts, counts)

    def epoch(
        self, rng: np.random.Generator, first: int = 0
    ) -> tuple[int, Iterator[tuple[Ids, Ids]]]:
        """See `Batches.epoch`."""
        counts, left = np.divmod(self._lengths, self.num_steps)
        begins = np.array(self.documents) + rng.integers(0, left, endpoint=True)
        starts = np.repeat(begins, counts) + self.num_steps * self._places
        rows = self._rows(starts)  # (B, number of batches)
        steps = np.arange(self.num_steps)[:, None]
        positions = (steps + rows[:, k] for k in range(first, rows.shape[1]))  # (T, B)
        pairs = ((_int64(self.ids[where]), _int64(self.ids[where + 1])) for where in positions)
        return rows.shape[1], _unmapped_after_use(pairs, self.ids)


LONG_SAMPLE = 0.1
"""A sample that takes a larger share of a row would leave the other rows too short."""


@dataclass(frozen=True)
class SampleBatches(Batches):
    """Samples in random order, one after another in each of B rows, without padding.

    A sample is `start` and what follows up to the next `start`, which is its end and not the
    beginning of the next one. The state is carried along a row, and the model resets it at each
    `start`. A row begins with a sample, and what the other rows are longer than the shortest is
    left out of the epoch. If a sample is very long, rows are cut anywhere instead.
    """

    start: int = 0

    carries_state = True

    @property
    def _largest_offset(self) -> int:
        return self.batch_size * self.num_steps // 4  # so that the shortest row has a batch

    @cached_property
    def _begins(self) -> Ids:
        """Where samples begin (S,), and where the last one ends."""
        return np.flatnonzero(np.asarray(self.ids) == self.start)

    def epoch(
        self, rng: np.random.Generator, first: int = 0
    ) -> tuple[int, Iterator[tuple[Ids, Ids]]]:
        """See `Batches.epoch`."""
        lengths = np.diff(self._begins)
        order = rng.permutation(len(lengths))
        begins = self._begins[order]
        places = np.concatenate([[0], lengths[order].cumsum()])  # of samples in this epoch
        rows = np.arange(self.batch_size + 1) * places[-1] // self.batch_size
        if lengths.max() <= LONG_SAMPLE * rows[1]:
            rows = places[np.searchsorted(places, rows)]
        count = int(np.diff(rows).min()) // self.num_steps
        steps = np.arange(self.num_steps)[:, None]

        def positions(batch: int) -> Ids:  # (T, B)
            wanted = rows[:-1] + batch * self.num_steps + steps
            sample = np.searchsorted(places, wanted, "right") - 1
            found: Ids = begins[sample] + wanted - places[sample]
            return found

        parts = map(positions, range(first, count))
        pairs = ((_int64(self.ids[where]), _int64(self.ids[where + 1])) for where in parts)
        return count, _unmapped_after_use(pairs, self.ids)


def _time_first(rows: npt.NDArray[Any]) -> Ids:
    """Return (B, T) as (T, B), contiguous int64."""
    return np.ascontiguousarray(rows.T, np.int64)


def _int64(batch: npt.NDArray[Any]) -> Ids:
    return batch.astype(np.int64, copy=False)


def without(ids: npt.NDArray[Any], parts: Sequence[slice]) -> npt.NDArray[Any]:
    """Return ids (N,) without parts of them, which are in order; a view if it is the beginning."""
    begins = [0, *(part.stop for part in parts)]
    ends = [*(part.start for part in parts), len(ids)]
    rest = [ids[a:b] for a, b in zip(begins, ends, strict=True) if a < b]
    return rest[0] if len(rest) == 1 else np.concatenate(rest)


def shuffled(
    rng: np.random.Generator, count: int, most_in_memory: int = MOST_ORDERED_IN_MEMORY
) -> Callable[[int, int], Ids]:
    """Draw an order of 0 .. count-1; return a function from (start, end) to that part of it.

    An order of more than `most_in_memory` numbers is a Feistel network keyed by `rng`: a bijection
    of 4^k numbers, applied again to those that it maps beyond `count` (Black and Rogaway, Ciphers
    with arbitrary finite domains, 2002). Not every order can come up, since there are only 6 keys
    of 64 bits, but a number says nothing about its neighbours.
    """
    if count <= most_in_memory:
        order = rng.permutation(count)
        return lambda start, end: order[start:end]
    half = np.uint64(-(-(count - 1).bit_length() // 2))
    mask = (np.uint64(1) << half) - np.uint64(1)
    keys = rng.integers(0, 2**64, FEISTEL_ROUNDS, np.uint64)

    def permuted(numbers: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
        left, right = numbers >> half, numbers & mask
        for key in keys:
            left, right = right, left ^ (_mixed(right ^ key) & mask)
        return (left << half) | right

    def part(start: int, end: int) -> Ids:
        numbers = permuted(np.arange(start, min(end, count), dtype=np.uint64))
        while (beyond := numbers >= count).any():
            numbers[beyond] = permuted(numbers[beyond])
        return numbers.astype(np.int64)

    return part


def _mixed(numbers: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Spread every bit over all bits (end of SplitMix64, Steele et al. 2014, figure 16)."""
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return numbers ^ (numbers >> np.uint64(31))


def _unmapped_after_use(
    batches: Iterator[tuple[Ids, Ids]], ids: npt.NDArray[Any]
) -> Iterator[tuple[Ids, Ids]]:
    """Yield batches (T, B) that are read from `ids`, and unmap what was read if `ids` are mapped.

    The system keeps the file in its cache, so that mapping it again costs almost nothing.
    """
    mapping = getattr(ids, "_mmap", None)
    mapped_bytes = 0
    for inputs, targets in batches:
        yield inputs, targets
        if mapping is not None:
            steps, rows = inputs.shape
            mapped_bytes += rows * (FAULT_BYTES + steps * ids.itemsize)
            if mapped_bytes > MOST_MAPPED_BYTES and hasattr(mmap, "MADV_DONTNEED"):
                mapping.madvise(mmap.MADV_DONTNEED)
                mapped_bytes = 0


BATCH_KINDS: dict[str, type[Batches]] = {"sequential": SequentialBatches, "random": RandomBatches}
