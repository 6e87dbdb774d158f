"""The state of a network after each token of a text, and the two halves of the text.

Legend: N tokens, P parts of the state (h, c), L layers, H hidden size.
"""

from typing import NamedTuple, Self

import numpy as np

from rnnlab.errors import CorpusError
from rnnlab.lm.activations import WARM_UP
from rnnlab.lm.evaluate import ShareCallback, unwatched
from rnnlab.lm.sampling import not_finite
from rnnlab.probes.reading import Reading
from rnnlab.probes.traces import Values, traces


def states(reading: Reading, progress: ShareCallback = unwatched) -> Values:
    """Return the state after each token (N, P, L, H), parts in the order of the cell's.

    It takes 4 · N · P · L · H bytes. Raises DivergenceError if a value is NaN or infinite.
    """
    names = reading.model.model.recurrent.cell.state_names
    parts = [np.stack([part[name] for name in names], axis=1) for part in traces(reading, progress)]
    found = np.concatenate(parts)
    if not np.isfinite(found).all():
        raise not_finite()
    return found


class Halves(NamedTuple):
    """Two contiguous parts of a text: something is chosen or fitted on one, tested on the other."""

    train: slice
    test: slice

    @classmethod
    def of(cls, tokens: int, gap: int, least: int) -> Self:
        """Cut a text in two halves, without the first WARM_UP tokens and `gap` between the halves.

        Raises CorpusError if a half has fewer than `least` tokens.
        """
        half = (tokens - WARM_UP - gap) // 2
        if half < least:
            raise CorpusError(
                f"a text of {tokens:,} tokens is too short to test a finding on a part of its own; "
                f"it needs {WARM_UP + gap + 2 * least:,}"
            )
        return cls(slice(WARM_UP, WARM_UP + half), slice(tokens - half, tokens))
