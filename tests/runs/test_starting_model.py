"""Training that starts from a model: its weights, its vocabulary, its memory."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import rnnlab
from rnnlab.config import Settings
from rnnlab.data.labelled_tokenizer import LabelledTokenizer
from rnnlab.data.tokenizer import BpeTokenizer, ByteTokenizer, CharTokenizer, WordTokenizer
from rnnlab.errors import UsageError
from rnnlab.runs.preparation import prepare
from rnnlab.runs.starting_model import START, copy_weights, extended, token_places

TINY: dict[str, Any] = {
    "hidden_size": 12, "embedding_size": 5, "batch_size": 4, "num_steps": 10, "num_epochs": 1,
    "num_evaluations": 2, "sample_length": 5, "threads": 1, "quiet": True, "automatic": False,
}  # fmt: skip
TUNED = {
    name: value for name, value in TINY.items() if name not in ("hidden_size", "embedding_size")
}


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("texts")
    (folder / "a.txt").write_text("the cat sees the dog. the dog sleeps.\n" * 100)
    (folder / "b.txt").write_text("a bird \u00fcber the river; a stone.\n" * 100)
    return folder


@pytest.fixture(scope="module")
def base(texts: Path) -> Path:
    rnnlab.train(corpus=texts / "a.txt", run_dir=texts / "base", **TINY)
    return texts / "base"


def weights(model: Any) -> dict[str, torch.Tensor]:
    return {name: p.detach().clone() for name, p in model.model.named_parameters()}


def test_the_weights_sizes_and_ids_are_those_of_the_model(texts: Path, base: Path) -> None:
    settings = Settings().with_changes(corpus=(str(texts / "b.txt"),), start_from=str(base))
    ready, before = prepare(settings), rnnlab.load(base)
    assert ready.settings.model.hidden_size == 12
    assert ready.dataset.tokenizer.to_json() == before.tokenizer.to_json()
    for name, value in weights(before).items():
        assert (weights(ready.model)[name] == value).all()


MODELS = [{}, {"input": "one-hot"}, {"embedding_size": 12, "tie_weights": True}]


def started(texts: Path, folder: Path, model: dict, **vocabulary: bool) -> Settings:
    """Train a model on one text; return settings that start from it on the other."""
    made = TINY | model
    if "input" in model:
        made.pop("embedding_size")
    rnnlab.train(corpus=texts / "a.txt", run_dir=folder / "base", **made)
    return Settings().with_changes(
        corpus=(str(texts / "b.txt"),), start_from=str(folder / "base"), **vocabulary
    )


@pytest.mark.parametrize("model", MODELS)
def test_new_characters_start_at_the_mean(texts: Path, tmp_path: Path, model: dict) -> None:
    settings = started(texts, tmp_path, model, extend_vocabulary=True)
    ready, before = prepare(settings), rnnlab.load(tmp_path / "base")
    known, now = before.tokenizer, ready.dataset.tokenizer
    assert now.size > known.size
    text = (texts / "a.txt").read_text()
    assert (now.encode(text) == known.encode(text)).all()
    assert now.unknown_id not in now.encode("\u00fc;")
    old, new = weights(before), weights(ready.model)
    output = "embedding.weight" if "tie_weights" in model else "output.weight"
    rows = new[output]
    assert (rows[: known.size] == old[output]).all()
    for row in rows[known.size :]:
        torch.testing.assert_close(row, old[output].mean(0))
    if "input" in model:
        columns = new["recurrent.weight_ih_l0"]
        assert (columns[:, : known.size] == old["recurrent.weight_ih_l0"]).all()
        torch.testing.assert_close(columns[:, -1], old["recurrent.weight_ih_l0"].mean(1))


@pytest.mark.parametrize("model", MODELS)
def test_in_a_new_vocabulary_known_tokens_keep_their_weights(
    texts: Path, tmp_path: Path, model: dict
) -> None:
    settings = started(texts, tmp_path, model, replace_vocabulary=True)
    ready, base = prepare(settings), rnnlab.load(tmp_path / "base")
    known, now = base.tokenizer, ready.dataset.tokenizer
    assert isinstance(known, CharTokenizer)
    assert isinstance(now, CharTokenizer)
    assert set(now.characters) == set((texts / "b.txt").read_text())
    old, new = weights(base), weights(ready.model)
    by_token = {
        "embedding.weight": 0, "output.weight": 0, "output.bias": 0, "recurrent.weight_ih_l0": 1,
    }  # fmt: skip
    for name, value in new.items():
        if (name == "recurrent.weight_ih_l0" and "input" not in model) or name not in by_token:
            assert (value == old[name]).all()
            continue
        dim = by_token[name]
        for token, character in enumerate(now.characters, start=1):
            row = value.select(dim, token)
            if character in known.characters:
                (place,) = known.encode(character)
                assert (row == old[name].select(dim, int(place))).all()
            else:
                torch.testing.assert_close(row, old[name].mean(dim))


def test_tokens_are_the_same_in_vocabularies_of_other_kinds() -> None:
    text = "the cat über the dog"
    letters, words = CharTokenizer.train(text), WordTokenizer.train(text, 1)
    pieces, single = BpeTokenizer.train(text * 9, 280), ByteTokenizer()
    assert token_places(letters, letters).tolist() == list(range(letters.size))
    in_bytes = token_places(letters, single)
    assert [in_bytes[i] for i in letters.encode("at")] == list(b"at")
    assert in_bytes[letters.encode("ü")[0]] == -1  # two bytes
    found = dict(zip(words.words, token_places(words, pieces)[1:], strict=True))
    assert pieces.decode([int(found["the"])]) == "the"
    labelled = LabelledTokenizer(letters, {"x": 3, "y": 1})
    other = LabelledTokenizer(CharTokenizer.train("cat"), {"y": 2, "z": 2})
    assert token_places(other, labelled)[-2:].tolist() == [letters.size + 1, -1]
    assert token_places(other, letters)[-2:].tolist() == [-1, -1]


def test_a_model_of_labelled_samples_is_a_start_for_other_labels(tmp_path: Path) -> None:
    for name, labels in {"one": ("east", "west"), "other": ("west", "north")}.items():
        rows = [f"{labels[n % 2]},name {n % 37}{'ab'[n % 2]}" for n in range(400)]
        (tmp_path / f"{name}.csv").write_text("side,name\n" + "\n".join(rows))
    read: dict[str, Any] = {"unit": "lines", "column": "name", "label_column": "side"}
    rnnlab.train(corpus=tmp_path / "one.csv", run_dir=tmp_path / "base", **read, **TINY)
    how = {**read, **TUNED, "start_from": tmp_path / "base"}
    with pytest.raises(UsageError, match=r"has labels; training can start from it with replace_v"):
        rnnlab.train(corpus=tmp_path / "other.csv", **how)
    run = rnnlab.train(
        corpus=tmp_path / "other.csv", run_dir=tmp_path / "run", replace_vocabulary=True, **how
    )
    assert rnnlab.load(run).generate(label="north", length=5, seed=1)
    assert run.result["start"]["corpus"] == [str(tmp_path / "one.csv")]
    again = rnnlab.train(resume=run.directory, num_epochs=2, quiet=True)
    assert again.result["training"]["epochs"] == 2


def test_a_run_says_where_it_came_from_and_what_it_forgot(texts: Path, base: Path) -> None:
    run = rnnlab.train(corpus=texts / "b.txt", start_from=base, run_dir=texts / "second", **TUNED)
    found = run.result["start"]
    assert found["path"] == str(base)
    assert found["bits_per_character_after"] > found["bits_per_character_before"]
    before = [
        r["bits_per_character"]
        for r in json.loads((base / "result.json").read_text())["evaluations"]
        if r["split"] == "test" and r["context"] == "carried"
    ]
    assert found["bits_per_character_before"] == pytest.approx(before[0], rel=1e-4)
    third = rnnlab.train(
        corpus=texts / "a.txt", start_from=texts / "second", run_dir=texts / "third", **TUNED
    )
    assert third.result["start"]["before"]["weights_sha256"] == found["weights_sha256"]


def test_it_is_resumed_without_the_model_it_came_from(
    texts: Path, base: Path, tmp_path: Path
) -> None:
    shutil.copytree(base, tmp_path / "base")
    how = TUNED | {"num_epochs": 2, "extend_vocabulary": True}
    whole = rnnlab.train(
        corpus=texts / "b.txt", start_from=tmp_path / "base", run_dir=tmp_path / "whole", **how
    )
    rnnlab.train(
        corpus=texts / "b.txt", start_from=tmp_path / "base", run_dir=tmp_path / "cut",
        **how | {"num_epochs": 1},
    )  # fmt: skip
    shutil.rmtree(tmp_path / "base")
    assert (tmp_path / "cut" / START).is_dir()
    again = rnnlab.train(resume=tmp_path / "cut", num_epochs=2, quiet=True)
    one, other = (weights(rnnlab.load(run.directory, "last")) for run in (whole, again))
    for name, value in one.items():
        assert (other[name] == value).all()


@pytest.mark.parametrize("engine", ["builtin", "native"])
@pytest.mark.parametrize("part", ["embedding", "recurrent", "output"])
def test_frozen_parts_stay_as_they_are(texts: Path, base: Path, part: str, engine: str) -> None:
    settings = Settings().with_changes(
        corpus=(str(texts / "b.txt"),), start_from=str(base), freeze=(part,), batch_size=4,
        num_steps=10, max_tokens=400, engine=engine, num_evaluations=0,
    )  # fmt: skip
    ready = prepare(settings)
    before = weights(ready.model)
    list(ready.trainer.run())
    for name, value in weights(ready.model).items():
        assert bool((value == before[name]).all()) is name.startswith(part), name


def test_extended_tokenizers_keep_their_ids() -> None:
    one, other = CharTokenizer.train("abc"), CharTokenizer.train("cde")
    both = extended(one, other)
    assert (both.encode("abc") == one.encode("abc")).all()
    assert len(set(both.encode("abcde").tolist())) == 5
    words = extended(WordTokenizer.train("a b", 1), WordTokenizer.train("b c", 1))
    assert words.size == 5
    assert (words.encode("a b") == WordTokenizer.train("a b", 1).encode("a b")).all()
    for tokenizer in (ByteTokenizer(), BpeTokenizer.train("abc", 260)):
        with pytest.raises(UsageError, match=r"^extend_vocabulary needs characters or words, not "):
            extended(tokenizer, tokenizer)


def test_copied_weights_give_the_same_output(base: Path) -> None:
    before = rnnlab.load(base).model
    model = type(before)(before.settings, before.vocabulary_size, seed=9)
    copy_weights(model, before, np.arange(before.vocabulary_size))
    ids = torch.from_numpy(np.arange(12).reshape(6, 2) % before.vocabulary_size)
    engine = rnnlab.load(base).compute.engine
    one, other = (m(ids, m.zero_state(2), engine)[0] for m in (model, before))
    assert (one == other).all()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"hidden_size": 64}, "hidden_size = 64 does not fit start_from = '.*', which has 12"),
        ({"cell": "gru"}, "cell = 'gru' does not fit start_from = '.*', which has 'lstm'"),
        ({"tokenizer": "byte"},
         "tokenizer = 'byte' does not fit start_from = '.*', which has 'c"),
        ({"output_scale": 3.0}, "output_scale = 3 has no effect with start_from = '.*'; it"),
        ({"max_vocabulary": 9},
         "max_vocabulary = 9 has no effect with start_from = '.*'; it"),
        ({"extend_vocabulary": True, "replace_vocabulary": True},
         "extend_vocabulary and replace_vocabulary exclude each other"),
        ({"freeze": ("embedding", "recurrent", "output")},
         "freeze = .embedding. .recurrent. .output. leaves nothing to train"),
        ({"start_from": "nowhere"}, "nowhere"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_one_clear_error(texts: Path, base: Path, given, message) -> None:
    with pytest.raises(UsageError, match=message):
        rnnlab.train(corpus=texts / "b.txt", **{**TUNED, "start_from": base, **given})


def test_extending_needs_a_model(texts: Path) -> None:
    rule = "extend_vocabulary = true has no effect with start_from = ''; it needs start_from"
    with pytest.raises(UsageError, match=rule):
        rnnlab.train(corpus=texts / "b.txt", extend_vocabulary=True, **TINY)
