"""Check the one-line error that bad input gets."""

from pathlib import Path
from subprocess import CompletedProcess


def check(done: CompletedProcess[str], exit_code: int, message: str) -> None:
    assert (done.returncode, done.stdout) == (exit_code, ""), done.stderr
    assert " ".join(done.stderr.split()) == f"rnnlab: error: {message}"


def write(tmp_path: Path, content: bytes, name: str = "text.txt") -> str:
    (tmp_path / name).write_bytes(content)
    return str(tmp_path / name)
