"""What a report says, whatever its format."""

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


def test_the_title_is_the_name_of_the_folder_if_the_file_has_none() -> None:
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


def test_verdicts_on_some_of_the_runs_are_called_interim(records: Records) -> None:
    missing = replace(records.runs[0], status="missing", outcomes={})
    part = make_report(replace(records, runs=[missing, *records.runs[1:]]), [])
    assert part.warning == (
        "Interim report: 1 of 72 runs has not ended. The error rate of 5% holds for verdicts made "
        "once, with all runs."
    )
    assert make_report(records, []).warning == ""


def test_earlier_looks_at_the_verdicts_are_named(records: Records) -> None:
    assert make_report(replace(records, looks=[3, 4, 6]), []).warning == (
        "More than one look: verdicts were made with 3 seeds, then with 4 and 6. The error rate of "
        "5% holds only if the number of seeds is fixed in advance."
    )
    assert make_report(replace(records, looks=[6]), []).warning == ""


def test_a_report_whose_samples_were_not_kept_says_so(records: Records) -> None:
    records = replace(records, runs=[replace(run, texts=[]) for run in records.runs])
    bare = make_report(records, [])
    assert not bare.samples
    assert bare.about_samples.startswith("The samples are not stored with these figures")
    assert "## Samples\n\nThe samples are not stored" in markdown_page(bare)
    assert "samples are not stored" in html_page(bare, draw_figures(records, None))
    settings = records.plan.settings.model_copy(update={"phrases": ()})
    unasked = replace(records, plan=replace(records.plan, settings=settings))
    assert make_report(unasked, []).about_samples == ""


def test_a_phrase_that_the_model_read_differently_is_not_set_apart(records: Records) -> None:
    first = replace(records.runs[0], texts=["time-traveller, he said"])
    samples = make_report(replace(records, runs=[first, *records.runs[1:]]), []).samples
    assert samples[0].texts == (("", "time-traveller, he said"),)


def test_a_quick_version_says_so(records: Records, verdicts: list[ClaimVerdict]) -> None:
    quick = replace(records, command=f"{records.command} --quick")
    assert make_report(quick, verdicts).warning == (
        "Quick version: 6 seeds, 100 epochs, to see that everything works. Draw no conclusions."
    )
    assert make_report(records, verdicts).warning == ""


def test_claims_that_one_seed_leaves_untested_are_counted_and_not_listed() -> None:
    made = made_up_records(made_up_plan(seeds=1, timing=None), points=3)
    found = make_report(made, judge_claims(made))
    assert found.verdicts == []
    assert found.tally == ""
    assert "So 4 claims are not tested; that needs several seeds." in found.remarks
    timed = made_up_records(made_up_plan(seeds=1), points=3)
    (claim,) = make_report(timed, judge_claims(timed)).verdicts
    assert claim.text.startswith("A larger batch"), "speed has a test over the rounds"


def test_comparisons_without_a_claim_are_not_called_claims() -> None:
    made = made_up_records(made_up_plan(claim=[]), points=3)
    assert make_report(made, judge_claims(made)).tally.startswith("11 comparisons: ")


def test_remarks_explain_marks_and_intervals(
    records: Records, verdicts: list[ClaimVerdict]
) -> None:
    remarks = " ".join(make_report(records, verdicts).remarks)
    assert "a level of 5% of their own" in remarks
    assert "unfinished runs are compared on the seeds they have" in remarks
    assert "with overlapping intervals may still be shown to differ" in remarks
    assert explanations.SHARED not in remarks
    whole = replace(records, runs=[r for r in records.runs if r.variant != "learning rate 5"])
    assert "unfinished runs" not in " ".join(make_report(whole, []).remarks)
    assert "overlap" not in " ".join(make_report(records, []).remarks)
    assert explanations.SHARED in make_report(untimed(records), []).remarks
    waiting = make_report(replace(records, timings=[]), [])
    assert (
        "Speed is measured when all runs have ended; that has not happened yet." in waiting.remarks
    )
    assert waiting.extent == make_report(records, []).extent


@pytest.mark.parametrize(
    ("changes", "said", "not_said"),
    [
        ({}, "t interval, over the seeds and for speed over the timing rounds.", "one seed"),
        ({"timing": None}, "t interval, over the seeds.", "rounds"),
        ({"seeds": 1, "timing": None}, "With one seed, nothing is known", "Mean "),
        (
            {"seeds": 1},
            "t interval, for speed over the timing rounds.",
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
