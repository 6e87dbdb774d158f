"""The table of outcomes, and which figure is marked as the best."""

import math
from dataclasses import replace

import numpy as np
import pytest
from made_up_records import BASELINES, made_up_plan, made_up_records
from scipy import stats

from rnnlab.experiments.outcomes import OUTCOMES
from rnnlab.experiments.records import Records, RunRecord, Timing
from rnnlab.report.outcome_table import baseline_figures, outcome_table, shown_best

HELD_OUT = "held_out_bits_per_character"
SEEDS = range(6)


def recorded(
    figures: dict[str, list[float]], outcome: str = HELD_OUT, *, seeds: int = 6
) -> Records:
    """Records of variants with these figures, one per seed; NaN: diverged."""
    plan = made_up_plan(
        variant=[{"name": name} for name in figures], seeds=seeds, claim=[], outcomes=[outcome],
        timing=None,
    )  # fmt: skip
    runs = []
    for run in plan.runs:
        value = figures[run.variant][run.seed]
        diverged = math.isnan(value)
        runs.append(
            RunRecord(
                run.id, run.variant, run.seed, "diverged" if diverged else "finished",
                outcomes={} if diverged else {outcome: value},
            )
        )  # fmt: skip
    return Records(plan, runs)


def test_means_and_intervals_are_those_of_scipy(records: Records) -> None:
    table = outcome_table(records)
    rows = [row for title, rows in table.groups if title != "Baselines" for row in rows]
    assert [row.number for row in rows] == list(range(1, 13))
    for row in rows:
        values = list(records.values(row.name, HELD_OUT).values())
        low, high = stats.t.interval(
            0.95, len(values) - 1, loc=np.mean(values), scale=stats.sem(values)
        )
        cell = row.cells[0]
        assert cell is not None
        assert cell.mean == f"{np.mean(values):.3f}"
        assert cell.spread == f"± {(high - low) / 2:.3f}"


def test_ratios_have_geometric_means_and_relative_intervals() -> None:
    values = [1.9, 2.1, 2.0, 2.2, 1.8, 2.05]
    made = recorded({"A": values, "B": [9.0] * 6}, "training_perplexity")
    cell = outcome_table(made).groups[0][1][0].cells[0]
    assert cell is not None
    assert cell.mean == f"{stats.gmean(values):.3f}"
    logs = np.log(values)
    factor = math.exp(stats.t.ppf(0.975, 5) * stats.sem(logs))
    assert cell.spread == f"± {100 * (factor - 1):.1f}%"


def test_a_spread_beyond_floating_point_is_still_a_cell() -> None:
    made = recorded({"A": [1e300, 1.0], "B": [2.0, 2.1]}, "training_perplexity", seeds=2)
    cell = outcome_table(made).groups[0][1][0].cells[0]
    assert cell is not None
    assert (cell.mean, cell.spread) == ("> 10⁷", "")
    wide = recorded({"A": [300.0, 1.0], "B": [2.0, 2.1]}, "training_perplexity", seeds=2)
    cell = outcome_table(wide).groups[0][1][0].cells[0]
    assert cell is not None
    assert (cell.mean, cell.spread) == ("17.321", "×/÷ > 1,000")


def test_missing_runs_are_counted() -> None:
    made = recorded({"A": [2.0, 2.1, math.nan, 2.0, math.nan, 2.1], "B": [math.nan] * 6})
    first, second = outcome_table(made).groups[0][1]
    assert first.runs == "4 of 6 seeds finished; 2 diverged"
    assert first.cells[0] is not None
    assert first.cells[0].notes == ("n = 4",)
    assert second.runs == "0 of 6 seeds finished; 6 diverged"
    assert second.cells == (None,)


def test_one_seed_gives_no_interval() -> None:
    cell = outcome_table(recorded({"A": [2.0], "B": [1.0]}, seeds=1)).groups[0][1][0].cells[0]
    assert cell is not None
    assert (cell.mean, cell.spread, cell.best) == ("2.000", "", False)


def test_speed_is_taken_from_the_timing_rounds_if_there_are_any() -> None:
    made = recorded({"A": [100.0] * 6, "B": [200.0] * 6}, "tokens_per_second")
    rounds = [
        Timing(variant, r, {"tokens_per_second": 1000.0 + r})
        for variant in "AB"
        for r in range(3)
        if (variant, r) != ("B", 1)
    ]
    own, apart = (
        [row.cells[0] for row in outcome_table(each).groups[0][1]]
        for each in (made, replace(made, timings=rounds))
    )
    assert [cell.mean for cell in own if cell] == ["100", "200"]
    assert [cell.mean for cell in apart if cell] == ["1,001", "1,001"]
    assert [cell.notes for cell in apart if cell] == [(), ("n = 2",)]


def test_reported_figures_keep_their_own_decimals() -> None:
    plan = made_up_plan()
    cells = [
        cell
        for _, rows in outcome_table(made_up_records(plan)).groups
        for row in rows
        for cell in row.cells
        if cell
    ]
    notes = [note for cell in cells for note in cell.notes if "reported" in note]
    assert notes == ["reported 1.1", "reported 298,764", "reported 2.3", "reported 560,241"]


def test_a_variant_that_never_finished_shows_its_reported_figures() -> None:
    plan = made_up_plan(
        variant=[{"name": "A", "reported": {HELD_OUT: 2.25}}], claim=[], outcomes=[HELD_OUT]
    )
    missing = [RunRecord(run.id, run.variant, run.seed, "missing") for run in plan.runs]
    cell = outcome_table(Records(plan, missing)).groups[0][1][0].cells[0]
    assert cell is not None
    assert (cell.mean, cell.notes) == ("", ("reported 2.25",))


NOISE = [0.003, -0.004, 0.001, 0.002, -0.003, 0.001]


def shifted(mean: float, by: int = 0) -> list[float]:
    """Figures that share most of their spread with those of other variants."""
    own = NOISE[by:] + NOISE[:by]
    return [mean + 0.1 * seed + noise for seed, noise in zip(SEEDS, own, strict=True)]


def test_the_best_is_marked_if_it_beats_every_other() -> None:
    figures = {"A": shifted(2.0), "B": shifted(2.1, 1), "C": shifted(2.2, 2)}
    assert shown_best(recorded(figures), OUTCOMES[HELD_OUT]) == "A"
    (cells,) = [
        [row.cells[0].best for row in rows if row.cells[0]]
        for title, rows in outcome_table(recorded(figures)).groups
        if title != "Baselines"
    ]
    assert cells == [True, False, False]


def test_nothing_is_marked_if_the_second_best_may_be_as_good() -> None:
    close = {"A": shifted(2.0), "B": shifted(2.001, 1), "C": shifted(2.2, 2)}
    assert shown_best(recorded(close), OUTCOMES[HELD_OUT]) is None
    assert not outcome_table(recorded(close)).has_best


def test_marks_are_corrected_for_columns_too() -> None:
    """p = 0.02 two-sided is enough for one column of two variants, not for ten."""
    figures = {"A": [2.0] * 6, "B": [2.01, 2.06, 2.04, 1.99, 2.03, 2.08]}
    assert 0.01 < stats.ttest_rel(figures["A"], figures["B"]).pvalue < 0.05
    made = recorded(figures)
    assert shown_best(made, OUTCOMES[HELD_OUT]) == "A"
    many = made.plan.settings.model_copy(update={"outcomes": tuple(OUTCOMES)})
    wider = replace(made, plan=replace(made.plan, settings=many))
    assert shown_best(wider, OUTCOMES[HELD_OUT]) is None


def test_outcomes_that_only_a_claim_tests_have_a_column() -> None:
    made = made_up_records(made_up_plan(outcomes=["training_perplexity"]), points=3)
    columns = [column.name for column in outcome_table(made).columns]
    assert columns == ["training_perplexity", HELD_OUT, "tokens_per_second"]


def test_random_draws_are_sorted_by_the_first_outcome() -> None:
    draws = {"settings": {"dropout": {"low": 0.0, "high": 0.5}}, "count": 5}
    made = made_up_records(made_up_plan(variant=[], claim=[], random=draws, seeds=2), points=3)
    runs = [
        replace(run, status="failed") if run.variant == made.plan.reference else run
        for run in made.runs
    ]
    made = replace(made, runs=runs)
    rows = outcome_table(made).groups[0][1]
    means = [row.cells[0].mean for row in rows if row.cells[0]]
    assert means == sorted(means)
    assert len(means) == 4
    assert rows[-1].name == made.plan.reference
    assert {row.change for row in rows} == {""}, "names say it already"


def test_a_higher_speed_is_better() -> None:
    figures = {
        "slow": [100.0 + seed for seed in SEEDS],
        "fast": [200.0 + 2 * seed for seed in SEEDS],
    }
    made = recorded(figures, "tokens_per_second")
    assert shown_best(made, OUTCOMES["tokens_per_second"]) == "fast"


@pytest.mark.parametrize(
    "figures",
    [
        {"A": [*shifted(2.0)[:5], math.nan], "B": shifted(2.5), "C": shifted(2.6)},
        {"A": shifted(2.0), "B": shifted(2.5), "C": [2.9, *[math.nan] * 5]},
        {"A": shifted(2.0)},
        {"A": [math.nan] * 6, "B": [math.nan] * 6},
    ],
    ids=["it lacks a seed", "another one has one seed", "it is alone", "nothing finished"],
)
def test_nothing_is_marked_if_the_comparison_is_not_fair(
    figures: dict[str, list[float]],
) -> None:
    assert shown_best(recorded(figures), OUTCOMES[HELD_OUT]) is None


def test_equal_variants_are_rarely_marked() -> None:
    """Ten variants that do not differ: the chance of any mark stays below 5%."""
    rng = np.random.default_rng(1)
    marked = sum(
        shown_best(
            recorded({str(name): list(rng.normal(2, 0.01, 6)) for name in range(4)}),
            OUTCOMES[HELD_OUT],
        )
        is not None
        for _ in range(100)
    )
    assert marked <= 5


def test_baselines_are_rows_for_held_out_figures_only() -> None:
    table = outcome_table(made_up_records())
    title, rows = table.groups[-1]
    assert title == "Baselines"
    assert [row.name for row in rows] == list(BASELINES)
    for row, bits in zip(rows, BASELINES.values(), strict=True):
        figures = [cell.mean if cell else "" for cell in row.cells]
        assert figures == [f"{bits:.3f}", f"{bits:.3f}", "", "", "", ""]


def test_parts_of_a_mixture_are_rows_below_their_variant() -> None:
    made = made_up_records()
    runs = [
        replace(run, parts={HELD_OUT: {"network": 2.0 + run.seed / 100, "ngram": 2.5}})
        if run.variant == "GRU"
        else run
        for run in made.runs
    ]
    table = outcome_table(replace(made, runs=runs))
    names = [row.name for row in table.rows]
    place = names.index("GRU")
    assert names[place + 1 : place + 4] == ["its network alone", "its n-gram alone", "RNN, tanh"]
    network = table.rows[place + 1]
    values = [2.0 + seed / 100 for seed in SEEDS]
    half = stats.t.interval(0.95, 5, 0, stats.sem(values))[1]
    assert network.cells[0] is not None
    assert (network.cells[0].mean, network.cells[0].spread) == ("2.025", f"± {half:.3f}")
    assert network.cells[1:] == (None,) * 5
    assert [row.name for row in table.of_parts().rows] == [names[place], *names[place + 1 :][:2]]
    assert not outcome_table(made).has_parts


def test_baselines_of_several_texts_are_a_range() -> None:
    made = made_up_records()
    other = replace(made.runs[0], baselines={**BASELINES, "xz": 2.9})
    assert baseline_figures(replace(made, runs=[other, *made.runs[1:]]))["xz"] == "2.510 to 2.900"
