"""Settings that are chosen: always possible, never against what is given, larger with the means."""

from pathlib import Path

import pytest
from command_line import Cli, made_up_text
from hypothesis import given, settings
from hypothesis import strategies as st

import rnnlab
from rnnlab.config import CHOSEN, Settings
from rnnlab.engines import choose
from rnnlab.errors import CorpusError, UsageError
from rnnlab.runs import automatic
from rnnlab.runs.automatic import choose_precision, choose_settings
from rnnlab.runs.effects import without_effect
from rnnlab.runs.machine_speed import MachineSpeed, work
from rnnlab.runs.precedence import budget_setting

FAST, SLOW = MachineSpeed(1e-8, 1e-13), MachineSpeed(1e-5, 1e-9)

texts = st.integers(100, 500_000_000)
vocabularies = st.integers(1, 100_000)
speeds = st.builds(MachineSpeed, st.floats(0, 1e-3), st.floats(1e-14, 1e-8))
budgets = st.sampled_from(["max_seconds", "max_tokens", "num_epochs"]).flatmap(
    lambda name: st.tuples(
        st.just(name), st.integers(1, 10**9) if name == "max_tokens" else st.integers(1, 10_000)
    )
)
GIVEN = {
    "batch_size": 7, "num_steps": 9, "hidden_size": 100, "embedding_size": 5, "dropout": 0.0,
    "input_dropout": 0.3, "weight_dropout": 0.2, "output_scale": 1.0, "ngram_order": 0,
    "learning_rate": 0.5, "beta1": 0.9, "beta2": 0.9, "schedule": "constant", "optimizer": "sgd",
    "cell": "gru", "num_layers": 2, "tie_weights": True, "input": "one-hot", "tokenizer": "word",
    "init": "orthogonal",
}  # fmt: skip
givens = st.lists(st.sampled_from(sorted(GIVEN)), unique=True).map(
    lambda names: {name: GIVEN[name] for name in names}
)


def choice(tokens=1_000_000, vocabulary=65, speed=FAST, **asked):
    return choose_settings(
        Settings().with_changes(**asked), asked, tokens, vocabulary, lambda settings: speed
    )


@given(tokens=texts, vocabulary=vocabularies, speed=speeds, budget=budgets, asked=givens)
@settings(deadline=None)
def test_what_is_given_stays_and_what_is_chosen_has_an_effect(
    tokens, vocabulary, speed, budget, asked
):
    if "tie_weights" in asked:
        asked.pop("input", None)
        asked["embedding_size"] = asked.get("hidden_size", 256)
    if "input" in asked:
        asked.pop("embedding_size", None)
        asked.pop("input_dropout", None)
    if asked.get("optimizer") == "sgd":
        asked.pop("beta1", None)
        asked.pop("beta2", None)
    name, amount = budget
    asked[name] = float(amount) if name == "max_seconds" else amount
    chosen = choice(tokens, vocabulary, speed, **asked)
    values, before = chosen.settings.flat(), Settings().with_changes(**asked).flat()
    changed = {n for n, value in values.items() if value != before[n]}
    assert changed <= {*CHOSEN} - {*asked}
    assert not without_effect(chosen.settings, changed)
    data = chosen.settings.data
    assert data.batch_size * data.num_steps < tokens or asked.keys() & {"batch_size", "num_steps"}


@given(tokens=texts, vocabulary=vocabularies, speed=speeds, seconds=st.integers(1, 5_000))
@settings(deadline=None)
def test_more_time_never_leads_to_a_smaller_network(tokens, vocabulary, speed, seconds):
    less, more = (
        choice(tokens, vocabulary, speed, max_seconds=float(s)).settings.model
        for s in (seconds, 2 * seconds)
    )
    assert work(more, vocabulary) >= work(less, vocabulary)


@given(tokens=st.integers(100, 100_000_000), seconds=st.integers(1, 5_000))
@settings(deadline=None)
def test_more_text_never_leads_to_more_dropout(tokens, seconds):
    models = [
        choice(n, max_seconds=float(seconds), hidden_size=256).settings.model
        for n in (tokens, 2 * tokens)
    ]
    assert models[0].dropout >= models[1].dropout
    assert models[0].input_dropout >= models[1].input_dropout
    assert models[0].weight_dropout >= models[1].weight_dropout


def test_a_network_alone_is_regularized_more_where_a_text_is_read_often():
    for epochs, differs in ((2, False), (8, True)):
        joined, alone = (choice(num_epochs=epochs, ngram_order=order).settings for order in (10, 0))
        assert (alone.model.dropout > joined.model.dropout) is differs
        assert (alone.model.input_dropout > joined.model.input_dropout) is differs
        assert (alone.training.weight_decay > joined.training.weight_decay) is differs


@pytest.mark.parametrize("size", [{"hidden_size": 64}, {"embedding_size": 256}], ids=str)
def test_tied_weights_keep_the_size_that_one_flag_gives(size):
    model = choice(tie_weights=True, max_seconds=30.0, **size).settings.model
    assert {model.hidden_size, model.embedding_size} == {*size.values()}


def test_nothing_is_measured_without_a_budget_in_seconds():
    def measure(settings):
        raise AssertionError

    asked = {"max_tokens": 3_000_000}
    chosen = choose_settings(Settings().with_changes(**asked), asked, 10**6, 65, measure)
    assert "seconds" not in chosen.why
    assert chosen.settings.model.hidden_size >= 256


def test_without_a_budget_the_default_one_counts():
    assert choice().settings == choice(max_seconds=120.0).settings


def test_a_slow_machine_trains_a_small_network():
    slow, fast = (choice(speed=s, max_seconds=30.0) for s in (SLOW, FAST))
    assert slow.settings.model.hidden_size < fast.settings.model.hidden_size


def test_too_little_text_or_time_is_one_clear_error():
    with pytest.raises(CorpusError, match="has 99 tokens; it needs at least 100 to choose set"):
        choice(99)
    with pytest.raises(UsageError, match=r"max_seconds = 0.5 is too short .* at least 1 \(--no-a"):
        choice(max_seconds=0.5)


@pytest.mark.parametrize(
    ("asked", "engine", "here", "expected"),
    [
        ({}, "native", "", "bfloat16"),
        ({}, "builtin", "", "float32"),
        ({}, "native", "a CPU with AVX-512", "float32"),
        ({"precision": "float32"}, "native", "", "float32"),
        ({"engine": "textbook"}, "native", "", "float32"),
        ({"device": "cpu"}, "native", "", "bfloat16"),
    ],
    ids=str,
)
def test_bfloat16_where_it_is_the_fastest(monkeypatch, asked, engine, here, expected):
    monkeypatch.setattr(automatic, "precision_needs", lambda precision, device: here)
    monkeypatch.setattr(automatic, "choose_engine", lambda *_: (choose.ENGINES[engine], ""))
    chosen = choose_precision(Settings().with_changes(**asked), asked)
    assert chosen.machine.precision == expected


@pytest.mark.parametrize(
    ("budget", "seconds"), [("30s", 30), ("3m", 180), ("1h", 3600), ("1.5h", 5400), ("0.5s", 0.5)]
)
def test_budgets_have_a_unit(budget, seconds):
    assert budget_setting(budget) == {"max_seconds": seconds}


@pytest.mark.parametrize("budget", ["", "30", "s", "0s", "-1s", "3 m", "3d", "1e3s", "٣s", "3s "])
def test_other_budgets_are_refused(budget):
    with pytest.raises(UsageError, match="is not a time such as 30s, 3m or 1h"):
        budget_setting(budget)


def test_one_of_two_budgets_in_seconds():
    with pytest.raises(UsageError, match="budget and max_seconds say the same; give one of them"):
        budget_setting("3s", {"max_seconds": 3})


def test_a_run_stores_what_was_chosen_and_prints_it(cli: Cli, tmp_path: Path) -> None:
    text, run, again = tmp_path / "text.txt", tmp_path / "run", tmp_path / "again"
    text.write_text(made_up_text(400), encoding="utf-8")
    flags = "--max-tokens 20000 --hidden-size=24 --no-tie-weights --dropout 0 --threads 1"
    done = cli("train", str(text), *flags.split(), "--run-dir", str(run))
    lines = {line[:10].strip(): line[10:] for line in done.stdout.splitlines()}
    assert lines["chosen"].startswith("H = 24, batches of ")
    assert " training tokens: " in lines["because"]
    settings = Settings.from_toml(run / "config.toml")
    assert (settings.model.dropout, settings.model.hidden_size) == (0.0, 24)
    assert settings.model.ngram_order == 10
    assert settings.training.schedule == "linear"
    done = cli("train", "--config", str(run / "config.toml"), "--run-dir", str(again))
    assert "\nchosen " not in done.stdout
    last = [(folder / "checkpoint/last/model.safetensors") for folder in (run, again)]
    assert last[0].read_bytes() == last[1].read_bytes()


def test_defaults_without_choosing(cli: Cli, text_file: Path, tmp_path: Path) -> None:
    flags = "--no-automatic --max-tokens 1000 --hidden-size 8 --embedding-size 4"
    run = str(tmp_path / "run")
    done = cli("train", str(text_file), *flags.split(), "--run-dir", run)
    assert "\nchosen " not in done.stdout
    kept = Settings.from_toml(Path(run, "config.toml")).flat()
    defaults = Settings().flat()
    assert all(
        kept[n] == defaults[n]
        for n in {*CHOSEN} - {"hidden_size", "embedding_size", "learning_rate"}
    )


def test_measuring_a_machine_for_a_budget_in_seconds(text_file: Path, tmp_path: Path) -> None:
    run = rnnlab.train(corpus=text_file, budget="1s", run_dir=tmp_path / "run", quiet=True)
    assert run.settings.training.max_seconds == 1.0
    assert run.settings.model.ngram_order == 10
