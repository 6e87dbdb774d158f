"""Bad texts and corpora get one clear error, never a traceback."""

import hashlib
from pathlib import Path

from command_line import Cli
from refusal import check, write


def test_empty_file(cli: Cli, tmp_path: Path) -> None:
    file = write(tmp_path, b"")
    check(cli("train", "--corpus", file), 1, f"file {file} is empty; a corpus needs text")


def test_binary_file(cli: Cli, tmp_path: Path) -> None:
    file = write(tmp_path, b"PNG\x89\xff")
    check(
        cli("train", "--corpus", file),
        1,
        f"file {file} is not UTF-8 text: byte 0x89 at offset 3; name its encoding "
        "(--encoding cp1252, or auto to detect it), or lose characters by --errors replace",
    )
    file = write(tmp_path, b"PNG\x00")
    check(
        cli("train", "--corpus", file),
        1,
        f"file {file} is not text: NUL byte at offset 3; use --errors replace to read it anyway",
    )


def test_text_shorter_than_one_batch(cli: Cli, tmp_path: Path) -> None:
    file = write(tmp_path, b"too short " * 10)
    check(
        cli("train", "--corpus", file, "--no-automatic"),
        1,
        "text too short: batch_size 32 x num_steps 64 needs a training split of at least 2113 "
        "tokens, not 90; use a longer text, or a smaller --batch-size or --num-steps",
    )


def test_unknown_corpus(cli: Cli) -> None:
    check(
        cli("train", "--corpus", "timemachin"),
        2,
        "corpus 'timemachin' is neither a named corpus nor a file; did you mean 'timemachine'? "
        "(named: timemachine, tinyshakespeare, python-reference; or the path of a text file or "
        "folder, or - for standard input)",
    )


def test_empty_folder_as_corpus(cli: Cli, tmp_path: Path) -> None:
    check(
        cli("train", "--corpus", str(tmp_path)),
        1,
        f"folder {tmp_path} has no files (hidden ones are left out)",
    )


def test_wrong_checksum_shows_both_sums(cli_process: Cli, tmp_path: Path) -> None:
    write(tmp_path, b"not the real one", "timemachine.txt")
    check(
        cli_process("train", "--corpus", "timemachine", env={"RNNLAB_DATA": str(tmp_path)}),
        1,
        f"corpus 'timemachine': wrong checksum of {tmp_path}/timemachine.txt: SHA-256 is "
        f"{hashlib.sha256(b'not the real one').hexdigest()}, must be "
        "8424dbd9532ac81f7e5f0b6add90e6952baea29158309d7d1bf3884f4e12c516; delete the file to "
        "download it again, or give its path as --corpus to use it as it is",
    )
