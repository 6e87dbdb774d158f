"""The n-gram part of a model folder: what goes in comes out; damage is named, never loaded."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from rnnlab.data.tokenizer import CharTokenizer, Tokenizer
from rnnlab.errors import ModelFolderError
from rnnlab.files import read_json, sealed, write_json
from rnnlab.lm import ngram_file
from rnnlab.lm.model_folder import load_mixture, load_network, save_model
from rnnlab.lm.ngram_mixture import NETWORK_ALONE, NGramMixture
from rnnlab.lm.ngram_table import NGramTable
from rnnlab.lm.tensor_file import arrays_of, read_tensors, write_arrays

TEXT = "the sea, the sea,\nthe old sea\n" * 5
CHAR = CharTokenizer.train(TEXT)
ORDER = 4


@pytest.fixture
def mixture() -> NGramMixture:
    table = NGramTable.count(CHAR.encode(TEXT), CHAR.size, ORDER)
    return NGramMixture(table, NETWORK_ALONE + 0.25)


@pytest.fixture
def folder(make_model, tmp_path: Path, mixture: NGramMixture) -> Path:
    save_model(tmp_path / "model", make_model(CHAR.size), CHAR, {}, mixture=mixture)
    return tmp_path / "model"


def load(folder: Path, tokenizer: Tokenizer = CHAR) -> NGramMixture | None:
    model, _, _ = load_network(folder)
    return load_mixture(folder, read_json(folder / "config.json"), tokenizer, model)


def refusal(folder: Path) -> str:
    with pytest.raises(ModelFolderError) as caught:
        load(folder)
    return str(caught.value).removeprefix(f"{folder / 'ngram.safetensors'}: ")


def test_what_goes_in_comes_out(folder: Path, mixture: NGramMixture) -> None:
    loaded = load(folder)
    assert loaded is not None
    np.testing.assert_array_equal(loaded.gate, mixture.gate)
    for own, was in zip(loaded.table.orders, mixture.table.orders, strict=True):
        for part, expected in zip(own, was, strict=True):
            np.testing.assert_array_equal(part, expected)


def test_a_folder_that_is_written_again_without_n_grams_has_none(folder: Path) -> None:
    model, tokenizer, about = load_network(folder)
    assert about["ngram"] == {"order": ORDER}
    save_model(folder, model, tokenizer, about)
    assert load(folder) is None
    assert {file.name for file in folder.iterdir()} == {
        "config.json", "model.safetensors", "tokenizer.json",
    }  # fmt: skip


def test_a_missing_or_torn_file_is_refused(folder: Path) -> None:
    file = folder / "ngram.safetensors"
    content = file.read_bytes()
    file.write_bytes(content[:-9])
    assert refusal(folder).startswith("damaged, not a safetensors file: ")
    file.write_bytes(content[:-9] + bytes([content[-9] ^ 1]) + content[-8:])
    assert refusal(folder) == "damaged, its checksum does not match"
    file.unlink()
    assert refusal(folder) == "cannot be read: No such file or directory"


def test_the_n_grams_of_another_tokenizer_are_refused(folder: Path, tmp_path: Path) -> None:
    other = CharTokenizer.train(TEXT.replace("o", "x"))
    assert other.size == CHAR.size
    with pytest.raises(ModelFolderError, match=r"belongs to another model, with other tokenizer$"):
        load(folder, other)
    with pytest.raises(ModelFolderError, match=r"another model: \d+ n-grams of order 1 are impos"):
        load(folder, CharTokenizer.train("ab"))


def test_the_n_grams_of_other_weights_are_refused(folder: Path, make_model, mixture) -> None:
    """The same text and tokenizer, but the gate was fitted to another network."""
    other = folder.parent / "other"
    save_model(other, make_model(CHAR.size, seed=1), CHAR, {}, mixture=mixture)
    shutil.copy(other / "ngram.safetensors", folder)
    assert refusal(folder) == "belongs to another model, with other weights"


def say_order(folder: Path, order: object) -> None:
    """Change the order in config.json."""
    config = read_json(folder / "config.json") | {"ngram": {"order": order}}
    del config["sha256"]
    write_json(folder / "config.json", sealed(config))


@pytest.mark.parametrize("order", [0, 11, 2.5, "4", True, None])
def test_an_order_that_cannot_be_is_refused(folder: Path, order: object) -> None:
    say_order(folder, order)
    with pytest.raises(ModelFolderError, match=r"the order of ngram must be 1 to 10, not"):
        load(folder)


def test_another_order_than_the_files_is_refused(folder: Path) -> None:
    say_order(folder, 3)
    assert refusal(folder).startswith(
        "it does not have the n-grams of order 3 that config.json names: ['counts_4', 'starts_4', "
    )


def changed(folder: Path, **tensors: torch.Tensor) -> None:
    """Write a file with a sound checksum and other tensors."""
    file = folder / "ngram.safetensors"
    found, facts = read_tensors(file)
    write_arrays(file, arrays_of(found | tensors), facts)


def test_tables_that_are_not_rows_of_successors_are_refused(folder: Path) -> None:
    sound, _ = read_tensors(folder / "ngram.safetensors")
    copy = folder.parent / "copy"
    damage = {
        "starts_2": sound["starts_2"].flip(0),
        "symbols_2": sound["symbols_2"].flip(0),
        "symbols_3": sound["symbols_3"] + CHAR.size,
        "counts_1": sound["counts_1"] - 1000,
    }
    for name, tensor in damage.items():
        shutil.copytree(folder, copy)
        changed(copy, **{name: tensor})
        assert refusal(copy) == f"damaged, order {name[-1]} is not a table of successors"
        shutil.rmtree(copy)
    changed(folder, gate=sound["gate"] * float("nan"))
    assert refusal(folder) == "damaged, the gate holds NaN or infinite numbers"
    changed(folder, gate=sound["gate"].float())
    assert refusal(folder) == "gate is (2, 2) F32, it must be (2, 2) F64"
    changed(folder, counts_2=sound["counts_2"].long())
    assert "counts_2 is " in refusal(folder)


def test_absurd_sizes_are_refused_before_memory_is_taken(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ngram_file, "MAX_NGRAMS", 50)
    assert refusal(folder).endswith(" n-grams are more than the 50 that a model may have")
    size = CHAR.size + 1
    changed(folder, symbols_1=torch.zeros(size, dtype=torch.int32),
            counts_1=torch.ones(size, dtype=torch.int32))  # fmt: skip
    assert refusal(folder) == f"belongs to another model: {size} n-grams of order 1 are impossible"
