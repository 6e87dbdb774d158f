"""Bad models and run directories get one clear error, never a traceback."""

import json
import shutil
from pathlib import Path

import pytest
from command_line import TINY, Cli
from refusal import check, write

from rnnlab.files import sealed, write_json
from rnnlab.lm.tensor_file import arrays_of, read_tensors, write_arrays

HOSTILE_BPE = json.dumps(
    {
        "added_tokens": [], "normalizer": None, "post_processor": None,
        "pre_tokenizer": {
            "type": "Split", "pattern": {"Regex": "(a+)+$"}, "behavior": "Isolated",
            "invert": False,
        },
        "decoder": {"type": "ByteLevel"}, "model": {"type": "BPE", "vocab": {}, "merges": []},
    }
)  # fmt: skip
"""Another step before the merges, whose regular expression takes forever."""


def test_unwritable_run_directory(cli: Cli, text_file: Path) -> None:
    run = f"{text_file}/run"
    check(
        cli("train", "--corpus", str(text_file), *TINY, "--num-epochs", "1", "--run-dir", run),
        1,
        f"run directory '{run}' cannot be written: Not a directory; give another --run-dir",
    )


def test_run_directory_that_exists(cli: Cli, trained: tuple[Path, str], text_file: Path) -> None:
    before = (trained[0] / "result.json").read_bytes()
    check(
        cli(
            "train",
            "--corpus",
            str(text_file),
            *TINY,
            "--num-epochs",
            "1",
            "--run-dir",
            str(trained[0]),
        ),
        2,
        f"run directory '{trained[0]}' exists and is not empty; go on with it by --resume "
        f"{trained[0]}, give another --run-dir, or delete it first",
    )
    assert (trained[0] / "result.json").read_bytes() == before


@pytest.mark.parametrize("command", ["generate", "evaluate"])
def test_no_model(cli: Cli, tmp_path: Path, command: str) -> None:
    missing = tmp_path / "nothing"
    check(
        cli(command, str(missing)),
        2,
        f"model '{missing}' does not exist; give a run directory or a model folder",
    )
    check(
        cli(command, str(tmp_path)),
        2,
        f"model '{tmp_path}' is not a run directory; give a run directory or a model folder",
    )


@pytest.mark.parametrize("command", ["generate", "evaluate"])
def test_model_folder_with_a_truncated_weight_file(
    cli: Cli, trained: tuple[Path, str], tmp_path: Path, command: str
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(trained[0] / "checkpoint" / "best", folder)
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    done = cli(command, str(folder))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(
        f"rnnlab: error: {weights}: damaged, not a safetensors file: "
        "Error while deserializing header: incomplete metadata, file not fully covered"
    )
    assert "Traceback" not in done.stderr


def test_contradictory_generation(cli: Cli, trained: tuple[Path, str]) -> None:
    check(
        cli("generate", str(trained[0]), "--beam-width", "2", "--top-k", "3"),
        2,
        "beam_width excludes top_k: beam search does not sample",
    )


def test_bad_context_rule(cli: Cli, trained: tuple[Path, str]) -> None:
    check(
        cli("evaluate", str(trained[0]), "--context", "windows:0"),
        2,
        "context: a context rule is 'carried' or 'windows:N' with N >= 1, not 'windows:0'",
    )


def test_text_and_split_together(cli: Cli, trained: tuple[Path, str], text_file: Path) -> None:
    check(
        cli("evaluate", str(trained[0]), "--text", str(text_file), "--split", "test"),
        2,
        "give texts or splits of the model's own corpus, not both",
    )


def test_missing_and_empty_prefix_file(cli: Cli, trained: tuple[Path, str], tmp_path: Path) -> None:
    file = write(tmp_path, b"")
    check(
        cli("generate", str(trained[0]), "--prefix-file", file),
        2,
        f"prefix file {file} is empty; it needs one prefix per line",
    )
    check(
        cli("generate", str(trained[0]), "--prefix-file", f"{file}x"),
        2,
        f"prefix file {file}x: cannot be read: No such file or directory",
    )
    check(
        cli("generate", str(trained[0]), "--prefix-file", "/dev/zero"),
        2,
        "prefix file /dev/zero is longer than 16,777,216 bytes",
    )


def test_empty_prefix_flag_and_prefix_with_a_file(
    cli: Cli, trained: tuple[Path, str], tmp_path: Path
) -> None:
    done = cli("generate", str(trained[0]), "--length", "3", "--prefix")
    assert (done.returncode, len(done.stdout)) == (0, 4)
    check(
        cli("generate", str(trained[0]), "--prefix", "The", "--prefix-file", "prefixes.txt"),
        2,
        "give --prefix or --prefix-file, not both",
    )


def test_weights_that_are_not_numbers(cli: Cli, trained: tuple[Path, str], tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(trained[0] / "checkpoint" / "best", folder)
    weights = folder / "model.safetensors"
    tensors, _ = read_tensors(weights)
    next(iter(tensors.values()))[0] = float("nan")
    write_arrays(weights, arrays_of(tensors))
    done = cli("generate", str(folder))
    assert done.returncode == 1
    assert done.stderr.startswith(f"rnnlab: error: {weights}: damaged, ")
    assert done.stderr.endswith(" holds NaN or infinite numbers\n")


def test_a_model_folder_of_nested_brackets(
    cli: Cli, trained: tuple[Path, str], tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(trained[0] / "checkpoint" / "last", folder)
    (folder / "config.json").write_text("[" * 100_000)
    done = cli("generate", str(folder))
    assert done.returncode == 1
    assert done.stderr.startswith(
        f"rnnlab: error: {folder / 'config.json'}: damaged, not JSON: maximum recursion"
    )


def test_a_model_folder_whose_text_has_no_end(
    cli: Cli, trained: tuple[Path, str], tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(trained[0] / "checkpoint" / "last", folder)
    config = json.loads((folder / "config.json").read_text())
    config["data"]["corpus"] = ["/dev/zero"]
    write_json(folder / "config.json", sealed(config))
    done = cli("evaluate", str(folder))
    assert done.returncode == 1
    assert "/dev/zero is not a regular file" in done.stderr


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("config.json", '{"a": 1' + "0" * 10_000 + "}", "damaged, not JSON: Exceeds the limit "),
        (
            "tokenizer.json",
            r'{"type": "char", "characters": "ab\ud800"}',
            "damaged, contains lone surrogates, which are not text",
        ),
        (
            "tokenizer.json",
            json.dumps({"type": "bpe", "tokenizers": HOSTILE_BPE}),
            "not a tokenizer: only byte-level BPE is supported",
        ),
    ],
)
def test_a_hostile_model_folder_is_refused(
    cli: Cli, trained: tuple[Path, str], tmp_path: Path, name: str, content: str, message: str
) -> None:
    folder = shutil.copytree(trained[0] / "checkpoint" / "best", tmp_path / "model")
    (folder / name).write_text(content)
    done = cli("generate", str(folder))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"rnnlab: error: {folder / name}: {message}")
