"""Learning-rate schedules: end points, monotonicity, and torch's own one-cycle."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnlab.config import TrainingSettings
from rnnlab.lm.schedules import SCHEDULES, learning_rate_share

shares = st.floats(0, 1)
warmups = st.just(0.0) | st.floats(0.01, 0.9)
each_schedule = pytest.mark.parametrize("name", SCHEDULES)


def share(schedule, progress, warmup=0.0):
    return learning_rate_share(TrainingSettings(schedule=schedule, warmup=warmup), progress)


@pytest.mark.parametrize(
    ("schedule", "warmup", "points"),
    [
        ("constant", 0.0, {0: 1, 0.3: 1, 1: 1}),
        ("constant", 0.2, {0: 0, 0.05: 0.25, 0.1: 0.5, 0.2: 1, 0.6: 1, 1: 1}),
        ("linear", 0.0, {0: 1, 0.25: 0.75, 0.9: 0.1, 1: 0}),
        ("linear", 0.2, {0: 0, 0.1: 0.5, 0.2: 1, 0.6: 0.5, 1: 0}),
        ("cosine", 0.0, {0: 1, 0.25: 0.5 + 0.5 * math.sqrt(0.5), 0.5: 0.5, 1: 0}),
        ("cosine", 0.2, {0: 0, 0.1: 0.5, 0.2: 1, 0.6: 0.5, 1: 0}),
        ("one-cycle", 0.0, {0: 0.04, 0.15: 0.52, 0.3: 1, 0.65: 0.500002, 1: 0.000004}),
        ("one-cycle", 0.5, {0: 0.04, 0.25: 0.52, 0.5: 1, 0.75: 0.500002, 1: 0.000004}),
    ],
    ids=str,
)
def test_schedule_goes_through_its_points(schedule, warmup, points):
    for progress, expected in points.items():
        assert share(schedule, progress, warmup) == pytest.approx(expected, abs=1e-12), progress


@each_schedule
@settings(deadline=None)
@given(a=shares, b=shares, warmup=warmups)
def test_share_rises_through_warmup_and_never_after(name, a, b, warmup):
    low, high = sorted((a, b))
    top = warmup or (0.3 if name == "one-cycle" else 0.0)
    assert 0 <= share(name, a, warmup) <= 1
    if high <= top:
        assert share(name, low, warmup) <= share(name, high, warmup) + 1e-12
    if low >= top:
        assert share(name, low, warmup) >= share(name, high, warmup) - 1e-12


@each_schedule
@settings(deadline=None)
@given(warmup=warmups)
def test_peak_is_reached_at_the_end_of_warmup(name, warmup):
    top = warmup or (0.3 if name == "one-cycle" else 0.0)
    assert share(name, top, warmup) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("rise", [0.3, 0.1, 0.6])
def test_one_cycle_is_torchs_one_cycle(rise):
    steps, peak = 41, 0.7
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], 1.0)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        peak,
        total_steps=steps,
        # torch puts the peak at step pct_start * steps - 1 of steps - 1.
        pct_start=(rise * (steps - 1) + 1) / steps,
        cycle_momentum=False,
    )
    for step in range(steps):
        expected = optimizer.param_groups[0]["lr"]
        progress = step / (steps - 1)
        assert peak * share("one-cycle", progress, rise) == pytest.approx(expected, abs=1e-9)
        optimizer.step()
        if step < steps - 1:
            scheduler.step()
