"""Outcomes that cannot be measured, and variants that cannot be compared."""

from typing import Any

import pytest

from rnnlab.errors import UsageError

VARIANTS = [{"name": "a"}, {"name": "b", "change": {"cell": "gru"}}]
WHOLE = {"split": [1.0, 0.0, 0.0]}


@pytest.mark.parametrize(
    ("outcome", "base", "needs"),
    [
        ("gradient_decay", {}, "gradient_flow = true"),
        ("initial_gradient_decay", {}, "gradient_flow = true"),
        ("prediction_seconds", {}, "phrases"),
        ("held_out_bits_per_character", WHOLE, "a validation or a test split"),
        ("best_held_out_bits_per_character", WHOLE, "a validation or a test split"),
        ("overfitting_bits_per_character", {"split": [0.9, 0, 0.1]}, "a validation split"),
        ("overfitting_bits_per_character", {"num_evaluations": 0}, "num_evaluations above 0"),
        ("validation_bits_per_character", {"num_evaluations": 0}, "num_evaluations above 0"),
    ],
)
def test_an_outcome_that_cannot_be_measured_is_refused(
    make: Any, content: dict[str, Any], outcome: str, base: dict[str, Any], needs: str
) -> None:
    message = f"outcome {outcome!r} needs {needs}"
    content["base"] |= base
    with pytest.raises(UsageError) as caught:
        make(outcomes=["training_perplexity", outcome])
    assert str(caught.value) == f"experiment.toml: {message}"
    comparison = {"variant": "a", "against": "b", "outcome": outcome}
    with pytest.raises(UsageError) as caught:
        make(grid=None, variant=VARIANTS, claim=[{"comparison": [comparison]}])
    assert str(caught.value) == f"experiment.toml: claim 1, comparison 1: {message}"
    search = {"settings": {"dropout": {"low": 0, "high": 0.5}}, "outcome": outcome}
    with pytest.raises(UsageError) as caught:
        make(grid=None, search=search, seeds=1)
    assert str(caught.value) == f"experiment.toml: search: {message}"


def test_default_outcomes_that_cannot_be_measured_are_left_out(
    make: Any, content: dict[str, Any]
) -> None:
    content["base"] |= WHOLE
    plan = make()
    assert plan.settings.outcomes == (
        "training_perplexity",
        "tokens_per_second",
        "training_seconds",
    )
    assert [claim.comparison[0].outcome for claim in plan.claims] == ["training_perplexity"]


def test_an_outcome_that_some_variant_has_is_a_column(make: Any) -> None:
    """Variants that cannot be compared are left out, unless a claim names them."""
    held_out = "held_out_bits_per_character"
    variants = [*VARIANTS, {"name": "all", "change": WHOLE}]
    plan = make(grid=None, variant=variants, outcomes=[held_out])
    assert [claim.comparison[0].variant for claim in plan.claims] == ["b"]
    comparison = {"variant": "all", "against": "a", "outcome": held_out}
    with pytest.raises(UsageError, match=r"claim 1, comparison 1: .* needs a validation or a test"):
        make(grid=None, variant=variants, claim=[{"comparison": [comparison]}])


@pytest.mark.parametrize("outcome", ["training_perplexity", "tokens_per_second", "gradient_decay"])
@pytest.mark.parametrize("change", [{"tokenizer": "word"}, {"tokenizer": "bpe"}])
def test_figures_per_token_of_different_tokens_are_not_compared(
    make: Any, change: dict[str, Any], outcome: str
) -> None:
    variants = [{"name": "A"}, {"name": "B", "change": change}]
    comparison = {"variant": "A", "against": "B", "outcome": outcome}
    plan = {"grid": None, "variant": variants, "gradient_flow": True}
    with pytest.raises(UsageError) as caught:
        make(**plan, claim=[{"comparison": [comparison]}])
    assert str(caught.value) == (
        "experiment.toml: claim 1, comparison 1: 'A' and 'B' are measured in different units "
        "(tokenizer)"
    )
    assert not make(**plan, outcomes=[outcome]).claims
    per_character = {**comparison, "outcome": "held_out_bits_per_character"}
    assert make(**plan, claim=[{"comparison": [per_character]}])


def test_perplexities_of_different_vocabularies_are_not_compared(make: Any) -> None:
    changes = {"tokenizer": "word", "min_frequency": 2}
    variants = [
        {"name": "A", "change": {"tokenizer": "word"}},
        {"name": "B", "change": changes},
    ]
    compared = {"variant": "A", "against": "B"}
    with pytest.raises(UsageError, match=r"in different units \(min_frequency\)"):
        make(
            grid=None, variant=variants,
            claim=[{"comparison": [{**compared, "outcome": "training_perplexity"}]}],
        )  # fmt: skip
    speed = [{"comparison": [{**compared, "outcome": "tokens_per_second"}]}]
    assert make(grid=None, variant=variants, claim=speed)


def test_a_search_over_tokenizers_compares_bits_per_character_only(make: Any) -> None:
    search = {"settings": {"tokenizer": {"choices": ["char", "word"]}}}
    assert make(grid=None, search=search, seeds=1)
    with pytest.raises(UsageError) as caught:
        make(grid=None, search={**search, "outcome": "training_perplexity"}, seeds=1)
    assert str(caught.value) == (
        "experiment.toml: search: training_perplexity is not comparable between values of tokenizer"
    )


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"corpus": "timemachine"}, "corpus"),
        ({"split": [0.8, 0.1, 0.1], "preprocessing": "lower"}, "preprocessing, split"),
        ({"corpus_limit": 500}, "corpus_limit"),
        ({"tokenizer": "byte"}, ""),
        ({"num_epochs": 9}, ""),
    ],
)
def test_figures_of_different_texts_are_not_compared(
    make: Any, change: dict[str, Any], named: str
) -> None:
    variants = [{"name": "A"}, {"name": "B", "change": change}]
    comparison = {"variant": "A", "against": "B", "outcome": "overfitting_bits_per_character"}
    claim = [{"comparison": [{**comparison, "outcome": "training_seconds"}, comparison]}]
    assert len(make(grid=None, variant=variants).claims) == (not named)
    if not named:
        assert make(grid=None, variant=variants, claim=claim)
        return
    with pytest.raises(UsageError) as caught:
        make(grid=None, variant=variants, claim=claim)
    assert str(caught.value) == (
        "experiment.toml: claim 1, comparison 2: 'A' and 'B' are measured on different texts "
        f"({named})"
    )


def test_a_limit_in_other_tokens_is_another_text(make: Any, content: dict[str, Any]) -> None:
    content["base"] |= {"corpus_limit": 500}
    assert not make(grid={"tokenizer": ["char", "word"]}).claims
