"""The figures of a run in progress: collected from its events, written as lines of text."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from rnnlab.console import BLOCKS, visible

if TYPE_CHECKING:
    from rnnlab.lm.train import Milestone, Step
    from rnnlab.runs.metrics import TrainingUnits

RECENT_STEPS = 100
"""The training figure and the share of clipped steps on the screen are means over these."""

FEW_THREADS, SLOW, FAST = 0.75, 0.7, 1.5
"""Below these shares of all threads and of the expected speed, or above so many times that speed,
the summary of training says so."""

UNIT = "bits/character"

LINE_BREAK = "⏎"
"""Shows a line break in a sample; a sample may consist of nothing else."""


class TrainingStatus:
    """What is known of a run while it trains. Losses are in bits per character."""

    def __init__(self, units: TrainingUnits) -> None:
        self._units = units
        self.resumed_at = 0.0
        """Share of the budget that was used when training was resumed."""
        self._began: float | None = None
        self.recent: deque[Step] = deque(maxlen=RECENT_STEPS)
        self.held_out: list[float] = []
        self.sample = ""

    def step(self, event: Step) -> None:
        """Count a step."""
        self._began = self._began or time.perf_counter()
        self.recent.append(event)

    def milestone(self, event: Milestone, bits_per_character: float | None, sample: str) -> None:
        """Take an evaluation and a sample."""
        if bits_per_character is not None:
            self.held_out.append(bits_per_character)
        if not event.is_early:  # those come without a sample
            self.sample = sample

    @property
    def last(self) -> Step:
        """The last step; there must have been one."""
        return self.recent[-1]

    @property
    def training_bits(self) -> float:
        """Training loss, a mean over the recent steps."""
        nats = sum(step.loss_nats for step in self.recent) / len(self.recent)
        return self._units.bits_per_character(nats)

    @property
    def clipped(self) -> float:
        """Share of the recent steps whose gradient was clipped."""
        return sum(step.clipped for step in self.recent) / len(self.recent)

    @property
    def tokens_per_second(self) -> float:
        """Speed of all steps so far."""
        return self.last.tokens / self.last.seconds if self.last.seconds else 0.0

    @property
    def seconds_left(self) -> float:
        """Time that is left, if the rest of the budget is used as fast as the part before."""
        elapsed = time.perf_counter() - (self._began or 0.0)
        done = self.last.progress - self.resumed_at
        return elapsed * (1 - self.last.progress) / done if done > 0 else 0.0

    def summary(self) -> str:
        """Return position and time left."""
        return f"epoch {self.last.epoch}, {self.seconds_left:.0f} s left"

    def losses(self) -> str:
        """Return the losses, all in the same unit."""
        words = f"{UNIT}: training {self.training_bits:.3f}"
        if self.held_out:
            words += f", held-out {self.held_out[-1]:.3f}, best {min(self.held_out):.3f}"
        return words

    def speed(self) -> str:
        """Return speed and gradient."""
        return (
            f"{self.tokens_per_second:,.0f} tokens/s, gradient norm {self.last.gradient_norm:.2f}, "
            f"clipped {self.clipped:.0%}"
        )


LOG_HEADING = (
    f"{'':10}{UNIT}\n done  training  held-out        epoch   tokens/s  gradient  clipped      left"
)
"""Names the columns of `log_line`, which fit into 80."""


def log_line(status: TrainingStatus, *, is_best: bool) -> str:
    """Return the figures as a line of a log."""
    held_out = f"{status.held_out[-1]:.3f}" if status.held_out else "-"
    left = f"{status.seconds_left:,.0f} s"
    return (
        f"{status.last.progress:5.0%}{status.training_bits:10.3f}{held_out:>10}"
        f"{' best' if is_best else '':5}{status.last.epoch:8,}{status.tokens_per_second:11,.0f}"
        f"{status.last.gradient_norm:10.2f}{status.clipped:9.0%}{left:>10}"
    )


def speed_notes(training: Mapping[str, Any], threads: int, expected: float) -> Iterator[str]:
    """Yield what the summary of a training must say about its speed, if anything.

    threads: those it might have used. expected: tokens/s measured before training; 0: not known.
    """
    if 0 < training["mean_threads"] < FEW_THREADS * threads:
        yield (
            f"{training['mean_threads']:.1f} of {threads} threads used on average, since fewer "
            "were faster: other programs use the cores, or the network is small"
        )
    speed = training["tokens_per_second"]
    if 0 < speed < SLOW * expected:
        yield (
            f"{speed:,.0f} tokens/s instead of the {expected:,.0f} measured "
            "before training, by which the settings were chosen; other programs may use the cores"
        )
    if speed > FAST * expected > 0:
        yield (
            f"{speed:,.0f} tokens/s, {speed / expected:.1f} times what was measured before "
            "training, by which the settings were chosen; other programs may have used the cores"
        )


def shown_sample(sample: str) -> str:
    """Return a sample on one line, with what does not print made visible."""
    return visible(sample.replace("\r\n", LINE_BREAK).replace("\n", LINE_BREAK)).expandtabs(1)


def sample_lines(sample: str, console: Console, width: int, most: int) -> list[str]:
    """Return a sample, as `shown_sample` does, in at most `most` lines of `width` columns."""
    words = shown_sample(sample)
    lines = [line.plain for line in Text(words).wrap(console, width)] if words else []
    if len(lines) > most:
        lines = lines[:most]
        while cell_len(lines[-1]) > width - 3:
            lines[-1] = lines[-1][:-1]
        lines[-1] += "..."
    return lines


def text_chart(values: Sequence[float], width: int = 60, height: int = 6) -> list[str]:
    """Draw values as columns of blocks; return the lines from top to bottom.

    width: characters for all columns; few values get columns of two characters.
    """
    points = [v for v in values if math.isfinite(v)]
    if not points:
        return []
    columns = min(width, len(points))
    groups = [
        points[len(points) * i // columns : len(points) * (i + 1) // columns]
        for i in range(columns)
    ]
    means = [sum(group) / len(group) for group in groups]
    low, high = min(means), max(means)
    eighths = [1 + round((m - low) / ((high - low) or 1) * (8 * height - 1)) for m in means]
    wide = 2 if 2 * columns <= width else 1
    rows = range(height - 1, -1, -1)
    lines = [
        "".join(BLOCKS[max(0, min(8, level - 8 * row))] * wide for level in eighths) for row in rows
    ]
    labels = {0: f"{high:7.3f}", height - 1: f"{low:7.3f}"}
    return [f"{labels.get(row, ''):>7} │{line}" for row, line in enumerate(lines)]
