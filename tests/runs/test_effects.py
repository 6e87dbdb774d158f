"""Every setting that is given changes something, or is refused."""

import functools
import itertools
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

import rnnlab
from rnnlab.config import TEXTS, GenerationSettings, ModelSettings, Settings
from rnnlab.data.tokenizer import CharTokenizer
from rnnlab.engines import ENGINES
from rnnlab.errors import RnnlabError, UnavailableError, UsageError
from rnnlab.lm.compute import Compute
from rnnlab.lm.model import LanguageModel
from rnnlab.lm.text_model import TextModel
from rnnlab.runs import training, writer
from rnnlab.runs.effects import check_effects
from rnnlab.runs.environment import environment
from rnnlab.runs.preparation import prepare
from rnnlab.runs.writer import RunWriter

environment_once = functools.cache(environment)

SIZES = {"hidden_size": 4, "batch_size": 2, "num_steps": 5, "num_evaluations": 2, "threads": 1}
BASE: dict[str, Any] = {
    **SIZES, "max_tokens": 50, "split": (0.6, 0.2, 0.2), "sample_length": 8,
}  # fmt: skip

SEVERAL = ("text.txt", "one.txt", "two.txt", "three.txt")

GIVEN: dict[str, tuple[Any, dict[str, Any]]] = {
    "errors": ("replace", {"corpus": ("broken.txt",)}),
    "encoding": ("cp1252", {"corpus": ("broken.txt",)}),
    "column": ("text", {"corpus": ("table.csv",), "unit": "lines"}),
    "label_column": ("parity", {"corpus": ("table.csv",), "unit": "lines", "column": "text"}),
    "data_dir": (".", {}),
    "corpus": (("broken.txt",), {"errors": "replace"}),
    "validation_corpus": (("one.txt",), {}),
    "test_corpus": (("two.txt",), {}),
    "preprocessing": ("letters", {}),
    "tokenizer": ("byte", {}),
    "vocabulary": ("text", {}),
    "min_frequency": (3, {"tokenizer": "word"}),
    "max_vocabulary": (5, {}),
    "bpe_size": (290, {"tokenizer": "bpe"}),
    "unit": ("lines", {}),
    "corpus_limit": (75, {}),
    "canaries": (2, {}),
    "split": ((1.0, 0.0, 0.0), {}),
    "fold": ("2/3", {}),
    "split_order": ("file", {"unit": "lines"}),
    "split_seed": (1, {"unit": "lines"}),
    "split_at": ("documents", {"corpus": SEVERAL}),
    "document_state": ("reset", {"corpus": SEVERAL}),
    "batching": ("random", {}),
    "batch_size": (3, {}),
    "num_steps": (6, {}),
    "cell": ("gru", {}),
    "num_layers": (2, {}),
    "hidden_size": (5, {}),
    "match_parameters": ("lstm:5", {"cell": "gru"}),
    "input": ("one-hot", {}),
    "embedding_size": (3, {}),
    "tie_weights": (True, {"embedding_size": 4}),
    "input_dropout": (0.5, {}),
    "dropout": (0.5, {}),
    "weight_dropout": (0.5, {}),
    "layer_dropout": (0.5, {"num_layers": 2}),
    "init": ("xavier", {}),
    "init_std": (0.3, {"init": "normal"}),
    "output_scale": (3.0, {}),
    "forget_bias": (1.0, {}),
    "ngram_order": (3, {}),
    "max_tokens": (40, {}),
    "start_from": ("model", {}),
    "extend_vocabulary": (True, {"start_from": "model"}),
    "replace_vocabulary": (True, {"start_from": "model"}),
    "freeze": (("output",), {}),
    "optimizer": ("sgd", {}),
    "learning_rate": (0.01, {}),
    "momentum": (0.5, {"optimizer": "sgd"}),
    "nesterov": (True, {"optimizer": "sgd", "momentum": 0.5}),
    "beta1": (0.5, {}),
    "beta2": (0.5, {}),
    "weight_decay": (0.3, {}),
    "schedule": ("cosine", {}),
    "warmup": (0.4, {}),
    "clip_norm": (0.01, {}),
    "num_evaluations": (0, {}),
    "validation_context": ("windows:3", {}),
    "patience": (1, {"num_evaluations": 8}),
    "seed": (1, {}),
    "engine": ("textbook", {}),
    "precision": ("bfloat16", {}),
    "num_log_lines": (2, {}),
    "sample_prefix": ("The", {}),
    "sample_length": (3, {}),
    "sample_temperature": (3.0, {}),
    "checkpoint_seconds": (0.0, {}),
    "mirror": (("tensorboard",), {}),
}
"""A value for each setting that is not its default, and what else it needs."""

LEFT_OUT = {
    "num_epochs": "a limit, and max_tokens is reached before it",
    "max_seconds": "a limit in time",
    "device": "cpu is what auto chooses without a GPU",
    "threads": "changes the speed",
}

NOT_TOGETHER = (
    {"min_frequency", "max_vocabulary"},  # the tighter limit decides
    {"corpus_limit", "split_at"},  # the limit leaves one of several texts
    {"corpus_limit", "document_state"},
    {"validation_corpus", "split_at"},  # the one cut that is left falls between two texts anyway
    {"test_corpus", "split_at"},
    {"corpus_limit", "bpe_size"},  # so few characters have few pairs to merge
    {"errors", "encoding"},  # every byte is a character in the other encoding
    {"vocabulary", "extend_vocabulary"},  # the model knows the other characters
)
"""Pairs of which one may leave nothing to do for the other, depending on the text."""

TOO_HIGH = 30.0
"""A learning rate at which held-out text is soon predicted worse, so that patience ends a run."""

SHOWN = {"num_log_lines", "sample_prefix", "sample_length", "sample_temperature",
         "checkpoint_seconds", "mirror"}  # fmt: skip
"""Settings that only the files of a run show."""


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A text with other characters in its second half, and one that is not UTF-8."""
    folder = tmp_path_factory.mktemp("texts")
    draw = random.Random(0)
    words = [
        "The cat",
        "a dog",
        "Birds",
        "the river",
        "sees",
        "finds",
        "loses",
        "follows",
        "5 stones",
    ]
    more = [*words, "über", "q & a", "Zoë"]
    rare = iter(map("".join, itertools.permutations("drum")))
    first = "".join(
        draw.choice([*words, next(rare, "It")]) + draw.choice(" .\n") for _ in range(150)
    )
    second = "".join(draw.choice(more) + draw.choice(" .\n") for _ in range(100))
    (folder / "text.txt").write_text(first + second, encoding="utf-8")
    for name, sign in {"one": "!", "two": "?", "three": ";"}.items():
        (folder / f"{name}.txt").write_text(second[:150].replace(".", sign), encoding="utf-8")
    (folder / "broken.txt").write_bytes((first[100:] + second).encode("latin-1"))
    lines = enumerate((first + second).replace(",", "").split("\n"))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        rnnlab.train(
            corpus="one.txt", run_dir="run", quiet=True, automatic=False, num_epochs=1,
            split=(1.0, 0.0, 0.0), **{**SIZES, "num_evaluations": 0},
        )  # fmt: skip
        (folder / "run" / "checkpoint" / "last").rename(folder / "model")
    rows = "\n".join(f"{'odd' if n % 2 else 'even'},{line}" for n, line in lines)
    (folder / "table.csv").write_text(f"parity,text\n{rows}", encoding="utf-8")
    return folder


class Outcomes:
    """What a run gives, computed once for the same settings."""

    def __init__(self, texts: Path, work: Path) -> None:
        self.texts, self.work = texts, work
        self.known: dict[str, object] = {}

    def of(self, given: Mapping[str, Any], *, files: bool) -> object:
        """Everything that training leaves, without times; None if they are refused here."""
        key = f"{files} {sorted(given.items())}"
        if key not in self.known:
            try:
                self.known[key] = self._run(given, files=files)
            except (UsageError, UnavailableError):
                self.known[key] = None
            except RnnlabError as error:
                self.known[key] = str(error)
        return self.known[key]

    def _run(self, given: Mapping[str, Any], *, files: bool) -> object:
        names = {"corpus": ("text.txt",)} | {n: given[n] for n in TEXTS if n in given}
        paths = {n: [str(self.texts / name) for name in own] for n, own in names.items()}
        asked = dict(given) | paths
        if "start_from" in asked:
            asked["start_from"] = str(self.texts / asked["start_from"])
        settings = Settings.from_flat(BASE | asked)
        check_effects(settings, given)
        if files:
            run = training.train(settings, self.work / str(len(self.known)))
            checkpoint = "checkpoint_seconds", run.result["training"]["states_saved"]
            samples = (run.directory / "samples.txt").read_text()
            mirrors = sorted(path.name for path in run.directory.iterdir() if path.is_dir())
            return len(run.metrics), samples, checkpoint, mirrors
        ready = prepare(settings)
        trainer = ready.trainer
        events = [
            (event.loss_nats, event.gradient_norm, event.clipped, event.learning_rate)
            if hasattr(event, "loss_nats")
            else (event.step, event.held_out_nats)
            for event in trainer.run()
        ]
        weights = [p.detach().numpy().tobytes() for p in ready.model.model.parameters()]
        splits = {name: part.all_ids.tobytes() for name, part in ready.dataset.splits.items()}
        where = (ready.model.compute.engine.name, ready.settings.machine.precision)
        return events, weights, splits, where, trainer.stop_reason


@pytest.fixture(scope="module")
def outcomes(texts: Path, tmp_path_factory: pytest.TempPathFactory) -> Outcomes:
    return Outcomes(texts, tmp_path_factory.mktemp("runs"))


@pytest.fixture(autouse=True)
def only_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out what follows training and takes most of the time; no setting here decides it."""
    monkeypatch.setattr(RunWriter, "finish", lambda self, watch: self.model)
    monkeypatch.setattr("os.fsync", lambda descriptor: None)
    monkeypatch.setattr(writer, "environment", environment_once)


def test_every_setting_is_tried() -> None:
    assert {*GIVEN, *LEFT_OUT} == set(Settings.names())


@pytest.mark.parametrize("first", GIVEN)
def test_a_setting_that_is_given_changes_something_or_is_refused(
    outcomes: Outcomes, first: str
) -> None:
    """Whatever other setting is given with it."""
    value, companions = GIVEN[first]
    useless = []
    for name, (other, its_companions) in GIVEN.items():
        if {first, name} in NOT_TOGETHER:
            continue
        if name == first:
            context = dict(companions)
        else:
            context = {**its_companions, **companions, name: other}
            context.pop(first, None)
        if first == "patience":
            context["learning_rate"] = TOO_HIGH
        given = context | {first: value}
        files = first in SHOWN
        with_it = outcomes.of(given, files=files)
        if with_it is not None and with_it == outcomes.of(context, files=files):
            useless.append(given)
    assert not useless, f"{first} changes nothing"


WRITTEN = {
    "length": 7, "temperature": 1.5, "top_k": 3, "top_p": 0.5, "min_p": 0.4,
    "repetition_penalty": 2.0, "stop": ("c", "eeeee"), "matching": "[b-eg]+",
    "beam_width": 3, "seed": 1,
}  # fmt: skip


def test_a_setting_of_generation_that_is_given_changes_something_or_is_refused() -> None:
    assert {*WRITTEN} == set(GenerationSettings.model_fields)
    torch.manual_seed(0)
    network = LanguageModel(ModelSettings(hidden_size=8, init="normal", init_std=1.0), 20)
    tokenizer = CharTokenizer("abcdefghijklmnopqrs")
    model = TextModel(network, tokenizer, "none", Compute(ENGINES["builtin"]))

    def written(given: Mapping[str, Any]) -> str:
        return model.generate("b", **{"length": 60} | dict(given))

    refused = set()
    for context in [*({name: value} for name, value in WRITTEN.items()), {"temperature": 0}]:
        for name, value in WRITTEN.items():
            if name in context or {name, *context} == {"length", "stop"}:
                continue  # which of the two ends a text depends on the text
            try:
                after = written(context | {name: value})
            except UsageError:
                refused.add((*context, name))
                continue
            assert after != written(context), f"{context}: {name} changes nothing"
    assert {tuple(sorted(pair)) for pair in refused} == {
        *(tuple(sorted(("beam_width", name)))
          for name in ("seed", "top_k", "top_p", "min_p", "repetition_penalty", "matching")),
        *(tuple(sorted(("temperature", name))) for name in ("top_k", "top_p", "min_p")),
        ("seed", "temperature"), ("beam_width", "temperature"),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"tokenizer": "char", "min_frequency": 5},
         "min_frequency = 5 has no effect with tokenizer = 'char'; it needs tokenizer = 'word'"),
        ({"bpe_size": 512},
         "bpe_size = 512 has no effect with tokenizer = 'char'; it needs tokenizer = 'bpe'"),
        ({"init_std": 0.1}, "init_std = 0.1 has no effect with init = 'torch'; it needs init = "
         "'normal'"),
        ({"input": "one-hot", "embedding_size": 32},
         "embedding_size = 32 has no effect with input = 'one-hot'; it needs input = 'embedding'"),
        ({"patience": 2, "split": (0.9, 0, 0.1)},
         "patience = 2 has no effect with split = 0.9 0 0.1; it needs a validation split"),
    ],
)  # fmt: skip
def test_the_message_names_what_the_setting_needs(
    given: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError) as refused:
        rnnlab.train(**given, quiet=True)
    assert str(refused.value) == f"train: {message}"
    file = tmp_path / "my.toml"
    file.write_text("".join(f"{name} = {_toml(value)}\n" for name, value in given.items()))
    with pytest.raises(UsageError) as refused:
        rnnlab.train(file, quiet=True)
    assert str(refused.value) == f"{file}: {message}"


def _toml(value: object) -> str:
    return str(list(value)) if isinstance(value, tuple) else repr(value)


def test_settings_that_a_file_writes_down_or_a_flag_makes_useless_are_not_given(
    text_file: Path, tmp_path: Path
) -> None:
    """A recipe's sample prefix does not forbid to write no samples."""
    short = {**SIZES, "num_epochs": 1, "corpus": text_file, "quiet": True}
    recipe = tmp_path / "my.toml"
    recipe.write_text('sample_prefix = "The"\nbpe_size = 300\n')
    rnnlab.train(recipe, run_dir=tmp_path / "run", sample_length=0, tokenizer="bpe", **short)
    written = tmp_path / "run" / "config.toml"
    rnnlab.train(written, run_dir=tmp_path / "again", quiet=True)


def test_a_run_that_has_settings_without_effect_is_resumed(
    text_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Earlier versions took them."""
    useless = {"min_frequency": 5, "init_std": 0.3, "patience": 2, "split": (0.9, 0, 0.1)}
    settings = Settings.from_flat(
        {**SIZES, "num_epochs": 1, "corpus": text_file, "sample_length": 0, **useless}
    )
    with monkeypatch.context() as earlier:
        earlier.setattr(training, "effective", lambda settings: settings)
        training.train(settings, tmp_path / "run")
    run = rnnlab.train(resume=tmp_path / "run", num_epochs=2, quiet=True)
    assert run.settings.data.min_frequency == 5
    with pytest.raises(UsageError, match="sample_prefix = 'The' has no effect with sample_length"):
        rnnlab.train(resume=tmp_path / "run", sample_prefix="The", quiet=True)
