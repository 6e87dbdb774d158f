"""Experiment files from comparisons: what they hold, and that they can be planned."""

import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
from made_up_contenders import made_up_contender

from rnnlab.comparison.comparison import compared
from rnnlab.comparison.contender import Contender
from rnnlab.comparison.new_experiment import experiment_file, write_experiment
from rnnlab.config import Settings
from rnnlab.errors import UsageError
from rnnlab.experiments.plan import make_plan


def content(*contenders: Contender) -> dict:
    text = experiment_file(compared(contenders))
    made = tomllib.loads(text)
    plan = make_plan(made, "x", "x")
    plan.check_settings_have_effect("x")
    for group in compared(contenders).groups:
        own = group.members[0].settings
        assert own is not None
        planned = plan.variant_settings(group.name, seed=own.training.seed)
        assert planned == own  # the variant is the run
    return made


def test_shared_settings_are_the_base_and_the_rest_variants() -> None:
    made = content(
        made_up_contender("a", hidden_size=64, forget_bias=1.0),
        made_up_contender("b", hidden_size=64, cell="gru", optimizer="sgd", momentum=0.5),
    )
    assert made["base"] == {"corpus": ["made-up"], "hidden_size": 64, "num_epochs": 2}
    assert made["variant"] == [
        {"name": "a", "change": {"forget_bias": 1.0}},
        {"name": "b", "change": {"cell": "gru", "optimizer": "sgd", "momentum": 0.5}},
    ]


def test_the_seeds_that_were_looked_at_are_left_out() -> None:
    made = content(*(made_up_contender(f"{c}-{s}", cell=c, seed=s, draw=s + 9 * len(c))
                     for c in ("lstm", "gru") for s in (1, 3)))  # fmt: skip
    assert made["seeds"] == [0, 2, 4, 5, 6, 7]
    assert made["quick"]["seeds"] == [0, 2]


@pytest.mark.parametrize(("bits", "expect"), [(1.8, "lower"), (2.2, "higher"), (2.0, "different")])
def test_a_claim_goes_in_the_direction_that_was_seen(bits: float, expect: str) -> None:
    made = content(made_up_contender("a", 2.0), made_up_contender("b", bits, draw=4, cell="gru"))
    (claim,) = made["claim"]
    (comparison,) = claim["comparison"]
    assert comparison == {
        "variant": "b", "against": "a", "outcome": "best_held_out_bits_per_character",
        "expect": expect,
    }  # fmt: skip


def test_comments_say_what_was_measured_and_what_must_be_tested() -> None:
    text = experiment_file(
        compared([made_up_contender("a"), made_up_contender("b", 1.8, cell="gru")])
    )
    comments = " ".join(line.removeprefix("# ") for line in text.splitlines() if line[:1] == "#")
    assert "The comparison looked at seed 0; a difference that was found there can only" in comments
    assert "b predicts the text better than a: 0.200 bits/character less" in comments
    assert "The claim must now be tested on fresh seeds." in comments


def test_last_weights_and_another_budget_for_the_quick_version() -> None:
    one = replace(made_up_contender("a", max_tokens=1000), checkpoint="last")
    two = replace(made_up_contender("b", max_tokens=2000), checkpoint="last")
    made = content(one, two)
    assert made["quick"].keys() == {"seeds", "max_seconds"}
    assert made["claim"][0]["comparison"][0]["outcome"] == "held_out_bits_per_character"


def test_without_a_held_out_text_there_is_no_claim() -> None:
    one, two = (replace(made_up_contender(n, cell=c), text=None, code=None, figures={})
                for n, c in (("a", "lstm"), ("b", "gru")))  # fmt: skip
    made = content(one, two)
    assert "claim" not in made
    assert made["outcomes"] == ["training_perplexity", "tokens_per_second", "training_seconds"]


def test_names_that_toml_reads_otherwise_stay_as_they_are() -> None:
    names = ['a "b" \\ c', "d\n[[claim]]\n# é 漢 😀"]
    made = content(made_up_contender(names[0]), made_up_contender(names[1], cell="gru"))
    assert [variant["name"] for variant in made["variant"]] == names


def test_what_cannot_become_an_experiment(tmp_path: Path) -> None:
    one = made_up_contender("a")
    with pytest.raises(UsageError, match="nothing differs between a and b that decides the result"):
        experiment_file(compared([one, replace(one, name="b")]))
    with pytest.raises(
        UsageError, match="b is a model folder, which does not say how it was train"
    ):
        experiment_file(compared([one, replace(one, name="b", settings=None)]))
    (tmp_path / "experiment.toml").write_text("")
    with pytest.raises(UsageError, match=r"experiment\.toml exists; choose another folder"):
        write_experiment(compared([one, made_up_contender("b", cell="gru")]), tmp_path)


def test_defaults_are_not_written() -> None:
    assert Settings().with_changes(num_epochs=2, corpus=("made-up",)).flat().keys() >= content(
        made_up_contender("a"), made_up_contender("b", cell="gru")
    )["base"].keys() == {"corpus", "num_epochs"}  # fmt: skip
