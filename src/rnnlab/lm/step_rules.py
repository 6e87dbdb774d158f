"""What the tokens of a text that is being written mean for the next one.

Legend: B texts next to each other, V vocabulary size.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnnlab.config import GenerationSettings
from rnnlab.lm.matching import Matching


class StepRules:
    """Follows B texts token by token; see `sampling.choose_tokens` for what it decides."""

    def __init__(
        self,
        settings: GenerationSettings,
        B: int,
        V: int,
        matching: Matching | None,
        bias: Mapping[int, float] | None = None,
    ) -> None:
        """Matching: of texts that begin with the B prefixes in order, or all with the same.

        bias: what is added to the logits of some tokens.
        """
        self.matching = matching
        self.bias: NDArray[np.float32] | None = None
        if bias:
            self.bias = np.zeros(V, np.float32)
            self.bias[[*bias]] = [*bias.values()]
        self.written = np.zeros((B, V), np.bool_)
        """Which tokens each text has, without its prefix."""
        self.left = [settings.length] * B
        """How many more tokens may be written."""
        starts = matching.starts if matching else []
        self.states = starts * B if len(starts) == 1 else list(starts)
        self._ended = [False] * B
        self._end_what_cannot_go_on(range(B))

    @property
    def all_ended(self) -> bool:
        """Whether nothing more is written."""
        return all(self._ended)

    def ended(self, rows: Sequence[int]) -> list[int]:
        """Return those of some rows in which nothing more is written."""
        return [row for row in rows if self._ended[row]]

    def choice(self, rows: Sequence[int]) -> dict[str, Any]:
        """Return `written`, `bias` and `allowed` for the next token in some rows."""
        found: dict[str, Any] = {"written": self.written[list(rows)], "bias": self.bias}
        if self.matching:
            allowed = [self.matching.allowed(self.states[row], self.left[row]) for row in rows]
            found["allowed"] = np.stack(allowed)
        return found

    def note(self, rows: Sequence[int], tokens: Sequence[int]) -> None:
        """Take in one more token in some rows."""
        for row, token in zip(rows, tokens, strict=True):
            self.written[row, token] = True
            self.left[row] -= 1
            if self.matching:
                self.states[row] = self.matching.after(self.states[row], token)
        self._end_what_cannot_go_on(rows)

    def _end_what_cannot_go_on(self, rows: Sequence[int]) -> None:
        for row in rows:
            self._ended[row] = not self.left[row] or bool(
                self.matching and not self.matching.goes_on(self.states[row], self.left[row])
            )
