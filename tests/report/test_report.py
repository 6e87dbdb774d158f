"""What a report says, before it is laid out."""

from dataclasses import replace

import pytest
from made_up_records import made_up_plan, made_up_records, untimed

from rnnlab.experiments.comparison import ClaimVerdict
from rnnlab.experiments.records import Records, RunRecord
from rnnlab.experiments.verdicts import judge_claims
from rnnlab.report import explanations
from rnnlab.report.figures import draw_figures
from rnnlab.report.pages import html_page, markdown_page
from rnnlab.report.report import make_report


def test_extent_and_tally_count_everything(records: Records, verdicts: list[ClaimVerdict]) -> None:
    content = make_report(records, verdicts)
    assert content.extent == "12 variants, 6 seeds each; 72 runs: 71 finished, 1 diverged"
    assert content.tally == "4 claims: 1 supported, 1 contradicted, 2 not shown."
    assert make_report(records, []).tally == ""


def test_title_is_the_folder_s_name_where_the_file_has_none() -> None:
    made = made_up_records(made_up_plan(title="", seeds=1), points=3)
    assert make_report(made, []).title == "small_lstm"


def test_unfinished_runs_are_listed_by_variant_and_reason(records: Records) -> None:
    plan = records.plan
    runs = [RunRecord(run.id, run.variant, run.seed, "missing") for run in plan.runs]
    runs[0] = replace(runs[0], status="failed", reason="no space left on device")
    found = make_report(Records(plan, runs), []).unfinished
    assert len(found) == 13
    assert (found[0].variant, found[0].seeds, found[0].status) == ("LSTM", "0", "failed")
    assert found[0].reason == "no space left on device"
    (rest,) = [each for each in found[1:] if each.variant == "LSTM"]
    assert (rest.seeds, rest.status) == ("1 to 5", "missing")
    assert make_report(records, []).unfinished[0].seeds == "3"


def test_samples_are_of_the_first_seed_that_has_any(records: Records) -> None:
    first = replace(records.runs[0], texts=[], status="diverged")
    samples = make_report(replace(records, runs=[first, *records.runs[1:]]), []).samples
    assert [(each.number, each.variant, each.seed) for each in samples[:2]] == [
        (1, "LSTM", 1), (2, "GRU", 0),
    ]  # fmt: skip
    for phrase, rest in samples[0].texts:
        assert phrase in records.plan.settings.phrases
        assert rest.startswith(" ")


def test_verdicts_on_a_part_of_the_runs_are_called_interim(records: Records) -> None:
    missing = replace(records.runs[0], status="missing", outcomes={})
    part = make_report(replace(records, runs=[missing, *records.runs[1:]]), [])
    assert part.warning == (
        "Interim: 1 of 72 runs are still to be made. The 5% are promised for the verdicts with all "
        "of them, looked at once."
    )
    assert make_report(records, []).warning == ""


def test_verdicts_that_were_looked_at_before_are_named(records: Records) -> None:
    assert make_report(replace(records, looks=[3, 4, 6]), []).warning == (
        "Looked at more than once: verdicts were made with 3 seeds, then with 4 and 6. The 5% hold "
        "only for a number of seeds that is fixed beforehand."
    )
    assert make_report(replace(records, looks=[6]), []).warning == ""


def test_a_report_whose_samples_were_not_kept_says_so(records: Records) -> None:
    records = replace(records, runs=[replace(run, texts=[]) for run in records.runs])
    bare = make_report(records, [])
    assert not bare.samples
    assert bare.about_samples.startswith("How each model continues the phrases is not kept")
    assert "## Samples\n\nHow each model continues" in markdown_page(bare)
    assert "continues the phrases is not kept" in html_page(bare, draw_figures(records, None))
    settings = records.plan.settings.model_copy(update={"phrases": ()})
    unasked = replace(records, plan=replace(records.plan, settings=settings))
    assert make_report(unasked, []).about_samples == ""


def test_a_phrase_that_was_read_otherwise_is_not_told_from_the_rest(records: Records) -> None:
    first = replace(records.runs[0], texts=["time-traveller, he said"])
    samples = make_report(replace(records, runs=[first, *records.runs[1:]]), []).samples
    assert samples[0].texts == (("", "time-traveller, he said"),)


def test_a_quick_version_says_so(records: Records, verdicts: list[ClaimVerdict]) -> None:
    quick = replace(records, command=f"{records.command} --quick")
    assert make_report(quick, verdicts).warning == (
        "Quick version: 6 seeds, 100 epochs, to see that it works; draw no conclusions."
    )
    assert make_report(records, verdicts).warning == ""


def test_comparisons_that_nobody_claimed_are_not_called_claims() -> None:
    made = made_up_records(made_up_plan(claim=[]), points=3)
    assert make_report(made, judge_claims(made)).tally.startswith("11 comparisons: ")


def test_remarks_say_what_the_marks_and_the_intervals_are_not(
    records: Records, verdicts: list[ClaimVerdict]
) -> None:
    remarks = " ".join(make_report(records, verdicts).remarks)
    assert "a level of 5% of their own" in remarks
    assert "did not finish are compared on the seeds they have" in remarks
    assert "whose intervals overlap may still be shown to differ" in remarks
    assert explanations.SHARED not in remarks
    whole = replace(records, runs=[r for r in records.runs if r.variant != "learning rate 5"])
    assert "did not finish" not in " ".join(make_report(whole, []).remarks)
    assert "overlap" not in " ".join(make_report(records, []).remarks)
    assert explanations.SHARED in make_report(untimed(records), []).remarks
    waiting = make_report(replace(records, timings=[]), [])
    assert "Speed is measured when all runs have ended, and has not been yet." in waiting.remarks
    assert waiting.extent == make_report(records, []).extent


@pytest.mark.parametrize(
    ("changes", "said", "not_said"),
    [
        ({}, "t interval, over the seeds and of speed over the rounds", "One seed"),
        ({"timing": None}, "t interval, over the seeds.", "rounds"),
        ({"seeds": 1, "timing": None}, "One seed: nothing is known", "Means"),
        (
            {"seeds": 1},
            "t interval, of speed over the rounds of its measurement.",
            "over the seeds",
        ),
    ],
)
def test_remarks_say_what_the_table_shows(
    changes: dict[str, object], said: str, not_said: str
) -> None:
    remarks = " ".join(make_report(made_up_records(made_up_plan(**changes), points=3), []).remarks)
    assert said in remarks
    assert not_said not in remarks
    assert ("Bold: the best" in remarks) == ("seeds" not in changes or "timing" not in changes)
