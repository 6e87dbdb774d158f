"""The settings over HTTP are those of `rnnlab train`, without those that reach out."""

import json
from typing import Any

import pytest
from served import Served

import rnnlab
from rnnlab.cells import CELLS
from rnnlab.cli import run_command
from rnnlab.config import CHANGEABLE, CHOSEN, Settings
from rnnlab.errors import UsageError
from rnnlab.web.settings_form import OUTSIDE, changed_settings, flags, new_settings, settings_form

OFFERED = [setting for group in settings_form() for setting in group["settings"]]
OTHERS: dict[str, Any] = {
    "unit": "lines", "column": "line", "label_column": "who", "encoding": "cp1252",
    "errors": "replace", "preprocessing": "lower", "tokenizer": "word", "vocabulary": "text",
    "split": [0.8, 0.1, 0.1], "fold": "1/5", "split_order": "file", "split_at": "anywhere",
    "document_state": "reset", "batching": "random", "cell": "gru", "match_parameters": "lstm:8",
    "input": "one-hot", "init": "normal", "freeze": ["embedding", "output"], "optimizer": "sgd",
    "schedule": "one-cycle", "validation_context": "carried", "sample_prefix": "--a 'b' é",
    "engine": "textbook", "device": "cpu", "precision": "bfloat16",
}  # fmt: skip
"""Values that are not the defaults; of numbers it is the default and a bit more."""

APART = (
    "canaries", "input_dropout", "tie_weights", "forget_bias", "layer_dropout", "batching"
)  # fmt: skip
"""Settings that exclude others of these."""
WITH_THEM = {"cell": "lstm", "num_layers": 2, "hidden_size": 64}


def other_value(setting: dict[str, Any]) -> Any:
    if setting["name"] in OTHERS:
        return OTHERS[setting["name"]]
    if setting["kind"] == "flag":
        return not setting["default"]
    if setting["kind"] == "whole":
        return setting["default"] + 1
    return setting["default"] / 2 or 0.25


def test_every_setting_is_offered_or_refused() -> None:
    offered = [setting["name"] for setting in OFFERED]
    assert sorted([*offered, *OUTSIDE, "max_seconds"]) == sorted(Settings.names())
    assert {s["name"] for s in OFFERED if s["chosen"]} == set(CHOSEN)
    assert {s["name"] for s in OFFERED if s["changeable"]} == {*CHANGEABLE} - {
        "mirror", "max_seconds"
    }  # fmt: skip


def test_the_form_says_what_the_settings_are(server: Served) -> None:
    status, content, _ = server.ask("/api/v1/settings")
    assert (status, content["refused"]) == (200, None)
    assert [group["name"] for group in content["groups"]] == list(Settings.groups)
    assert content["groups"][1]["title"] == "The language model: its layers, and how they start"
    found = {s["name"]: s for group in content["groups"] for s in group["settings"]}
    assert {name: found[name]["default"] for name in found} == json.loads(
        json.dumps({n: v for n, v in Settings().flat().items() if n in found})
    )
    assert found["cell"] | {"kind": "choice", "choices": list(CELLS)} == found["cell"]
    assert (found["dropout"]["minimum"], found["dropout"]["below"]) == (0, 1)
    assert (found["init_std"]["above"], found["num_layers"]["maximum"]) == (0, 64)
    assert (found["freeze"]["kind"], found["freeze"]["choices"]) == (
        "several", ["embedding", "recurrent", "output"]
    )  # fmt: skip
    assert all(content["main"].count(name) == found[name]["main"] for name in found)


def test_what_is_given_arrives_at_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """All at once, but for those that exclude each other."""
    arrived: dict[str, Any] = {}

    class Done:
        result = {"training": {"stopped_by": "budget"}}  # noqa: RUF012

    def train(config: None, **settings: Any) -> type[Done]:
        arrived.update(settings)
        return Done

    monkeypatch.setattr(rnnlab, "train", train)
    values = {setting["name"]: other_value(setting) for setting in OFFERED}
    first = {name: own for name, own in values.items() if name not in APART}
    for given in first, {name: values[name] for name in APART} | WITH_THEM:
        typed = {n: tuple(own) if isinstance(own, list) else own for n, own in given.items()}
        arrived.clear()
        run_command(["train", *flags(typed)])
        assert {name: arrived[name] for name in arrived if name in Settings.names()} == typed


@pytest.mark.parametrize(
    ("values", "budget", "message"),
    [
        *[
            (
                {name: 1}, "", f"{name} cannot be set here, where nothing names files or other "
                "services: give it to rnnlab train",
            )
            for name in OUTSIDE
        ],
        ({"hiden_size": 3}, "", "unknown setting 'hiden_size'; did you mean 'hidden_size'?"),
        ({"run_dir": "/etc"}, "", "unknown setting 'run_dir'"),
        ({"where": "x"}, "", "unknown setting 'where'"),
        (
            {"cell": "cell.py:Cell"}, "", "cell must be one of 'rnn', 'rnn-relu', 'gru', 'lstm', "
            "not 'cell.py:Cell'; rnnlab train takes others",
        ),
        ({"cell": 3}, "", "cell must be text, not 3"),
        (
            {"sample_prefix": "a\0"}, "", "sample_prefix must have at most 1,000 characters, and "
            "no NUL among them",
        ),
        (
            {"column": "c" * 1001}, "", "column must have at most 1,000 characters, and no NUL "
            "among them",
        ),
        ({"hidden_size": "16"}, "", "hidden_size must be a whole number, not '16'"),
        ({"hidden_size": 10**400}, "", None),
        ({"dropout": 10**400}, "", None),
        ({"dropout": 1.0}, "", "dropout must be less than 1, not 1"),
        ({"split": [0.5]}, "", None),
        ({"split": {"a": 1}}, "", "split must be a list, not one table"),
        (
            {"bpe_size": 300}, "", "bpe_size = 300 has no effect with tokenizer = 'char'; it needs "
            "tokenizer = 'bpe'",
        ),
        ({}, "30", "budget: '30' is not a time such as 30s, 3m or 1h"),
        (
            {"max_seconds": 3}, "30s", "budget and max_seconds say the same; give one of them",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(
    values: dict[str, Any], budget: str, message: str | None
) -> None:
    with pytest.raises(UsageError) as refused:
        new_settings(values, budget, "python-reference")
    assert message is None or str(refused.value) == message


def test_only_what_is_given_is_kept() -> None:
    found = new_settings({"dropout": 0, "cell": None, "seed": 3}, "1.5m", "python-reference")
    assert found == {
        "corpus": ("python-reference",), "dropout": 0.0, "max_seconds": 90.0, "seed": 3
    }  # fmt: skip
    assert flags({"corpus": ("a", "-b"), "nesterov": True, "tie_weights": False, "freeze": ()}) == [
        "--corpus", "a", "-b", "--nesterov", "--no-tie-weights",
    ]  # fmt: skip


def test_a_run_goes_on_with_what_may_change() -> None:
    before = Settings.from_flat({"max_seconds": 30.0, "hidden_size": 8})
    assert changed_settings({"patience": 0, "num_epochs": 7}, "1m", before) == {
        "num_epochs": 7, "max_seconds": 60.0
    }  # fmt: skip
    with pytest.raises(UsageError, match=r"^hidden_size cannot be changed when resuming \(can "):
        changed_settings({"hidden_size": 9}, "", before)
    with pytest.raises(UsageError, match=r"^mirror cannot be set here"):
        changed_settings({"mirror": ["mlflow"]}, "", before)
    with pytest.raises(UsageError, match=r"^sample_temperature = 1 has no effect with"):
        changed_settings({"sample_temperature": 1.0}, "", before.with_changes(sample_length=0))
