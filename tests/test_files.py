"""Files are replaced completely or not at all, and locks are released with their process."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from rnnlab.errors import CorpusError, RunDirectoryError
from rnnlab.files import (
    drop_torn_line,
    lock_owner,
    read_json,
    sealed,
    truncate_log,
    try_lock,
    write_atomically,
    write_json,
)


@pytest.mark.parametrize("fault", [(os, "fsync"), (Path, "replace")], ids=["flush", "rename"])
def test_a_failed_write_leaves_the_old_content_and_no_other_file(tmp_path, monkeypatch, fault):
    def fail(*_):
        raise OSError(28, "No space left on device")

    file = tmp_path / "file"
    write_atomically(file, b"old")
    monkeypatch.setattr(*fault, fail)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(file, b"new and longer")
    assert file.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [file]


def test_a_write_replaces_the_whole_file(tmp_path):
    for content in (b"long content", b"short", b""):
        write_atomically(tmp_path / "file", content)
        assert (tmp_path / "file").read_bytes() == content
        assert len(list(tmp_path.iterdir())) == 1


def test_nan_and_infinity_become_null_and_text_is_not_escaped(tmp_path):
    write_json(tmp_path / "x.json", {"ä": [1.5, math.nan, (math.inf, 2)], "b": {"c": -math.inf}})
    text = (tmp_path / "x.json").read_text(encoding="utf-8")
    assert "ä" in text
    assert text.endswith("}\n")
    assert json.loads(text) == {"ä": [1.5, None, [None, 2]], "b": {"c": None}}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read: No such file or directory"),
        (b'{"a": 1', "damaged, not JSON: Expecting ',' delimiter"),
        (b"[" * 100_000, "damaged, not JSON: maximum recursion depth"),
        (b"[1]", "damaged, must hold a JSON object"),
        (b'{"a": "\\ud800"}', "damaged, contains lone surrogates, which are not text"),
        (b'{"a": 1, "sha256": "x"}', "damaged, its checksum does not match"),
    ],
)
@pytest.mark.parametrize("error", [RunDirectoryError, CorpusError])
def test_reading_a_damaged_json_file_raises_the_given_error(tmp_path, content, message, error):
    file = tmp_path / "x.json"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(error) as caught:
        read_json(file, error)
    assert str(caught.value).startswith(f"{file}: {message}")


def test_a_json_object_is_read_with_and_without_a_checksum(tmp_path):
    for content in ({"a": [1.5, None]}, sealed({"a": "ä"})):
        write_json(tmp_path / "x.json", content)
        assert read_json(tmp_path / "x.json") == content


@pytest.mark.parametrize(
    ("content", "left"), [(b"a\nb\n", b"a\nb\n"), (b"a\nb", b"a\n"), (b"b", b""), (b"", b"")]
)
def test_a_torn_last_line_is_dropped(tmp_path, content, left):
    file = tmp_path / "log"
    file.write_bytes(content)
    drop_torn_line(file)
    assert file.read_bytes() == left
    drop_torn_line(tmp_path / "missing")


@pytest.mark.parametrize(
    ("size", "left", "had_it"), [(2, b"a\n", True), (5, b"a\nb\nc", True), (9, b"a\nb\n", False)]
)
def test_a_log_is_truncated_to_its_size_or_to_its_whole_lines(tmp_path, size, left, had_it):
    file = tmp_path / "log"
    file.write_bytes(b"a\nb\nc")
    assert truncate_log(file, size) is had_it
    assert file.read_bytes() == left
    assert truncate_log(tmp_path / "missing", 0)
    assert not truncate_log(tmp_path / "missing", 1)


HOLDING = """
import sys
from pathlib import Path
from rnnlab.files import try_lock, locked
with {how}(Path(sys.argv[1])) as holder:
    print(holder or "", flush=True)
    sys.stdin.read()
"""


def hold(file: Path, how: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", HOLDING.format(how=how), str(file)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_a_lock_names_its_holder_and_is_free_when_that_is_killed(tmp_path):
    file = tmp_path / "lock"
    host = os.uname().nodename
    with hold(file, "try_lock") as holding:
        assert holding.stdout.readline() == "\n"
        with try_lock(file) as holder:
            assert holder == f"process {holding.pid} on {host}"
        with hold(file, "locked") as waiting:
            holding.kill()
            assert waiting.stdout.readline() == "\n", "waited until the lock was free"
            with try_lock(file) as holder:
                assert holder
            waiting.kill()
            waiting.wait()
    with try_lock(file) as holder:
        assert holder == ""
        with try_lock(file) as other:
            assert other == f"process {os.getpid()} on {host}"


def test_the_owner_of_a_lock_is_told_without_taking_it(tmp_path, monkeypatch):
    file = tmp_path / "lock"
    host = os.uname().nodename
    assert lock_owner(file) == ""
    os.mkfifo(tmp_path / "pipe")
    assert lock_owner(tmp_path / "pipe") == ""
    with hold(file, "try_lock") as holding:
        assert holding.stdout.readline() == "\n"
        assert lock_owner(file) == f"process {holding.pid} on {host}"
        holding.kill()
        holding.wait()
    with monkeypatch.context() as patch:  # a process that is dead is told without trying the lock
        patch.setattr("rnnlab.files._lock", lambda file, wait: pytest.fail("tried"))
        assert lock_owner(file) == ""
    # Another process has the number of the dead one, or the lock was taken on another machine.
    for words in f"process {os.getpid()} on {host}", "process 12 on elsewhere", "":
        before = f"\0{words}".encode()
        file.write_bytes(before)
        assert lock_owner(file) == ""
        assert file.read_bytes() == before


def test_the_holder_in_a_lock_file_of_an_older_version_is_read(tmp_path):
    file = tmp_path / "lock"
    with hold(file, "locked") as holding:
        assert holding.stdout.readline() == "\n"
        for content, expected in (
            ("process 12 on host", "process 12 on host"),
            ("", "another process"),
        ):
            file.write_text(content)
            with try_lock(file) as holder:
                assert holder == expected
        holding.kill()
