"""Token files of streamed texts: made once, by one process, and again if they are damaged."""

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from dataset_outcome import ALL, outcome_of, read

from rnnlab.config import DataSettings
from rnnlab.data.dataset import load_dataset
from rnnlab.data.streaming_limits import STREAMING_LIMITS
from rnnlab.data.tokenizer import CharTokenizer
from rnnlab.errors import CorpusError

pytestmark = pytest.mark.usefixtures("cache")


def test_small_files_leave_no_trace(tmp_path: Path, cache: Path) -> None:
    assert STREAMING_LIMITS.from_bytes == 32 * 2**20
    file = tmp_path / "text.txt"
    file.write_text("ab" * 50)
    data = DataSettings(corpus=(str(file),))
    for limit, made in ((101, False), (100, True)):
        load_dataset(data, limits=replace(STREAMING_LIMITS, from_bytes=limit))
        assert cache.exists() == made


def entries(cache: Path) -> dict[str, int]:
    """The token files by name, with their inode numbers."""
    return {file.name: file.stat().st_ino for file in cache.glob("*.ids")}


def test_a_token_file_is_made_once(tmp_path: Path, cache: Path) -> None:
    text = b"so it goes on and on\n" * 30
    few = replace(ALL, evaluated_characters=10)
    first = read(tmp_path, text, few)
    before = entries(cache)
    assert len(before) == 1
    again = read(tmp_path, text, few, batch_size=7)
    assert again.tokenizer.to_json() == first.tokenizer.to_json()
    # A model's own tokenizer, which is given when the model is evaluated, finds the same file.
    data = DataSettings(corpus=(str(tmp_path / "text.txt"),))
    assert load_dataset(data, first.tokenizer, few).tokenizer is first.tokenizer
    assert entries(cache) == before
    other = load_dataset(data, CharTokenizer("on"), few)
    assert other.splits["train"].all_ids[:6].tolist() == [0, 1, 0, 0, 0, 0]
    for content, values in (
        (text + b"!", {}), (text, {"split": (1, 0, 0)}), (text, {"preprocessing": "lower"}),
        (text, {"tokenizer": "byte"}), (text, {"tokenizer": "word"}), (text, {"corpus_limit": 99}),
        (text, {"tokenizer": "word", "min_frequency": 2}), (text, {"vocabulary": "text"}),
    ):  # fmt: skip
        count = len(entries(cache))
        read(tmp_path, content, few, **values)
        assert len(entries(cache)) == count + 1, values


def damage(file: Path, how: str) -> None:
    content = file.read_bytes()
    middle = len(content) // 2
    match how:
        case "bit":
            file.write_bytes(
                content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
            )
        case "short":
            file.write_bytes(content[:-1])
        case "long":
            file.write_bytes(content + b"\0")
        case "empty":
            file.write_bytes(b"")
        case _:
            file.unlink()


@pytest.mark.parametrize("how", ["bit", "short", "long", "empty", "gone"])
@pytest.mark.parametrize("ending", ["ids", "json"])
def test_a_damaged_token_file_is_made_again(
    ending: str, how: str, tmp_path: Path, cache: Path
) -> None:
    text = "le café était fermé\n" * 30
    first = outcome_of(read(tmp_path, text.encode()))
    (file,) = cache.glob(f"*.{ending}")
    whole = file.read_bytes()
    damage(file, how)
    (cache / f".{file.name}.77.tmp").write_bytes(b"left by a process that was killed")
    assert outcome_of(read(tmp_path, text.encode())) == first
    assert file.read_bytes() == whole
    assert not list(cache.glob(".*.tmp"))


@pytest.mark.parametrize("ending", ["ids", "json"])
def test_a_pipe_or_device_in_the_cache_is_replaced(
    ending: str, tmp_path: Path, cache: Path
) -> None:
    text = b"a text\n" * 100
    first = outcome_of(read(tmp_path, text))
    (file,) = cache.glob(f"*.{ending}")
    file.unlink()
    os.mkfifo(file)
    assert outcome_of(read(tmp_path, text)) == first
    assert file.is_file()
    file.unlink()
    file.symlink_to("/dev/zero")
    assert outcome_of(read(tmp_path, text)) == first
    file.unlink()
    file.mkdir()
    with pytest.raises(CorpusError, match=f"cannot be written to {file}: Is a directory; solve "):
        read(tmp_path, text)


LOADING = """
import hashlib, sys
import pooch
from pathlib import Path
from rnnlab.config import DataSettings
from rnnlab.data.dataset import load_dataset
from rnnlab.data.streaming_limits import StreamingLimits
pooch.os_cache = lambda name: Path(sys.argv[2])
print("ready", flush=True)
sys.stdin.readline()
data = DataSettings(corpus=(sys.argv[1],), tokenizer="word", split=(1, 0, 0))
found = load_dataset(data, limits=StreamingLimits(0, 1000, 100))
(entry,) = Path(sys.argv[2], "tokens").glob("*.ids")
print(hashlib.sha256(found.splits["train"].all_ids.tobytes()).hexdigest(), entry.stat().st_ino)
"""


def test_several_processes_make_one_file(tmp_path: Path) -> None:
    file = tmp_path / "text.txt"
    file.write_text("".join(f"{number} and " for number in range(40_000)))
    started = [
        subprocess.Popen(
            [sys.executable, "-c", LOADING, str(file), str(tmp_path / "at once")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for _ in range(3)
    ]  # fmt: skip
    for process in started:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
    for process in started:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    said = {process.communicate()[0] for process in started}
    assert [process.returncode for process in started] == [0, 0, 0]
    assert len(said) == 1  # the same ids, from the same file
    names = sorted(file.suffix for file in (tmp_path / "at once" / "tokens").iterdir())
    assert names == [".ids", ".json", ".lock"]


def test_an_error_names_a_cache_that_cannot_be_written(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.parent.mkdir(parents=True)
    cache.write_text("a file where a folder should be")
    with pytest.raises(CorpusError) as caught:
        read(tmp_path, b"some text")
    message = (
        "a text too large for memory is read through a file of its tokens, which cannot be written "
        f"to {cache}{{}}; solve that, or set XDG_CACHE_HOME to another folder for caches"
    )
    assert str(caught.value) == message.format(": File exists")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    cache.unlink()
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CorpusError) as caught:
        read(tmp_path, b"some text")
    (written,) = re.findall(r"/\w{64}\.ids", str(caught.value))
    assert str(caught.value) == message.format(f"{written}: No space left on device")
    assert [file.suffix for file in cache.iterdir()] == [".lock"]
