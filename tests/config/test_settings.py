import tomllib
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from rnnlab import config
from rnnlab.config import BenchSettings, GenerationSettings, Settings, find_config
from rnnlab.errors import UsageError


def reals(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(low, high, allow_subnormal=False)


TEXT = st.text(max_size=20)
SHARES = reals(0, 0.999)


@st.composite
def valid_settings(draw: st.DrawFn) -> dict[str, Any]:
    """Any settings that the rules allow."""
    values = draw(
        st.fixed_dictionaries(
            {},
            optional={
                "corpus": st.lists(TEXT.filter(bool), min_size=1, max_size=3),
                "data_dir": TEXT,
                "errors": st.sampled_from(["strict", "replace"]),
                "tokenizer": st.sampled_from(["char", "byte", "word", "bpe"]),
                "bpe_size": st.integers(257, 1_000_000),
                "corpus_limit": st.integers(0, 10**9),
                "split": st.sampled_from([(0.8, 0.1, 0.1), (1, 0, 0), (10_000, 2_500, 0)]),
                "batch_size": st.integers(1, 10**6),
                "cell": st.sampled_from(["rnn", "rnn-relu", "gru", "lstm"]),
                "num_layers": st.integers(2, 64),
                "layer_dropout": SHARES,
                "dropout": SHARES,
                "init_std": reals(1e-9, 1e9),
                "max_seconds": reals(0, 1e9),
                "learning_rate": reals(0, 1e3),
                "optimizer": st.sampled_from(["sgd", "adam", "adamw", "rmsprop", "adagrad"]),
                "validation_context": st.integers(1, 10**6).map("windows:{}".format),
                "sample_prefix": TEXT,
                "seed": st.integers(0, 2**63 - 1),
                "engine": TEXT,
            },
        )
    )
    if values.get("cell", "lstm") == "lstm":
        values["forget_bias"] = draw(reals(-1e3, 1e3))
    if values.get("optimizer") == "sgd":
        values["momentum"] = draw(reals(0.001, 0.999))
        values["nesterov"] = draw(st.booleans())
    if "layer_dropout" in values:
        values.setdefault("num_layers", 2)
    return values


@given(values=valid_settings())
@settings(max_examples=60, deadline=None, derandomize=True)
def test_toml_gives_back_the_same_settings(
    values: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = tmp_path_factory.getbasetemp() / "settings.toml"
    before = Settings.from_flat(values)
    file.write_text(before.to_toml(), encoding="utf-8")
    assert Settings.from_toml(file) == before
    for name, value in values.items():
        found = before.flat()[name]
        assert (list(found) == list(value)) if isinstance(value, list | tuple) else found == value


def test_toml_of_the_defaults_is_flat_complete_and_loads(tmp_path: Path) -> None:
    text = Settings().to_toml()
    values = tomllib.loads(text)
    assert list(values) == Settings.names()
    assert not any(isinstance(value, dict) for value in values.values())
    assert values["corpus"] == ["auto"]
    assert values["split"] == [0.9, 0.05, 0.05]
    assert "# Which text, and how it becomes batches.\n" in text
    file = tmp_path / "defaults.toml"
    file.write_text(text)
    assert Settings.from_toml(file) == Settings()


def test_a_file_changes_what_it_names_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "some.toml"
    file.write_text('hidden_size = 8\ncorpus = "book.txt"\n')
    found = Settings.from_toml(file).flat()
    assert found == Settings().flat() | {"hidden_size": 8, "corpus": ("book.txt",)}


def test_every_setting_has_a_description() -> None:
    for group in [*Settings.groups.values(), GenerationSettings]:
        for name, field in group.model_fields.items():
            assert field.description, name


def test_names_are_unique_over_the_groups() -> None:
    names = Settings.names()
    assert len(names) == len(set(names)) == len(Settings().flat())
    assert not set(names) & set(Settings.groups)


def test_every_optimizer_has_a_learning_rate_of_its_own() -> None:
    choices = get_args(config.TrainingSettings.model_fields["optimizer"].annotation)
    assert set(config.LEARNING_RATES) == set(choices)
    assert min(config.LEARNING_RATES.values()) > 0


def test_settings_cannot_be_changed_in_place() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Settings().model.hidden_size = 3  # type: ignore[misc]


def test_the_constructor_raises_pydantics_error_and_from_dict_a_usage_error() -> None:
    with pytest.raises(ValidationError, match="greater than or equal to 1"):
        GenerationSettings(length=0)
    with pytest.raises(
        UsageError, match=r"^here: length must be greater than or equal to 1, not 0"
    ):
        GenerationSettings.from_dict({"length": 0}, "here")


def test_changed_returns_a_copy_and_keeps_the_rest() -> None:
    before = Settings.from_flat({"hidden_size": 8, "seed": 3})
    after = before.with_changes(seed=4)
    assert (after.model.hidden_size, after.training.seed) == (8, 4)
    assert before.training.seed == 3


def test_changed_checks_the_rules_over_old_and_new_values() -> None:
    with pytest.raises(UsageError, match=r"^retry: forget_bias needs cell = 'lstm'; 'gru' has no"):
        Settings.from_flat({"forget_bias": 1.0}).with_changes("retry", cell="gru")


SPLIT_RULE = (
    "split needs three shares that sum to 1 (0.9 0.05 0.05) or three whole numbers of characters "
    "(10000 2500 2500), the first above 0, not "
)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"batchsize": 3}, "unknown setting 'batchsize'; did you mean 'batch_size'?"),
        ({"zzz": 3}, "unknown setting 'zzz'"),
        ({"training": {"seed": 3}}, "unknown setting 'training'"),
        ({"batch_size": 0}, "batch_size must be greater than or equal to 1, not 0"),
        ({"dropout": 1.0}, "dropout must be less than 1, not 1"),
        ({"learning_rate": float("nan")}, "learning_rate must be a finite number, not nan"),
        ({"seed": 2**63}, f"seed must be less than {2**63}, not {2**63}"),
        (
            {"cell": "lstmm"},
            "cell must be 'rnn', 'rnn-relu', 'gru', 'lstm' or FILE.py:CLASS, not 'lstmm'",
        ),
        ({"corpus": 3}, "corpus must be a list of values, not 3"),
        ({"corpus": []}, "corpus is empty"),
        ({"corpus": [""]}, "corpus 1 is empty"),
        ({"corpus": ["a.txt", 5]}, "corpus 2 must be text, not 5"),
        ({"hidden_size": "big"}, "hidden_size must be a whole number, not 'big'"),
        ({"hidden_size": 2.5}, "hidden_size must be a whole number, not 2.5"),
        ({"hidden_size": True}, "hidden_size must be a whole number, not true"),
        ({"batch_size": "16"}, "batch_size must be a whole number, not '16'"),
        ({"nesterov": 0}, "nesterov must be true or false, not 0"),
        ({"corpus": [["a"]]}, "corpus 1 must be text, not the list 'a'"),
        ({"dropout": "much"}, "dropout must be a number, not 'much'"),
        ({"nesterov": 3}, "nesterov must be true or false, not 3"),
        ({"split": (1, 2)}, "split 3 is missing"),
        ({"split": (1, 2, 3, 4)}, "split must have 3 values, not 4"),
        ({"split": (0.5, 0.5, 0.5)}, SPLIT_RULE + "0.5 0.5 0.5"),
        ({"split": (0, 0.5, 0.5)}, SPLIT_RULE + "0 0.5 0.5"),
        ({"split": (1.2, -0.1, -0.1)}, SPLIT_RULE + "1.2 -0.1 -0.1"),
        ({"split": (100, 2.5, 1)}, SPLIT_RULE + "100 2.5 1"),
        (
            {"validation_context": "windows:0"},
            "validation_context: a context rule is 'carried' or 'windows:N' with N >= 1, "
            "not 'windows:0'",
        ),
        ({"validation_context": 256}, "validation_context must be text, not 256"),
        (
            {"tie_weights": True, "input": "one-hot"},
            "tie_weights needs input = 'embedding'; one-hot has nothing to share",
        ),
        (
            {"tie_weights": True, "embedding_size": 8, "hidden_size": 9},
            "tie_weights needs embedding_size = hidden_size, not 8 and 9",
        ),
        (
            {"forget_bias": 1.0, "cell": "gru"},
            "forget_bias needs cell = 'lstm'; 'gru' has no forget gate",
        ),
        ({"input_dropout": 0.1, "input": "one-hot"}, "input_dropout needs input = 'embedding'"),
        (
            {"layer_dropout": 0.1},
            "layer_dropout needs num_layers of at least 2; use dropout instead",
        ),
        (
            {"nesterov": True, "optimizer": "sgd"},
            "nesterov needs optimizer = 'sgd' and momentum above 0",
        ),
        (
            {"nesterov": True, "momentum": 0.9, "optimizer": "rmsprop"},
            "nesterov needs optimizer = 'sgd' and momentum above 0",
        ),
        (
            {"momentum": 0.9, "optimizer": "adam"},
            "momentum needs optimizer = 'sgd' or 'rmsprop', not 'adam'",
        ),
    ],
)
def test_an_error_names_the_setting_the_rule_and_the_value(
    values: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError) as caught:
        Settings.from_flat(values, "here")
    assert str(caught.value) == f"here: {message}"


def test_several_faults_are_reported_at_once_one_per_line() -> None:
    with pytest.raises(UsageError) as caught:
        Settings.from_flat({"batch_size": 0, "tokenizer": "syllable", "dropout": True, "seed": -1})
    assert str(caught.value).splitlines() == [
        "settings: tokenizer must be 'char', 'byte', 'word' or 'bpe', not 'syllable'",
        "settings: batch_size must be greater than or equal to 1, not 0",
        "settings: dropout must be a number, not true",
        "settings: seed must be greater than or equal to 0, not -1",
    ]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"beam_width": 2, "top_k": 3},
            "beam_width excludes top_k: beam search does not sample",
        ),
        (
            {"beam_width": 2, "top_p": 0.5},
            "beam_width excludes top_p: beam search does not sample",
        ),
        (
            {"beam_width": 2, "temperature": 0.5},
            "beam_width excludes temperature: beam search does not sample",
        ),
        (
            {"temperature": 0, "top_k": 3},
            "temperature = 0 excludes top_k: it always takes the most likely token",
        ),
        (
            {"temperature": 0, "min_p": 0.1},
            "temperature = 0 excludes min_p: it always takes the most likely token",
        ),
        (
            {"beam_width": 2, "min_p": 0.1},
            "beam_width excludes min_p: beam search does not sample",
        ),
        (
            {"beam_width": 2, "repetition_penalty": 1.5},
            "beam_width excludes repetition_penalty: beam search takes all tokens as they are",
        ),
        (
            {"beam_width": 2, "matching": "a"},
            "beam_width excludes matching: beam search takes all tokens as they are",
        ),
        ({"min_p": 1.5}, "min_p must be less than or equal to 1, not 1.5"),
        ({"repetition_penalty": 0}, "repetition_penalty must be greater than 0, not 0"),
        ({"stop": ("a", "")}, "stop 2 is empty"),
        (
            {"matching": "a("},
            "matching = 'a(' is not a regular expression: missing ), unterminated "
            "subpattern at position 1",
        ),
        ({"top_p": 0.0}, "top_p must be greater than 0, not 0"),
        ({"topk": 3}, "unknown key 'topk'; did you mean 'top_k'?"),
    ],
)
def test_generation_rules(values: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        GenerationSettings.from_dict(values)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"hiden_size = 8", "unknown setting 'hiden_size'; did you mean 'hidden_size'?"),
        (b"hidden_size = -8", "hidden_size must be greater than or equal to 1, not -8"),
        (b"hidden_size 8", "not TOML: "),
        (b"\xff", "not TOML: the file is not UTF-8 text"),
    ],
)
def test_a_refused_file_is_named(content: bytes, message: str, tmp_path: Path) -> None:
    file = tmp_path / "bad.toml"
    file.write_bytes(content)
    with pytest.raises(UsageError) as caught:
        Settings.from_toml(file)
    assert str(caught.value).startswith(f"{file}: {message}")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "none.toml"
    with pytest.raises(UsageError) as caught:
        Settings.from_toml(file)
    assert str(caught.value) == f"{file}: cannot be read: No such file or directory"


@pytest.fixture
def recipes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "recipes"
    folder.mkdir()
    for name in ("first", "second"):
        (folder / f"{name}.toml").write_text("seed = 1\n")
    monkeypatch.setattr(config.settings, "RECIPES", folder)
    return folder


def test_a_config_is_found_by_path_before_recipe(
    recipes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_config("first") == recipes / "first.toml"
    own = tmp_path / "first"
    own.write_text("seed = 2\n")
    assert find_config("first") == Path("first")
    assert find_config(str(own)) == own


@pytest.mark.parametrize(
    ("name", "suggestion"), [("secnd", "; did you mean 'second'?"), ("elsewhere/first", "")]
)
def test_an_unknown_config_names_the_recipes(name: str, suggestion: str, recipes: Path) -> None:
    with pytest.raises(UsageError) as caught:
        find_config(name)
    assert str(caught.value) == (
        f"config: '{name}' is neither a file nor a recipe{suggestion} (recipes: first, second)"
    )


def test_every_recipe_that_ships_is_found_and_loads() -> None:
    names = [file.stem for file in config.settings.RECIPES.iterdir() if file.suffix == ".toml"]
    assert names
    for name in names:
        assert Settings.from_toml(find_config(name)) != Settings(), name


@pytest.mark.parametrize(
    ("name", "given", "taken"),
    [
        ("corpus", "a.txt", ("a.txt",)),
        ("corpus", Path("a.txt"), ("a.txt",)),
        ("corpus", [Path("a.txt"), "b.txt"], ("a.txt", "b.txt")),
        ("data_dir", Path("texts"), "texts"),
        ("mirror", "mlflow", ("mlflow",)),
    ],
)
def test_one_value_for_a_list_and_paths_for_text(name: str, given: object, taken: object) -> None:
    assert Settings.from_flat({name: given}).flat()[name] == taken


def test_one_value_is_enough_for_each_list_of_a_benchmark() -> None:
    one = BenchSettings.from_dict(
        {"cell": "gru", "engine": "native", "hidden_size": 8, "batch_size": 2}
    )
    assert (one.cell, one.engine, one.hidden_size, one.batch_size) == (
        ("gru",), ("native",), (8,), (2,),
    )  # fmt: skip


def test_a_byte_order_mark_in_a_settings_file(tmp_path: Path) -> None:
    """Editors on Windows write one."""
    file = tmp_path / "my.toml"
    file.write_bytes(b"\xef\xbb\xbfhidden_size = 8\n")
    assert Settings.from_toml(file).model.hidden_size == 8


def test_a_text_given_as_a_settings_file(tmp_path: Path) -> None:
    file = tmp_path / "story.txt"
    file.write_text("Once upon a time")
    with pytest.raises(
        UsageError, match=r"story\.txt: not TOML: .*; a text to train on is given as"
    ):
        Settings.from_toml(file)
