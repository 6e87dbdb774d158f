"""Folders for transformers are read back; others are refused with one sentence."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import Cli
from refusal import check
from safetensors.numpy import load_file, save_file
from small_networks import CHARACTERS, KINDS, our_logits, small_network, some_ids, text_model

import rnnlab
from rnnlab.data.labelled_tokenizer import LabelledTokenizer
from rnnlab.data.tokenizer import CharTokenizer, WordTokenizer
from rnnlab.interop.exporting import export_to
from rnnlab.lm.stored_network import StoredNetwork, parameter_shapes


@pytest.mark.parametrize("kind", KINDS[::4], ids=lambda kind: "-".join(map(str, kind.values())))
def test_what_was_exported_comes_back(kind: dict[str, object], tmp_path: Path) -> None:
    network, ids = small_network(**kind), some_ids()
    export_to(text_model(network), tmp_path / "m", "huggingface")
    back = rnnlab.import_model(tmp_path / "m", engine="textbook")
    assert back.network.settings == network.settings
    assert back.tokenizer.to_json() == {"type": "char", "characters": CHARACTERS}
    assert np.array_equal(our_logits(back.network, ids), our_logits(network, ids))


def test_samples_and_labels_come_back(tmp_path: Path) -> None:
    tokenizer = LabelledTokenizer(CharTokenizer(CHARACTERS), {"cat": 3, "dog": 2})
    settings = small_network(hidden_size=6).settings
    arrays = {n: np.zeros(s, np.float32) for n, s in parameter_shapes(settings, tokenizer.size)}
    data = {"preprocessing": "lower", "unit": "documents", "corpus": ["secret.txt"]}
    model = text_model(StoredNetwork(settings, tokenizer.size, 1, arrays), "lower", data=data)
    model.tokenizer = tokenizer
    export_to(model, tmp_path / "m", "huggingface")
    assert "secret" not in (tmp_path / "m" / "config.json").read_text()
    back = rnnlab.import_model(tmp_path / "m", engine="textbook")
    assert back.tokenizer.to_json() == tokenizer.to_json()
    assert (back.network.start, back.preprocessing, back.of_documents) == (1, "lower", True)
    back.save(tmp_path / "saved")
    assert rnnlab.load(tmp_path / "saved", engine="textbook").network.start == 1


def test_what_the_way_through_transformers_loses_is_said(tmp_path: Path) -> None:
    tokenizer = WordTokenizer.train("a cat a cat a dog", 2)
    settings = small_network(hidden_size=6).settings
    arrays = {n: np.zeros(s, np.float32) for n, s in parameter_shapes(settings, tokenizer.size)}
    model = text_model(StoredNetwork(settings, tokenizer.size, None, arrays))
    model.tokenizer = tokenizer
    export_to(model, tmp_path / "m", "huggingface")
    file = tmp_path / "m" / "config.json"
    content = json.loads(file.read_text())
    file.write_text(json.dumps(content | {"left_out": ["the n-gram model of order 3: ..."]}))
    back = rnnlab.import_model(tmp_path / "m", engine="textbook")
    assert back.about["imported"]["notes"] == [
        "the n-gram model was left out when it was exported",
        "the spelling of unknown words is learned from the known ones",
    ]
    assert back.tokenizer.encode("a dog").tolist() == tokenizer.encode("a dog").tolist()


def change(file: str, **values: Any) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        content = json.loads((folder / file).read_text())
        (folder / file).write_text(json.dumps(content | values))

    return apply


def change_weight(change: Callable[[dict[str, Any]], Any]) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        arrays = load_file(folder / "model.safetensors")
        change(arrays)
        save_file(arrays, folder / "model.safetensors")

    return apply


def shorter(folder: Path) -> None:
    content = json.loads((folder / "tokenizer.json").read_text())
    del content["model"]["vocab"]["j"]
    (folder / "tokenizer.json").write_text(json.dumps(content))


BAD: list[tuple[Callable[[Path], Any], str]] = [
    (
        change("config.json", model_type="gpt2"),
        "{m}/config.json: a model of the type 'gpt2'; of folders only those that rnnlab export "
        "--to huggingface has written can be read",
    ),
    (
        change("config.json", cell="mgu"),
        "{m}/config.json: the cell 'mgu' is not known; known are rnn, rnn-relu, gru, lstm",
    ),
    (
        change("config.json", tokenizer=None),
        "{m}/config.json: the tokenizer None is not known; known are characters, bytes, words, "
        "runs of letters, bpe",
    ),
    (
        change("config.json", data={"unit": "pages"}),
        "{m}/config.json: damaged: unit must be 'text', 'lines' or 'documents', not 'pages'",
    ),
    (
        change("config.json", labels=["cat"]),
        "{m}/config.json: damaged, data must be settings, and labels numbers of samples by label",
    ),
    (
        change("config.json", cell="gru"),
        "{m}/model.safetensors holds a lstm of 13 tokens; config.json and tokenizer.json say gru "
        "and 13",
    ),
    (
        shorter,
        "{m}/model.safetensors holds a lstm of 13 tokens; config.json and tokenizer.json say lstm "
        "and 12",
    ),
    (
        change("tokenizer.json", added_tokens=[]),
        "{m}/tokenizer.json: not the tokenizer of characters that rnnlab export has written",
    ),
    (
        lambda m: (m / "tokenizer.json").write_text('{"type": "char"}'),
        "{m}/tokenizer.json: not the tokenizer of characters that rnnlab export has written: "
        "'model' is missing",
    ),
    (
        lambda m: (m / "tokenizer.json").unlink(),
        "{m}/tokenizer.json: cannot be read: No such file or directory",
    ),
    (
        lambda m: (m / "model.safetensors").write_bytes(b"12345678{"),
        "{m}/model.safetensors: damaged, not a safetensors file: Error while deserializing header: "
        "header too large",
    ),
    (
        change_weight(lambda arrays: arrays.update({"output.bias": np.zeros(5, np.float32)})),
        "{m}/model.safetensors: output.bias has the shape (5,), with the others it must have (13,)",
    ),
    (
        change_weight(lambda arrays: arrays.update({"output.bias": np.zeros(13, np.int64)})),
        "{m}/model.safetensors: output.bias is of type int64, not floating point",
    ),
    (
        change_weight(lambda arrays: arrays["output.bias"].fill(np.nan)),
        "{m}/model.safetensors: output.bias holds NaN or infinite numbers",
    ),
    (
        change("config.json", format=1),
        "{m}: a model folder of rnnlab already; use it as it is",
    ),
]


@pytest.mark.parametrize(("spoil", "message"), BAD)
def test_folders_that_are_refused(
    cli: Cli, tmp_path: Path, spoil: Callable[[Path], Any], message: str
) -> None:
    folder = tmp_path / "m"
    export_to(text_model(small_network(hidden_size=6)), folder, "huggingface")
    spoil(folder)
    done = cli("import", str(folder), "--output", str(tmp_path / "back"))
    check(done, 1, message.format(m=folder))
    assert [file.name for file in tmp_path.iterdir()] == ["m"]


def test_a_file_needs_a_vocabulary(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "model.pt"
    file.write_text("x")
    done = cli("import", str(file), "--output", str(tmp_path / "back"))
    check(done, 2, f"{file} does not say what its tokens are; give a vocabulary")
    file.unlink()
    done = cli("import", str(file), "--output", str(tmp_path / "back"))
    check(done, 2, f"{file} does not exist")
