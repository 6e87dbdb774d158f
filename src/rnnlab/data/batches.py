"""Token ids become batches for truncated backpropagation through time.

Both kinds hand out pairs (inputs, targets) of shape (T, B), time first, where every target is its
input shifted by one, and no token is a target twice in an epoch. Source: Zhang et al., Dive into
Deep Learning, section 9.3 of release 0.17 ("random sampling" and "sequential partitioning").
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from rnnlab.data.char_tokenizers import Ids
from rnnlab.data.shuffle import shuffled
from rnnlab.data.token_file import released
from rnnlab.errors import CorpusError


@dataclass(frozen=True)
class Batches(ABC):
    """The batches of one split."""

    ids: npt.NDArray[Any]  # (N,) of any integer type, also a memory map; batches are int64
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
        pairs = ((_turned(inputs[:, part]), _turned(targets[:, part])) for part in parts)
        return count, released(pairs, self.ids)


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
        order = shuffled(rng, windows)
        count = windows // self.batch_size
        steps = offset + np.arange(self.num_steps)[:, None]
        chosen = (
            order(k * self.batch_size, (k + 1) * self.batch_size) for k in range(first, count)
        )
        positions = (steps + self.num_steps * some for some in chosen)  # (T, B)
        pairs = ((_whole(self.ids[where]), _whole(self.ids[where + 1])) for where in positions)
        return count, released(pairs, self.ids)


def _turned(rows: npt.NDArray[Any]) -> Ids:
    """(B, T) as (T, B), contiguous."""
    return np.ascontiguousarray(rows.T, np.int64)


def _whole(batch: npt.NDArray[Any]) -> Ids:
    return batch.astype(np.int64, copy=False)


BATCH_KINDS: dict[str, type[Batches]] = {"sequential": SequentialBatches, "random": RandomBatches}
