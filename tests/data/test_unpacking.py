"""Packed files give the bytes that were packed, and damaged ones a clear error."""

import bz2
import gzip
import io
import lzma
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from rnnlab.data import unpacking
from rnnlab.data.decoding import chunks
from rnnlab.data.unpacking import unpacked_size
from rnnlab.errors import CorpusError

CONTENT = "".join(f"line {n} \u00e4\n" for n in range(40_000)).encode()


def as_zip(content: bytes, *more: str) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("folder/", "")
        archive.writestr("folder/text.txt", content)
        for name in more:
            archive.writestr(name, "more")
    return written.getvalue()


PACK: dict[str, Callable[[bytes], bytes]] = {  # each with a checksum
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstandard": zstandard.ZstdCompressor(write_checksum=True).compress,
    "zip": as_zip,
}
each_kind = pytest.mark.parametrize("kind", PACK)


@each_kind
@pytest.mark.parametrize("size", [1_000, 1 << 20])
def test_what_was_packed_is_read(tmp_path: Path, kind: str, size: int) -> None:
    file, passed = tmp_path / "text", list[int]()
    file.write_bytes(PACK[kind](CONTENT))
    assert b"".join(chunks(file, size, passed.append)) == CONTENT
    assert 0 < sum(passed) <= file.stat().st_size
    assert unpacked_size(file, 10**9) == len(CONTENT)
    assert 1_000 < unpacked_size(file, 1_000) <= len(CONTENT)


def test_two_packed_parts_one_after_another(tmp_path: Path) -> None:
    for kind in ("gzip", "bzip2", "xz", "zstandard"):
        file = tmp_path / kind
        file.write_bytes(PACK[kind](CONTENT) + PACK[kind](b"end"))
        assert b"".join(chunks(file, 65_536)) == CONTENT + b"end"


def test_a_plain_file_is_read_as_it_is(tmp_path: Path) -> None:
    file, passed = tmp_path / "text", list[int]()
    file.write_bytes(CONTENT)
    assert b"".join(chunks(file, 1_000, passed.append)) == CONTENT
    assert sum(passed) == len(CONTENT) == unpacked_size(file, 5)


@each_kind
def test_a_file_that_is_cut_in_half_is_one_clear_error(tmp_path: Path, kind: str) -> None:
    file, packed = tmp_path / "text", PACK[kind](CONTENT)
    file.write_bytes(packed[: len(packed) // 2])
    with pytest.raises(CorpusError, match=rf"^file .*text is (cut off|damaged {kind} data): .*$"):
        list(chunks(file, 65_536))


@each_kind
def test_a_damaged_file_is_one_clear_error(tmp_path: Path, kind: str) -> None:
    file, packed = tmp_path / "text", bytearray(PACK[kind](CONTENT))
    packed[len(packed) // 3] ^= 0xFF
    file.write_bytes(packed)
    with pytest.raises(CorpusError, match=rf"^file .*text is (cut off|damaged {kind} data): .*$"):
        list(chunks(file, 65_536))


@each_kind
def test_a_file_that_was_made_to_fill_a_disk_is_refused(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpacking, "ALWAYS_ALLOWED", 2**20)
    monkeypatch.setattr(unpacking, "MAX_RATIO", 20)
    file = tmp_path / "text"
    file.write_bytes(PACK[kind](bytes(2**23)))
    rule = (
        r"^file .*text unpacks to more than 20 times its size; if that is right, unpack it first$"
    )
    with pytest.raises(CorpusError, match=rule):
        list(chunks(file, 65_536))


def test_a_zip_of_several_files_is_read_as_its_bytes(tmp_path: Path) -> None:
    """So that decoding says what it is: most are documents of an office program."""
    file = tmp_path / "text.docx"
    file.write_bytes(as_zip(CONTENT, "other.txt"))
    assert b"".join(chunks(file, 65_536)) == file.read_bytes()
