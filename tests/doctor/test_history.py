"""Means over what a run logged."""

from rnnlab.config import Settings
from rnnlab.doctor.history import History, TrainLine, mean_clipped_share


def test_means_are_over_steps_not_lines():
    """As after a larger budget: 30 lines of one step, then 10 lines of nine steps."""
    steps = [1] * 30 + [9] * 10
    lines = tuple(
        TrainLine(sum(steps[:n]), steps[n - 1], n, n / 40, 2.0, 0.5, float(n > 33))
        for n in range(1, 41)
    )
    history = History(Settings(), lines, ())
    assert [line.step for line in history.part(0.5, 0.75)] == [66, 75, 84]
    assert history.part(0, 0.001) == lines[:1]
    assert mean_clipped_share(history.part(0, 1)) == 63 / 120
    assert mean_clipped_share(history.part(0.5, 1)) == 1
