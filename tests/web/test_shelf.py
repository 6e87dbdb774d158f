"""Which runs and models are found, and under which names."""

import os
import shutil
from pathlib import Path

import pytest
from served import random_model

from rnnlab.config import LoadSettings
from rnnlab.data.tokenizer import ByteTokenizer
from rnnlab.errors import ModelFolderError, UsageError
from rnnlab.web.shelf import MOST_LOADED, Shelf, UnknownModelError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a", "deep/er/b", ".hidden/c"):
        random_model(tmp_path / "models" / name, ByteTokenizer())
    (tmp_path / "models/empty").mkdir()
    return tmp_path / "models"


def shelf(*paths: Path) -> Shelf:
    return Shelf(paths, LoadSettings(engine="textbook", device="cpu"))


def test_names_are_paths_below_the_folder(folder: Path) -> None:
    assert list(shelf(folder).found()) == ["a", "deep/er/b"]
    assert list(shelf(folder / "a").found()) == ["a"]
    both = shelf(folder / "a", folder / "deep")
    assert list(both.found()) == ["a", "deep/er/b"]


def test_one_that_comes_later_is_found(folder: Path) -> None:
    own = shelf(folder)
    with pytest.raises(UnknownModelError, match=r"^unknown model 'c' \(choices: a, deep/er/b\)$"):
        own.load("c")
    random_model(folder / "c", ByteTokenizer())
    assert own.load("c")[0].name == "c"
    shutil.rmtree(folder / "c")
    with pytest.raises(UnknownModelError):
        own.load("c")
    (folder / "c").symlink_to(folder.parent)
    with pytest.raises(UnknownModelError):
        own.load("c")


def test_a_folder_that_has_become_a_link_to_elsewhere_is_not_read(
    folder: Path, tmp_path: Path
) -> None:
    own = shelf(folder)
    random_model(tmp_path / "outside", ByteTokenizer())
    shutil.rmtree(folder / "a")
    (folder / "a").symlink_to(tmp_path / "outside")
    with pytest.raises(ModelFolderError, match=r"^a of a is a link to somewhere else$"):
        own.load("a")


def test_the_only_model_needs_no_name(folder: Path) -> None:
    assert shelf(folder / "deep").load("")[0].name == "er/b"
    with pytest.raises(UsageError, match=r"^model is missing \(choices: a, deep/er/b\)$"):
        shelf(folder).load("")


def test_a_given_folder_may_itself_be_a_link_but_not_one_inside(
    folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "linked").symlink_to(folder)
    (folder / "a/more").symlink_to(folder / "deep")
    (folder / "up").symlink_to(tmp_path)
    own = shelf(tmp_path / "linked")
    assert list(own.found()) == ["a", "deep/er/b"]
    assert own.load("a")[1].tokenizer.size == 256


def test_two_of_one_name_are_refused(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "a", tmp_path / "other/a")
    with pytest.raises(UsageError, match=r"^two models are named 'a': .*; rename one of them$"):
        shelf(folder / "a", tmp_path / "other/a")


def test_a_model_folder_without_weights_is_an_error_of_the_model(folder: Path) -> None:
    one = shelf(folder)
    name = next(iter(one.models()))
    for file in folder.rglob("model.safetensors"):
        file.unlink()
    with pytest.raises(ModelFolderError, match=r"model\.safetensors"):
        one.load(name)


def test_a_model_is_read_again_when_its_weights_change_and_few_are_kept(folder: Path) -> None:
    own = shelf(folder)
    first = own.load("a")[1]
    assert own.load("a")[1] is first
    os.utime(folder / "a/model.safetensors", (1, 1))
    second = own.load("a")[1]
    assert second is not first
    for number in range(MOST_LOADED):
        random_model(folder / f"m{number}", ByteTokenizer())
        own.load(f"m{number}")
    assert own.load("a")[1] is not second
