"""The figures of a run in progress in a notebook: one output, updated in place."""

import html
import math
import time
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from rnnlab.display.training_status import UNIT, TrainingStatus, shown_sample

SECONDS = 0.5
"""Shortest time between two updates, which travel over a network."""

WIDTH, HEIGHT, LEFT = 480, 120, 48
"""Of the curve, and of its labels, in pixels."""


class NotebookView:
    """See `rnnlab.display.training_views.View`."""

    def __init__(self) -> None:
        ipython: Any = import_module("IPython.display")  # a notebook has it
        self._html = ipython.HTML
        self._handle = ipython.display(ipython.HTML(""), display_id=True)
        self._updated = -math.inf
        self._shown = ""
        self._is_of_training = False

    def show(self, status: TrainingStatus) -> None:
        """Show the figures of training."""
        self._is_of_training = True
        sample = shown_sample(status.sample)
        self._update(
            f"{_bar(status.last.progress, status.summary())}"
            f"<div>{html.escape(status.losses())}</div><div>{html.escape(status.speed())}</div>"
            f"{curve(status.held_out)}<div><i>{html.escape(sample)}</i></div>",
        )

    def working(self, what: str, share: float) -> None:
        """Show how much of something else is done."""
        self._is_of_training = False
        self._update(_bar(share, what))

    def close(self) -> None:
        """Leave the last figures of training; remove anything else."""
        self._handle.update(self._html(self._shown if self._is_of_training else ""))

    def _update(self, content: str) -> None:
        self._shown = content
        if time.perf_counter() - self._updated > SECONDS:
            self._updated = time.perf_counter()
            self._handle.update(self._html(content))


def curve(values: Sequence[float]) -> str:
    """Draw losses at the evaluations so far as an <svg> element in the page's colour."""
    points = [value for value in values if math.isfinite(value)]
    if len(points) < 2:
        return ""
    low, high = min(points), max(points)
    across, down = (WIDTH - LEFT - 8) / (len(points) - 1), (HEIGHT - 24) / ((high - low) or 1)
    places = [(LEFT + n * across, 12 + (high - value) * down) for n, value in enumerate(points)]
    x, y = places[points.index(low)]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    return (
        f'<svg width="{WIDTH}" height="{HEIGHT}" role="img" fill="currentColor" font-size="12" '
        f'aria-label="held-out {UNIT}: from {points[0]:.3f} to {points[-1]:.3f}">'
        f'<text x="0" y="16">{high:.3f}</text><text x="0" y="{HEIGHT - 8}">{low:.3f}</text>'
        f'<polyline points="{line}" fill="none" stroke="currentColor" stroke-width="1.5"/>'
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4"/></svg>'
    )


def _bar(share: float, words: str) -> str:
    return f'<div><progress value="{share:.4f}"></progress> {share:.0%} {html.escape(words)}</div>'
