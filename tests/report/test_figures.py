"""Which figures a report has, and what they show."""

import re
from dataclasses import replace

import pytest
from made_up_records import VARIANTS, made_up_plan, made_up_records, untimed

from rnnlab.experiments.records import Records
from rnnlab.report import explanations
from rnnlab.report.figures import (
    Illustration,
    gradient_flow,
    learning_curves,
    speed_and_quality,
)
from rnnlab.report.svg_plot import SERIES


def labels(plot: str) -> str:
    (label,) = re.findall('aria-label="([^"]*)"', plot)
    return label


def numbers(item: Illustration) -> list[int]:
    return [entry.number for entry in item.key]


def test_learning_curves_are_grouped_and_repeat_the_reference(records: Records) -> None:
    made = learning_curves(records)
    assert [item.caption for item in made] == [
        "Learning curves: cells", "Learning curves: batches",
        "Learning curves: regularisation and size",
    ]  # fmt: skip
    assert [numbers(item) for item in made] == [
        [1, 2, 3, 4], [1, 5, 6, 7], [1, 8, 9, 10, 11, 12],
    ]  # fmt: skip
    assert "series-0" not in made[0].key[0].swatch
    assert "series-0" in made[1].key[0].swatch
    assert [labels(plot).partition(" against")[0] for plot in made[0].plots] == [
        "held-out bits/character", "training perplexity",
    ]  # fmt: skip


def test_every_variant_is_drawn_once_in_parts_that_can_be_told_apart() -> None:
    plan = made_up_plan(
        variant=[{"name": f"v{i}", "group": "all" if i < 20 else ""} for i in range(36)],
        seeds=2, claim=[],
    )  # fmt: skip
    made = learning_curves(made_up_records(plan, points=5))
    assert [item.caption for item in made] == [
        *(f"Learning curves: all, {part} of 4" for part in range(1, 5)),
        *(f"Learning curves, {part} of 3" for part in range(1, 4)),
    ]
    assert all(len(item.key) <= SERIES + 1 for item in made)
    drawn = [number for item in made for number in numbers(item)]
    assert sorted(set(drawn)) == list(range(1, 37))
    assert all(drawn.count(number) == 1 for number in range(2, 37))


def test_the_n_gram_is_drawn_only_if_it_has_one_figure_for_the_validation_split(
    records: Records,
) -> None:
    plan = made_up_plan(base={**records.plan.settings.base, "split": (0.9, 0.1, 0.0)}, seeds=2)
    untested = made_up_records(plan, points=3)
    assert labels(learning_curves(untested)[0].plots[0]).endswith("6-gram 2.140")
    assert "dashed line" in explanations.about_curves(untested, panels=3)
    assert "gram" not in learning_curves(records)[0].plots[0], "it is of the test split"
    assert "dashed line" not in explanations.about_curves(records, panels=3)
    first = replace(untested.runs[0], baselines={"5-gram": 2.3})
    mixed = replace(untested, runs=[first, *untested.runs[1:]])
    assert "gram" not in learning_curves(mixed)[0].plots[0]


def test_captions_say_only_what_is_on_the_page() -> None:
    """Of one seed, one panel and no held-out text."""
    variants = [{"name": "LSTM"}, {"name": "GRU", "change": {"cell": "gru"}}]
    made = made_up_records(made_up_plan(variant=variants, claim=[], seeds=1, timing=None), points=3)
    runs = [replace(r, curves={"training": r.curves["training"]}) for r in made.runs]
    made = replace(made, runs=runs)
    about = explanations.about_curves(made, panels=1)
    for absent in ("Means", "interval", "Held-out", "grey", "geometric", "All plots"):
        assert absent not in about
    assert [item.caption for item in learning_curves(made)] == ["Learning curves"]
    assert "seeds" not in explanations.about_flow(made)
    speed = speed_and_quality(made)
    assert speed is not None
    assert "interval" not in speed.caption
    assert "hollow" not in speed.caption.lower()
    search = explanations.about_slices(hollow=False, without_figure=False)
    assert search == "Each point is a finished trial, the diamond is the best."


def test_curves_of_networks_that_an_n_gram_model_joins_are_said_to_be_the_networks() -> None:
    variants = [{"name": "plain"}, {"name": "joined", "change": {"ngram_order": 4}}]
    made = made_up_records(made_up_plan(variant=variants, claim=[], seeds=1, timing=None), points=3)
    assert "curves and training perplexity are the network's" in explanations.about_curves(
        made, panels=1
    )
    alone = made_up_records(
        made_up_plan(variant=variants[:1], claim=[], seeds=1, timing=None), points=3
    )
    assert "n-gram model joins" not in explanations.about_curves(alone, panels=1)


def test_a_variant_that_never_finished_is_not_drawn(records: Records) -> None:
    runs = [replace(run, status="failed") if run.variant == "GRU" else run for run in records.runs]
    made = replace(records, runs=runs)
    assert numbers(learning_curves(made)[0]) == [1, 3, 4]
    assert numbers(gradient_flow(made)[0]) == [1, 3, 4]


def test_a_runaway_loss_does_not_flatten_the_others(records: Records) -> None:
    """The ticks do not move; the loss is cut off."""
    far = {
        name: [(x, 50 * y) for x, y in points] for name, points in records.runs[1].curves.items()
    }
    runs = [replace(run, curves=far) if run.variant == "GRU" else run for run in records.runs]
    ticks = [
        [re.findall(r">([\d.]+)</text>", plot) for plot in learning_curves(made)[1].plots]
        for made in (records, replace(records, runs=runs))
    ]
    assert ticks[0] == ticks[1]


def test_gradient_flow_has_both_stages_and_survives_a_vanished_norm(records: Records) -> None:
    vanished = {"initial": [1e-2, 1e-200, 0.0], "trained": [1e-2, 1e-3, 1e-4]}
    runs = [replace(run, gradient_flow=vanished) for run in records.runs]
    made = gradient_flow(replace(records, runs=runs))
    assert [labels(plot).partition(";")[0] for plot in made[0].plots] == [
        "norm of dL(T)/dh(T−k), at initialisation against time steps back, k",
        "norm of dL(T)/dh(T−k), after training against time steps back, k",
    ]
    assert "LSTM 1e-200" in labels(made[0].plots[0])


def test_speed_is_drawn_only_if_it_is_among_the_outcomes(records: Records) -> None:
    outcomes = ("held_out_bits_per_character", "training_seconds")
    settings = records.plan.settings.model_copy(update={"outcomes": outcomes})
    assert (
        speed_and_quality(replace(records, plan=replace(records.plan, settings=settings))) is None
    )
    apart, shared = speed_and_quality(records), speed_and_quality(untimed(records))
    assert apart is not None
    assert explanations.SHARED not in apart.caption
    assert shared is not None
    assert explanations.SHARED in shared.caption
    assert speed_and_quality(replace(records, timings=[])) is None


def test_an_outlier_does_not_squash_the_others_to_a_line(records: Records) -> None:
    """It is drawn hollow on the edge, and the ticks are of the others."""
    far = "held_out_bits_per_character"
    runs = [
        replace(run, outcomes={**run.outcomes, far: 9e100}) if run.variant == "GRU" else run
        for run in records.runs
    ]
    made, plain = speed_and_quality(replace(records, runs=runs)), speed_and_quality(records)
    assert made is not None
    assert plain is not None
    assert ">2.3</text>" in made.plots[0]
    assert "fill: none; stroke: var(--series-1)" in made.plots[0]
    assert "fill: none; stroke: var(--series-1); stroke-width: 1.2" not in plain.plots[0]


@pytest.mark.parametrize("outcomes", [["tokens_per_second"], ["gradient_decay"]])
def test_plots_without_figures_are_left_out(records: Records, outcomes: list[str]) -> None:
    bare = [replace(run, curves={}, gradient_flow={}, outcomes={}) for run in records.runs]
    settings = records.plan.settings.model_copy(update={"outcomes": tuple(outcomes)})
    made = replace(records, runs=bare, plan=replace(records.plan, settings=settings))
    assert learning_curves(made) == gradient_flow(made) == []
    assert speed_and_quality(made) is None


def test_speed_is_drawn_against_the_first_outcome_that_is_not_timed(records: Records) -> None:
    made = speed_and_quality(records)
    assert made is not None
    assert numbers(made) == list(range(1, 13))
    told = labels(made.plots[0])
    assert told.startswith("held-out bits/character, last weights against tokens/s: LSTM 2.19")
    assert all(name in told for name, *_ in VARIANTS)
