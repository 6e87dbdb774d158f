"""Which files are read, and that nothing in them is run."""

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save, save_file
from torch import nn

from rnnlab.errors import ForeignFileError
from rnnlab.interop.checkpoints import D2L_GRU, D2L_LSTM, D2L_RNN, read_checkpoint

LINEAR = nn.Linear(3, 2)
STATE = LINEAR.state_dict()


class Attack:
    """What it does when it is read is to make a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Callable[..., None], tuple[str]]:
        return os.mkdir, (str(self.folder),)


def stored(folder: Path, content: Any, name: str = "model.pt") -> Path:
    torch.save(content, folder / name)
    return folder / name


@pytest.mark.parametrize(
    "content",
    [
        STATE,
        dict(LINEAR.named_parameters()),
        {"epoch": 3, "state_dict": STATE, "optimizer": {"state": {}, "param_groups": [
            {"lr": 0.1, "betas": (0.9, 0.999), "params": [0]}]}},
        {**STATE, "note": "plain values next to tensors are left alone"},
    ],
)  # fmt: skip
def test_a_state_dict_is_found_alone_and_in_a_checkpoint(tmp_path: Path, content: Any) -> None:
    found = read_checkpoint(stored(tmp_path, content))
    assert found.keys() == STATE.keys()
    assert all(torch.equal(found[name], STATE[name]) for name in STATE)


def test_safetensors_of_any_name_and_metadata(tmp_path: Path) -> None:
    save_file(STATE, tmp_path / "odd.bin", {"format": "pt", "by": "another program"})
    assert read_checkpoint(tmp_path / "odd.bin").keys() == STATE.keys()


def test_a_file_of_the_older_format(tmp_path: Path) -> None:
    torch.save(STATE, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    assert read_checkpoint(tmp_path / "old.pth").keys() == STATE.keys()


@pytest.mark.parametrize("names", [D2L_LSTM, D2L_RNN, D2L_GRU])
def test_lists_of_d2l_get_their_names(tmp_path: Path, names: tuple[str, ...]) -> None:
    tensors = [torch.full((1,), float(i)) for i in range(len(names))]
    found = read_checkpoint(stored(tmp_path, tensors))
    assert {name: int(tensor) for name, tensor in found.items()} == {
        name: i for i, name in enumerate(names)
    }


def test_code_is_not_run(tmp_path: Path) -> None:
    made = tmp_path / "made"
    for content in (Attack(made), {"state_dict": {**STATE, "x": Attack(made)}}):
        file = stored(tmp_path, content)
        with pytest.raises(ForeignFileError) as raised:
            read_checkpoint(file)
        assert str(raised.value) == (
            f"{file}: holds posix.mkdir, more than tensors, and reading it could run code; save "
            "the weights alone, model.state_dict()"
        )
        assert not made.exists()


def test_a_whole_module_is_refused_with_the_way_to_save_it(tmp_path: Path) -> None:
    file = stored(tmp_path, LINEAR)
    with pytest.raises(ForeignFileError, match=r"holds torch\.nn\.modules\.linear\.Linear, more"):
        read_checkpoint(file)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"a": STATE, "b": STATE}, "holds several sets of tensors, 'a', 'b'; save one of them "
         "alone"),
        ({"epoch": 3}, "holds no tensors by name"),
        (3, "holds no tensors by name"),
        ([torch.zeros(1)] * 4, "a list of 4 tensors; only d2l's of 14 (LSTM) and 5 (RNN) are "
         "known, others need names"),
    ],
)  # fmt: skip
def test_content_that_is_not_one_set_of_tensors(tmp_path: Path, content: Any, message: str) -> None:
    file = stored(tmp_path, content)
    with pytest.raises(ForeignFileError) as raised:
        read_checkpoint(file)
    assert str(raised.value) == f"{file}: {message}"


@pytest.mark.parametrize(
    "content", [b"", b"text\n", b"PK\x03\x04", b"\x80\x02}q\x00.", b"\x00" * 99]
)
def test_files_that_are_not_checkpoints(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "model.pt"
    file.write_bytes(content)
    with pytest.raises(ForeignFileError, match=r"not a checkpoint|holds no tensors"):
        read_checkpoint(file)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    for name, message in (("none", "No such file or directory"), (".", "Is a directory")):
        with pytest.raises(ForeignFileError, match=f"cannot be read: {message}"):
            read_checkpoint(tmp_path / name)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ForeignFileError, match="is not a regular file"):
        read_checkpoint(tmp_path / "pipe")


def as_torch_saves() -> bytes:
    stream = io.BytesIO()
    torch.save(STATE, stream)
    return stream.getvalue()


@pytest.mark.parametrize("good", [save(STATE), as_torch_saves()], ids=["safetensors", "torch"])
@given(cut=st.floats(0, 1, exclude_max=True), at=st.floats(0, 1, exclude_max=True), byte=st.binary(
    min_size=1, max_size=1))  # fmt: skip
def test_a_damaged_file_is_refused_or_read(
    good: bytes, cut: float, at: float, byte: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = tmp_path_factory.mktemp("damaged") / "model"
    place = int(at * len(good))
    for content in (good[: int(cut * len(good))], good[:place] + byte + good[place + 1 :]):
        file.write_bytes(content)
        try:
            said = f"{file}: {len(read_checkpoint(file))} tensors"
        except ForeignFileError as error:
            said = str(error)
        assert said.startswith(f"{file}: ")
        assert "\n" not in said
