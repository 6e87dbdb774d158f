"""Lines of files and pipes: all of them, with their numbers, as soon as they are there."""

import subprocess
import sys
from pathlib import Path

import pytest

from rnnlab.data.line_batches import line_batches
from rnnlab.errors import CorpusError


def test_all_lines_of_all_files_with_their_numbers(tmp_path: Path) -> None:
    one, other = tmp_path / "one.txt", tmp_path / "other.txt"
    lines = [f"line {n} \u00e4\u20ac" for n in range(20_000)]
    one.write_bytes("\r\n".join(lines).encode())
    other.write_bytes("\ufeffa\n\nb\n".encode())
    found = [line for batch in line_batches([str(one), str(other)]) for line in batch]
    assert [line.text for line in found] == [*lines, "a", "b"]
    assert [line.number for line in found] == [*range(1, 20_001), 1, 3]
    assert {line.file for line in found} == {str(one), str(other)}


def test_a_pipe_is_answered_line_by_line() -> None:
    program = (
        "from rnnlab.data.line_batches import line_batches\n"
        "for batch in line_batches(['-']):\n"
        "    print([line.text for line in batch], flush=True)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        bufsize=1,
    )  # fmt: skip
    assert process.stdin
    assert process.stdout
    for text in ("a", "bb"):
        process.stdin.write(f"{text}\n")
        process.stdin.flush()
        assert process.stdout.readline() == f"['{text}']\n"
    assert process.communicate("ccc", timeout=60)[0] == "['ccc']\n"
    assert process.returncode == 0


def test_bad_input_is_one_clear_error(tmp_path: Path) -> None:
    file = tmp_path / "broken.txt"
    file.write_bytes(b"fine\nbr\xffken\n")
    with pytest.raises(
        CorpusError, match=r"^file .*broken.txt is not UTF-8 text: byte 0xff at off"
    ):
        list(line_batches([str(file)]))
    found = [line.text for batch in line_batches([str(file)], "replace") for line in batch]
    assert found == ["fine", "br\ufffdken"]
    with pytest.raises(CorpusError, match=r"^file .*: cannot be read: No such file or directory$"):
        list(line_batches([str(tmp_path / "none.txt")]))
