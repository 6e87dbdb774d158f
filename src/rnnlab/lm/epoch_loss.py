"""The mean training loss of an epoch, from which the training perplexity is computed."""

import math
from dataclasses import dataclass


@dataclass
class EpochLoss:
    """Mean training loss of the last complete epoch; before its end, of all steps so far."""

    complete: float | None = None
    total: float = 0.0
    steps: int = 0

    def add(self, nats: float) -> None:
        """Count a step."""
        self.total += nats
        self.steps += 1

    def close(self) -> None:
        """End an epoch."""
        if self.steps:
            self.complete = self.total / self.steps
            self.total, self.steps = 0.0, 0

    @property
    def mean_nats(self) -> float:
        """NaN before the first step."""
        if self.complete is not None:
            return self.complete
        return self.total / self.steps if self.steps else math.nan
