"""What the protocol says."""

from dataclasses import replace
from typing import Any

import pytest
from made_up_records import environment, made_up_plan, made_up_records, untimed

from rnnlab.experiments.comparison import ClaimVerdict
from rnnlab.experiments.records import Records
from rnnlab.report.protocol_section import base_settings, machine, protocol


def facts(**changes: Any) -> dict[str, str]:
    """The protocol of the made-up experiment with other base settings."""
    base = {**made_up_plan().settings.base, **changes}
    outcomes = ["training_perplexity"]
    variants = [{"name": "A"}, {"name": "B"}]
    plan = made_up_plan(base=base, variant=variants, claim=[], seeds=2, outcomes=outcomes)
    return dict(protocol(made_up_records(plan, points=3), []))


def test_text_split_and_context_are_named() -> None:
    found = facts()
    assert found["Text"] == (
        "timemachine, preprocessing letters; char tokens, vocabulary of the training split; "
        "SHA-256 8424dbd9"
    )
    assert found["Split"] == (
        "contiguous, training 90, validation 5, test 5 percent of the text; in tokens: train "
        "153,522 and test 8,529"
    )
    assert "of the test split" in found["Held out"]
    assert "context windows:256" in found["Held out"]
    assert found["Budget of a run"] == "100 epochs"
    assert found["Seeds"] == "0, 1, the same for every variant"


def test_sizes_in_characters_and_missing_splits_are_named() -> None:
    found = facts(split=(10000, 5000, 0), corpus_limit=20000, validation_context="carried")
    assert found["Split"].startswith(
        "contiguous, training 10,000, validation 5,000, test 0 characters; in tokens: "
    )
    assert (
        "; the first 20,000 tokens; char tokens, vocabulary of the training split"
        in (found["Text"])
    )
    assert "of the validation split, with the state carried" in found["Held out"]
    assert facts(split=(1.0, 0.0, 0.0))["Held out"].startswith("nothing")
    assert "; 3 random codes put into the training split; char" in facts(canaries=3)["Text"]


def test_curves_of_samples_are_of_all_of_each_sample() -> None:
    found = facts(unit="lines")["Held out"]
    assert "each of the lines from a state of zero" in found
    assert "context carried" in found
    assert "windows" not in found


def test_budgets_of_variants_are_told_apart() -> None:
    plan = made_up_plan(
        base={"corpus": "timemachine", "num_epochs": 3, "max_seconds": 60.0},
        variant=[{"name": "A"}, {"name": "longer", "change": {"num_epochs": 9}}],
        claim=[], seeds=1,
    )  # fmt: skip
    found = dict(protocol(made_up_records(plan, points=3), []))
    assert found["Budget of a run"] == (
        "3 epochs or 60 seconds, whichever is first; a different budget: longer"
    )


def test_comparisons_are_counted_once(records: Records, verdicts: list[ClaimVerdict]) -> None:
    found = dict(protocol(records, [*verdicts, verdicts[0]]))
    assert "all 6 comparisons of the experiment together (Holm)" in found["Comparisons"]
    assert dict(protocol(records, []))["Comparisons"] == "none"
    assert "Holm" not in dict(protocol(records, verdicts[2:3]))["Comparisons"]


def test_the_protocol_says_what_the_intervals_do_not_cover(records: Records) -> None:
    said = dict(protocol(records, []))["One text"]
    assert "of one test text of 8,529 tokens" in said
    assert "nothing about other texts" in said
    other = replace(records.runs[0], data={"tokens": {"train": 3, "test": 4}})
    mixed = replace(records, runs=[other, *records.runs[1:]])
    assert "of one test text; intervals" in dict(protocol(mixed, []))["One text"]
    assert "of one training text" in facts(split=(1.0, 0.0, 0.0))["One text"]


def test_speed_says_how_it_was_measured(records: Records) -> None:
    assert "7 rounds" in dict(protocol(records, []))["Speed"]
    own = dict(protocol(untimed(records), []))["Speed"]
    assert own.startswith("as measured by the runs themselves")
    waiting = dict(protocol(replace(records, timings=[]), []))["Speed"]
    assert waiting.startswith("not measured yet")


def test_machines_that_differ_are_all_named(records: Records) -> None:
    other = replace(records.runs[0], environment={**environment(9), "cpu": "Other", "gpu": "H"})
    found = dict(machine(replace(records, runs=[other, *records.runs[1:]])))
    assert found["Processor"] == (
        "AMD EPYC 9B45, 2 cores, AVX512 (70 runs); Other, 2 cores, AVX512 (1 run)"
    )
    assert found["GPU"] == "none (70 runs); H (1 run)"
    assert found["Date"] == "2025-11-10 to 2025-11-19"
    assert found["Commit"] == "4f0c9d1b7a20"
    assert found["Versions"].startswith("rnnlab 0.2.0, python 3.11.14, torch 2.13.0+cpu")


def test_the_machine_of_the_timing_is_named_if_it_is_different(records: Records) -> None:
    same = dict(machine(records))
    assert same["Date, speed"] == "2025-11-19"
    assert "Processor, speed" not in same
    elsewhere = replace(records, timing_environment={**environment(3), "cpu": "Other"})
    assert dict(machine(elsewhere))["Processor, speed"] == "Other, 2 cores, AVX512"


def test_an_experiment_that_has_not_begun_has_no_machine(records: Records) -> None:
    bare = [replace(run, environment={}) for run in records.runs]
    assert machine(replace(records, runs=bare, timing_environment={})) == []


@pytest.mark.parametrize("hidden", ["seed", "data_dir", "threads", "device"])
def test_seed_and_machine_settings_are_not_listed_as_shared(records: Records, hidden: str) -> None:
    found = {name: (value, named) for name, value, named in base_settings(records)}
    assert hidden not in found
    assert found["num_epochs"] == ("100", True)
    assert found["num_layers"] == ("1", False)


def test_settings_that_vary_are_not_listed_as_shared(records: Records) -> None:
    varied = {name for variant in records.plan.variants for name in variant.change}
    assert {"cell", "hidden_size", "learning_rate", "batch_size", "dropout"} <= varied
    assert not varied & {name for name, *_ in base_settings(records)}
    unless = dict(protocol(records, []))["Unless changed"]
    assert "hidden_size = 256" in unless
    assert "learning_rate = 1," in unless


def test_what_all_variants_change_in_the_same_way_is_shared() -> None:
    changes = [{"cell": cell, "hidden_size": 64} for cell in ("lstm", "gru")]
    variants = [{"name": change["cell"], "change": change} for change in changes]
    made = made_up_records(made_up_plan(variant=variants, claim=[], seeds=2), points=3)
    found = {name: value for name, value, _ in base_settings(made)}
    assert found["hidden_size"] == "64"
    assert "cell" not in found


def test_variants_that_read_another_text_are_named() -> None:
    variants = [{"name": "char"}, {"name": "word", "change": {"tokenizer": "word"}}]
    made = made_up_records(made_up_plan(variant=variants, claim=[], seeds=2), points=3)
    assert "variants differ in tokenizer" in dict(protocol(made, []))["Text"]
