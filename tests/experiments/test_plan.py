"""Plans of experiment files, and an error message for each thing that is wrong."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnlab.config import Settings
from rnnlab.errors import UsageError
from rnnlab.experiments.folder import open_folder
from rnnlab.experiments.plan import change_name, read_plan, settings_id
from rnnlab.experiments.settings import ExperimentSettings, apply_quick


def test_a_grid_is_every_combination_seed_by_seed(make: Any) -> None:
    plan = make(grid={"cell": ["lstm", "gru"], "hidden_size": [8, 16]}, seeds=[3, 5])
    names = [f"cell={cell}, hidden_size={size}" for cell in ("lstm", "gru") for size in (8, 16)]
    assert [variant.name for variant in plan.variants] == names
    assert [(run.variant, run.seed) for run in plan.runs] == [(n, s) for s in (3, 5) for n in names]
    last = plan.runs[-1].settings
    assert (last.model.cell, last.model.hidden_size, last.training.seed) == ("gru", 16, 5)
    assert last.data == plan.base.data


def test_a_list_of_variants_with_a_recipe_as_base(make: Any) -> None:
    plan = make(
        base={"config": "lab-report", "num_epochs": 3},
        grid=None,
        variant=[{"name": "plain"}, {"name": "fast", "change": {"learning_rate": 5.0}}],
    )
    assert plan.reference == "plain"
    assert plan.base.data.preprocessing == "letters"
    assert plan.variant_settings("fast", seed=4).training.learning_rate == 5.0
    assert plan.variant_settings("fast", seed=4).training.seed == 4


def test_random_draws_stay_in_their_range_and_repeat(make: Any) -> None:
    random = {
        "count": 200,
        "settings": {
            "learning_rate": {"low": 1e-4, "high": 1e-1, "log": True},
            "dropout": {"low": 0.0, "high": 0.5},
            "num_layers": {"low": 1, "high": 3},
            "cell": {"choices": ["lstm", "gru"]},
        },
    }
    plan = make(grid=None, random=random, seeds=1)
    changes = [variant.change for variant in plan.variants]
    assert changes == [v.change for v in make(grid=None, random=random, seeds=1).variants]
    rates = np.log10([change["learning_rate"] for change in changes])
    assert -4 <= rates.min() < -3.7 < -1.3 < rates.max() <= -1
    assert abs(rates.mean() + 2.5) < 0.2
    assert {change["num_layers"] for change in changes} == {1, 2, 3}
    assert {change["cell"] for change in changes} == {"lstm", "gru"}
    assert all(0 <= change["dropout"] <= 0.5 for change in changes)


def test_without_claims_every_variant_is_compared_with_the_reference(make: Any) -> None:
    plan = make(grid={"cell": ["lstm", "gru", "rnn"]}, reference="cell=gru")
    (first, second) = (claim.comparison[0] for claim in plan.claims)
    assert (first.variant, second.variant) == ("cell=lstm", "cell=rnn")
    assert {first.against, second.against} == {"cell=gru"}
    assert {first.outcome, second.outcome} == {"held_out_bits_per_character"}


def test_the_id_does_not_depend_on_where_a_run_is_computed() -> None:
    base = Settings().with_changes(corpus="timemachine", num_epochs=1)
    same = base.with_changes(threads=7, data_dir="/elsewhere", device="cpu")
    assert settings_id(same) == settings_id(base)
    others = [
        base.with_changes(**change)
        for change in ({"seed": 1}, {"cell": "gru"}, {"engine": "textbook"}, {"num_epochs": 2})
    ]
    assert len({settings_id(each) for each in [base, *others]}) == 5


def test_the_id_does_not_depend_on_settings_with_default_values() -> None:
    """A setting that a later version adds must not change the ids of finished runs."""
    base = Settings().with_changes(num_epochs=1)
    assert settings_id(base) == settings_id(base.with_changes(dropout=0.0, cell="lstm"))


@given(
    st.dictionaries(
        st.sampled_from(["hidden_size", "batch_size", "num_steps"]), st.integers(1, 999)
    )
)
def test_the_id_does_not_depend_on_the_order_of_settings(change: dict[str, int]) -> None:
    backwards = dict(reversed(change.items()))
    assert settings_id(Settings().with_changes(**change)) == settings_id(
        Settings().with_changes(**backwards)
    )


def test_names_of_changes() -> None:
    assert change_name({"cell": "gru", "learning_rate": 0.123456}) == (
        "cell=gru, learning_rate=0.1235"
    )


def test_quick_replaces_seeds_timing_and_base() -> None:
    content = {
        "question": "?",
        "seeds": 6,
        "base": {"num_epochs": 500, "cell": "gru"},
        "timing": {"rounds": 7, "threads": 2},
        "quick": {"seeds": 1, "num_epochs": 2, "timing": {"rounds": 1}},
    }
    assert apply_quick(content) == {
        "question": "?",
        "seeds": 1,
        "base": {"num_epochs": 2, "cell": "gru"},
        "timing": {"rounds": 1, "threads": 2},
    }
    assert content["quick"] == {"seeds": 1, "num_epochs": 2, "timing": {"rounds": 1}}


VARIANTS = [{"name": "a"}, {"name": "b", "change": {"cell": "gru"}}]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sedes": 3}, "unknown key 'sedes'; did you mean 'seeds'?"),
        ({"question": ""}, "question is empty; say what the experiment is to find out"),
        ({"grid": {}}, "the grid is empty: it names no setting"),
        ({"grid": {"cell": []}}, "the grid is empty: cell has no values"),
        (
            {"grid": None},
            "an experiment needs exactly one of [[variant]], [grid], [random] and [search], "
            "not none",
        ),
        (
            {"variant": VARIANTS},
            "an experiment needs exactly one of [[variant]], [grid], [random] and [search], "
            "not variant and grid",
        ),
        ({"grid": None, "variant": [{"name": "a"}, {"name": "a"}]}, "variant 'a' occurs twice"),
        ({"seeds": [1, 1]}, "seed 1 occurs twice"),
        ({"seeds": 0}, "seeds must be a number of at least 1, or a list of seeds"),
        ({"seeds": 2_000_000}, "seeds: at most 100,000 can be run, not 2,000,000"),
        ({"seeds": 10**25}, f"seeds: at most 100,000 can be run, not {10**25:,}"),
        (
            {"grid": {name: [*range(1, 101)] for name in ("batch_size", "num_steps", "patience")}},
            "[grid] makes 1,000,000 variants; at most 100,000 can be run",
        ),
        ({"seeds": "two"}, "seeds must be a number or a list of numbers, not 'two'"),
        ({"seeds": [0, -1]}, "seeds 2 must be greater than or equal to 0, not -1"),
        ({"phrases": "The"}, "phrases must be a list of values, not 'The'"),
        ({"question": None}, "question is missing"),
        ({"timing": {"round": 1}}, "timing: unknown key 'round'; did you mean 'rounds'?"),
        ({"timing": [{"rounds": 3}]}, "timing must be one table, not a list"),
        ({"base": 3}, "base must be a table, not 3"),
        (
            {"grid": {"hiden_size": [1]}},
            "variant 'hiden_size=1': unknown setting 'hiden_size'; did you mean 'hidden_size'?",
        ),
        (
            {"grid": {"batch_size": [4, 0], "cell": ["lstm", "gru"]}},
            "variant 'batch_size=0, cell=lstm': batch_size must be greater than or equal to 1, "
            "not 0",
        ),
        ({"grid": {"cell": "gru"}}, "grid: cell must be a list of values, not 'gru'"),
        ({"grid": {"cell": ["lstm", "gru", "lstm"]}}, "grid: cell has 'lstm' twice"),
        ({"grid": {"dropout": [0.12341, 0.12342]}}, "variant 'dropout=0.1234' occurs twice"),
        (
            {"grid": None, "variant": [{"name": "a"}, {"name": "b", "chnage": {"cell": "gru"}}]},
            "variant 2: unknown key 'chnage'; did you mean 'change'?",
        ),
        (
            {"grid": None, "variant": [{"name": "a", "zzz": 3}]},
            "variant 1: unknown key 'zzz' (choices: name, change, group, note, reported)",
        ),
        ({"grid": None, "variant": {"name": "a"}}, "variant must be a list, not one table"),
        (
            {"grid": None, "variant": [{"name": "a", "reported": {"training_perplexity": "low"}}]},
            "variant 1, reported: training_perplexity must be a number, not 'low'",
        ),
        (
            {"grid": None, "search": {"settings": {"dropout": {"low": 0.0, "high": 0.5}}}},
            "a search runs each suggestion with one seed; give only one",
        ),
        ({"grid": {"seed": [1, 2]}}, "variant 'seed=1': seed belongs in seeds"),
        ({"outcomes": ["bits"]}, "unknown outcome 'bits' (choices: held_out_bits_per_character"),
        ({"reference": "cell=grx"}, "unknown reference 'cell=grx'; did you mean 'cell=gru'?"),
        (
            {"random": {"settings": {"dropout": {"low": 0.5, "high": 0.1}}}, "grid": None},
            "random.settings.dropout: low must be below high, not 0.5 and 0.1",
        ),
        (
            {"random": {"settings": {"dropout": {"lo": 0.5, "high": 0.9}}}, "grid": None},
            "random.settings.dropout: unknown key 'lo'; did you mean 'low'?",
        ),
        (
            {"search": {"settings": {"dropout": {"low": "no", "high": 0.9}}}, "grid": None},
            "search.settings.dropout: low must be a number, not 'no'",
        ),
        (
            {"random": {"settings": {"dropout": {"low": 0.5}}}, "grid": None},
            "random.settings.dropout: a range needs low and high, or choices",
        ),
    ],
)
def test_an_invalid_file_gets_a_message(make: Any, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        make(**changes)
    assert str(caught.value).startswith(f"experiment.toml: {message}")
    assert len(str(caught.value).splitlines()) == 1


def test_each_error_has_a_line(make: Any) -> None:
    full = {"variant": "a", "against": "b", "outcome": "training_perplexity"}
    claims = [
        {"text": "hm"},
        {"comparison": [{**full, "expect": "lowr", "margin": -1}, {**full, "against": []}]},
    ]
    with pytest.raises(UsageError) as caught:
        make(grid=None, variant=[{"name": "a", "nam": "b"}, {}], claim=claims, sedes=3)
    assert str(caught.value).splitlines() == [
        f"experiment.toml: {line}"
        for line in (
            "variant 1: unknown key 'nam'; did you mean 'name'?",
            "variant 2: name is missing",
            "claim 1: comparison is missing",
            "claim 2, comparison 1: expect must be 'lower', 'higher', 'not lower', 'not higher', "
            "'different' or 'equivalent', not 'lowr'",
            "claim 2, comparison 1: margin must be greater than or equal to 0, not -1",
            "claim 2, comparison 2: against must be text or a number, not an empty list",
            "unknown key 'sedes'; did you mean 'seeds'?",
        )
    ]


@pytest.mark.parametrize("change", [{}, {"cell": "lstm"}, {"hidden_size": 16}, {"threads": 7}])
def test_variants_with_equal_settings_are_refused(make: Any, change: dict[str, Any]) -> None:
    with pytest.raises(UsageError) as caught:
        make(grid=None, variant=[*VARIANTS, {"name": "c", "change": change}])
    assert str(caught.value) == (
        "experiment.toml: variants 'a' and 'c' are the same: no setting differs that decides the "
        "result"
    )


def test_equal_draws_are_one_variant(make: Any) -> None:
    space = {"cell": {"choices": ["lstm", "gru"]}, "num_layers": {"low": 1, "high": 2}}
    plan = make(grid=None, random={"count": 50, "settings": space})
    assert len(plan.variants) == 4
    assert len({run.id for run in plan.runs}) == len(plan.runs) == 8


@pytest.mark.parametrize(
    ("quick", "message"),
    [
        ({"hiden_size": 8}, "base: unknown setting 'hiden_size'; did you mean 'hidden_size'?"),
        ({"hidden_size": "small"}, "base: hidden_size must be a whole number, not 'small'"),
        ({"timing": {"round": 1}}, "timing: unknown key 'round'; did you mean 'rounds'?"),
        ({"timing": False}, "timing must be a table, not false"),
        ({"seeds": "one"}, "seeds must be a number or a list of numbers, not 'one'"),
        ({"split": [1, 0, 0]}, "outcome 'held_out_bits_per_character' needs a validation or a"),
    ],
)
def test_quick_is_checked_whether_or_not_it_is_used(
    make: Any, quick: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError) as caught:
        make(quick=quick, outcomes=["held_out_bits_per_character"])
    assert str(caught.value).startswith(f"experiment.toml: quick: {message}")


@pytest.mark.parametrize("key", ["quick", "base", "timing"])
def test_a_value_that_is_not_a_table_is_refused_with_and_without_quick(make: Any, key: str) -> None:
    changed = apply_quick({"question": "?", "quick": {"timing": {}, "cell": "gru"}, key: [3]})
    with pytest.raises(UsageError, match=f"{key} must be one table, not a list"):
        make(**changed)


@pytest.mark.parametrize(
    ("base", "message"),
    [
        ({"corpus": "auto"}, "base: corpus = 'auto' depends on the machine"),
        ({"num_epochs": 0}, "base: no budget per run; set one of num_epochs, max_tokens"),
        ({"seed": 3}, "base: set seeds at the top of the file, not seed"),
        ({"config": "lab-reprt"}, "config: 'lab-reprt' is neither a file nor a recipe"),
        ({"config": 3}, "base: config must be text, not 3"),
    ],
)
def test_an_invalid_base_is_refused(
    make: Any, content: dict[str, Any], base: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError) as caught:
        make(base={**content["base"], **base})
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("comparison", "message"),
    [
        ({"variant": "c"}, "unknown variant 'c' (choices: a, b)"),
        ({"variant": "b"}, "variant 'b' against itself"),
        (
            {"expect": "lowr"},
            "expect must be 'lower', 'higher', 'not lower', 'not higher', 'different' or ",
        ),
        ({"expect": "equivalent"}, "expect = 'equivalent' needs a margin, a ratio above 1"),
        ({"expect": "lower", "margin": 0.5}, "training_perplexity is compared by ratio: margin"),
        ({"margin": 1.5}, "expect = 'different' takes no margin"),
    ],
)
def test_an_invalid_claim_is_refused(make: Any, comparison: dict[str, Any], message: str) -> None:
    full = {"variant": "a", "against": "b", "outcome": "training_perplexity", **comparison}
    with pytest.raises(UsageError) as caught:
        make(grid=None, variant=VARIANTS, claim=[{"comparison": [full]}])
    assert str(caught.value).startswith(f"experiment.toml: claim 1, comparison 1: {message}")


def test_a_search_cannot_have_claims() -> None:
    comparison = {"variant": "a", "against": "b", "outcome": "tokens_per_second"}
    content = {
        "question": "?",
        "search": {"settings": {"dropout": {"low": 0.0, "high": 0.5}}},
        "claim": [{"comparison": [comparison]}],
    }
    with pytest.raises(UsageError, match="a search cannot have claims"):
        ExperimentSettings.from_dict(content)


def test_a_missing_file_and_one_that_is_not_toml_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "experiment.toml"
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        read_plan(file)
    file.write_text("question = ")
    with pytest.raises(UsageError, match="not TOML: Invalid value"):
        read_plan(file)
    file.write_bytes("question = 'Größe'".encode("latin-1"))
    with pytest.raises(UsageError, match=r"not TOML: the file is not UTF-8 text$"):
        read_plan(file)


def test_settings_of_an_experiment_that_change_nothing_are_refused(tmp_path: Path) -> None:
    """Of a variant; of the base only if no variant uses them. A report is still written."""
    file = tmp_path / "experiment.toml"
    start = "question = '?'\n[base]\ncorpus = 'python-reference'\nmax_tokens = 100\n"

    def opened(base: str, variants: str) -> None:
        file.write_text(f"{start}{base}\n{variants}")
        open_folder(file, str(tmp_path / "out"))

    both = "[grid]\ntokenizer = ['char', 'bpe']"
    opened("bpe_size = 300", both)
    with pytest.raises(UsageError, match=r"toml: base: init_std = 0\.5 has no effect with init"):
        opened("init_std = 0.5", both)
    with pytest.raises(
        UsageError, match="variant 'tokenizer=char, bpe_size=300': bpe_size = 300 has no effect"
    ):
        opened("", f"{both}\nbpe_size = [300]")
    assert len(read_plan(file).runs) == 12
    opened("", "[random]\ncount = 4\nsettings.init.choices = ['torch', 'normal']\n"
           "settings.init_std = {low = 0.1, high = 0.5}")  # fmt: skip
