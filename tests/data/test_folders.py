"""A folder as a corpus."""

import os
from pathlib import Path

import pytest

from rnnlab.data.corpus import open_corpus
from rnnlab.data.folders import files_in
from rnnlab.errors import CorpusError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "texts"
    for name in ("b.txt", "a/z.txt", "a/.hidden.txt", ".git/x.txt", "a.txt", "a/deep/er.txt"):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(f"{name}\n")
    (place / "nothing.txt").touch()
    return place


def test_the_order_is_that_of_the_paths_and_hidden_and_empty_files_are_left_out(
    folder: Path,
) -> None:
    names = [str(file.relative_to(folder)) for file in files_in(folder)]
    assert names == ["a/deep/er.txt", "a/z.txt", "a.txt", "b.txt"]
    corpus = open_corpus([str(folder)])
    assert "".join(corpus.pieces()) == "a/deep/er.txt\na/z.txt\na.txt\nb.txt\n"
    assert corpus.source.name == str(folder)
    assert corpus.source.origin == f"folder {folder}: 4 texts, one after another"
    as_files = open_corpus([str(folder / name) for name in names])
    assert as_files.source.sha256 == corpus.source.sha256


def test_links_to_files_and_folders_are_followed(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "c.txt").write_text("c\n")
    (folder / "link").symlink_to(tmp_path / "other")
    (folder / "y.txt").symlink_to(tmp_path / "other" / "c.txt")
    found = [file.name for file in files_in(folder)]
    assert found == ["er.txt", "z.txt", "a.txt", "b.txt", "c.txt", "y.txt"]


def test_a_folder_does_not_hide_a_named_corpus(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    Path("python-reference").mkdir()
    assert open_corpus(["python-reference"]).source.origin.startswith("the help topics")


def fault(folder: Path, **how: str) -> str:
    with pytest.raises(CorpusError) as caught:
        files_in(folder, **how)
    return str(caught.value).replace(str(folder), "F")


def test_each_fault_is_one_clear_error(folder: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    bare.mkdir()
    assert fault(bare) == "folder F has no files (hidden ones are left out)"
    (bare / "a").touch()
    assert fault(bare) == "folder F has only empty files; a corpus needs text"
    (bare / "gone").symlink_to("nowhere")
    assert fault(bare) == "file F/gone is a link that leads nowhere"
    (bare / "gone").unlink()
    (bare / "again").symlink_to(bare)
    assert fault(bare) == "folder F/again is read twice, through a link"
    (bare / "again").unlink()
    os.mkfifo(bare / "pipe")
    assert fault(bare) == "file F/pipe is not a regular file"
    (folder / "one.bin").write_bytes(b"a\0b")
    assert fault(folder) == (
        "file F/one.bin is not text: NUL byte at offset 1; use --errors replace to read it "
        "anyway (a folder is read with all of its files)"
    )
    (folder / "image.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0")
    assert fault(folder) == (
        "folder F: 2 of its 6 files cannot be read as text: image.png, one.bin. The first: file "
        "F/image.png is a PNG image, not UTF-8 text; a corpus needs text"
    )
    assert len(files_in(folder, errors="replace")) == 6


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() == 0, reason="root reads everything")
def test_a_file_or_folder_without_permission_is_one_clear_error(folder: Path) -> None:
    (folder / "b.txt").chmod(0)
    assert fault(folder) == (
        "file F/b.txt: cannot be read: Permission denied (a folder is read with all of its files)"
    )
    (folder / "b.txt").chmod(0o600)
    (folder / "a").chmod(0)
    try:
        assert fault(folder) == "folder F/a: cannot be read: Permission denied"
    finally:
        (folder / "a").chmod(0o700)
