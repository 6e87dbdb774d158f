"""Token ids become batches for truncated backpropagation through time.

Both kinds hand out pairs (inputs, targets) of shape (T, B), time first, where every target is its
input shifted by one, and no token is a target twice in an epoch. Source: Zhang et al., Dive into
Deep Learning, section 9.3 of release 0.17 ("random sampling" and "sequential partitioning").
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from rnnlab.data.tokenizer import Ids
from rnnlab.errors import CorpusError


@dataclass(frozen=True)
class Batches(ABC):
    """The batches of one split."""

    ids: Ids  # (N,)
    batch_size: int
    num_steps: int

    carries_state: ClassVar[bool]
    """Whether row b of batch k+1 continues row b of batch k."""

    def __post_init__(self) -> None:
        """Refuse a text that could leave an epoch without a batch, whatever its offset."""
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
        """The largest random number of tokens left out at the start of an epoch."""

    @abstractmethod
    def epoch(
        self, rng: np.random.Generator, first: int = 0
    ) -> tuple[int, Iterator[tuple[Ids, Ids]]]:
        """One pass over the text: the number of batches, and those from number `first` on.

        All that is random is drawn from `rng` before this returns.
        """


class SequentialBatches(Batches):
    """The text cut into B long rows that are read side by side, the state carried along them.

    An epoch starts at a random offset of 0 .. T tokens, so that windows begin elsewhere each time.
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
        return count, ((_turned(inputs[:, part]), _turned(targets[:, part])) for part in parts)


class RandomBatches(Batches):
    """Windows of T tokens that do not overlap, in random order; every batch starts from zero state.

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
        starts = offset + self.num_steps * rng.permutation(windows)
        count = windows // self.batch_size
        steps = np.arange(self.num_steps)[:, None]
        chosen = (
            starts[k * self.batch_size : (k + 1) * self.batch_size] for k in range(first, count)
        )
        positions = (steps + some for some in chosen)  # (T, B)
        return count, ((self.ids[where], self.ids[where + 1]) for where in positions)


def _turned(rows: Ids) -> Ids:
    """(B, T) as (T, B), contiguous."""
    return np.ascontiguousarray(rows.T)


KINDS: dict[str, type[Batches]] = {"sequential": SequentialBatches, "random": RandomBatches}
