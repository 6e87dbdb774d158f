"""Bad input gets one clear error that names rule, value and choices; never a traceback."""

import hashlib
import json
import shutil
import subprocess
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from command_line import RNNLAB, TINY, Cli

from rnnlab.files import sealed, write_json
from rnnlab.lm.tensor_file import read_tensors, write_tensors
from rnnlab.runs.files import state_files

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


def check(done: CompletedProcess[str], exit_code: int, message: str) -> None:
    assert (done.returncode, done.stdout) == (exit_code, ""), done.stderr
    assert " ".join(done.stderr.split()) == f"rnnlab: error: {message}"


def write(tmp_path: Path, content: bytes, name: str = "text.txt") -> str:
    (tmp_path / name).write_bytes(content)
    return str(tmp_path / name)


def test_empty_file(cli: Cli, tmp_path: Path) -> None:
    file = write(tmp_path, b"")
    check(cli("train", "--corpus", file), 1, f"file {file} is empty; a corpus needs text")


def test_binary_file(cli: Cli, tmp_path: Path) -> None:
    file = write(tmp_path, b"PNG\x89\xff")
    check(
        cli("train", "--corpus", file),
        1,
        f"file {file} is not UTF-8 text: byte 0x89 at offset 3; convert it, "
        "or use --errors replace",
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
        cli("train", "--corpus", file),
        1,
        "text too short: batch_size 32 x num_steps 64 needs a training split of at least 2113 "
        "tokens, not 90; use a longer text, or a smaller --batch-size or --num-steps",
    )


def test_unknown_corpus(cli: Cli) -> None:
    check(
        cli("train", "--corpus", "timemachin"),
        2,
        "corpus 'timemachin' is neither a named corpus nor a file; did you mean 'timemachine'? "
        "(named: timemachine, tinyshakespeare, python-reference; or the path of a text file, or - "
        "for standard input)",
    )


def test_folder_as_corpus(cli: Cli, tmp_path: Path) -> None:
    check(
        cli("train", "--corpus", str(tmp_path)),
        1,
        f"file {tmp_path}: cannot be read: Is a directory",
    )


def test_unknown_engine(cli: Cli, text_file: Path) -> None:
    check(
        cli("train", "--corpus", str(text_file), "--engine", "builtn"),
        2,
        "unknown engine 'builtn'; did you mean 'builtin'? "
        "(choices: textbook, builtin, native, auto)",
    )


@pytest.mark.parametrize(
    ("flag", "choices"),
    [
        ("cell", "'rnn', 'rnn-relu', 'gru', 'lstm'"),
        ("optimizer", "'sgd', 'adam', 'adamw', 'rmsprop', 'adagrad'"),
        ("precision", "'float32', 'bfloat16'"),
    ],
)
def test_unknown_choice(cli: Cli, flag: str, choices: str) -> None:
    done = cli("train", f"--{flag}", "lstn")
    words = " ".join(done.stderr.replace("│", " ").split())
    assert done.returncode == 2
    assert f"invalid choice 'lstn' for argument '--{flag}'. Expected one of ({choices})" in words


def test_misspelt_flag(cli: Cli) -> None:
    done = cli("train", "--hiden-size", "3")
    assert done.returncode == 2
    assert "Unrecognized options: --hiden-size" in done.stderr
    assert "--hidden-size" in done.stderr


def test_unknown_command(cli: Cli) -> None:
    check(
        cli("trian"),
        2,
        "unknown command 'trian'; did you mean 'train'? "
        "(choices: train, generate, evaluate, doctor, experiment, reproduce, report, corpora, "
        "engines, bench)",
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("learning_rat = 1.0", "unknown setting 'learning_rat'; did you mean 'learning_rate'?"),
        ("batch_size = 0", "batch_size must be greater than or equal to 1, not 0"),
        ("batch_size = 'many'", "batch_size must be a whole number, not 'many'"),
        ("cell = 'lstn'", "cell must be 'rnn', 'rnn-relu', 'gru' or 'lstm', not 'lstn'"),
        ("split = [0.9, 0.2, 0.1]", "split needs three shares that sum to 1 (0.9 0.05 0.05) or "
         "three whole numbers of characters (10000 2500 2500), the first above 0, not 0.9 0.2 0.1"),
        ("tie_weights = true", "tie_weights needs embedding_size = hidden_size, not 64 and 256"),
        ("nesterov = true", "nesterov needs optimizer = 'sgd' and momentum above 0"),
    ],
)  # fmt: skip
def test_wrong_config_file(cli: Cli, tmp_path: Path, content: str, message: str) -> None:
    file = write(tmp_path, content.encode(), "my.toml")
    check(cli("train", "--config", file), 2, f"{file}: {message}")


def test_config_that_is_not_toml_or_does_not_exist(cli: Cli, tmp_path: Path) -> None:
    file = write(tmp_path, b"corpus = ", "my.toml")
    done = cli("train", "--config", file)
    assert done.returncode == 2
    assert done.stderr.startswith(f"rnnlab: error: {file}: not TOML: Invalid value")
    check(
        cli("train", "--config", "dem"),
        2,
        "config: 'dem' is neither a file nor a recipe; did you mean 'demo'? "
        "(recipes: demo, lab-report, timemachine, tinyshakespeare)",
    )


def test_wrong_flag_value(cli: Cli) -> None:
    check(cli("train", "--dropout", "1.5"), 2, "dropout must be less than 1, not 1.5")


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


def test_no_gpu(cli_process: Cli, text_file: Path) -> None:
    check(
        cli_process(
            "train",
            "--corpus",
            str(text_file),
            "--device",
            "cuda",
            env={"CUDA_VISIBLE_DEVICES": ""},
        ),
        1,
        "device 'cuda' is not available: torch sees no GPU here (choices: cpu, auto)",
    )


def test_bfloat16_where_it_is_not_available(cli_process: Cli, text_file: Path) -> None:
    check(
        cli_process(
            "train", "--corpus", str(text_file), "--precision", "bfloat16", "--device", "cpu",
            env={"ONEDNN_MAX_CPU_ISA": "AVX2"}),
        1,
        "precision 'bfloat16' is not available on this cpu: it needs a CPU with AVX-512 "
        "(choices: float32)",
    )  # fmt: skip


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
        "beam_width excludes top_k and top_p: beam search does not sample",
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
    write_tensors(weights, tensors)
    done = cli("generate", str(folder))
    assert done.returncode == 1
    assert done.stderr.startswith(f"rnnlab: error: {weights}: damaged, ")
    assert done.stderr.endswith(" holds NaN or infinite numbers\n")


def test_a_model_larger_than_memory(cli: Cli, text_file: Path, tmp_path: Path) -> None:
    flags = ["--hidden-size", "65536", "--num-layers", "64", "--run-dir", str(tmp_path / "run")]
    done = cli("train", "--corpus", str(text_file), *flags)
    assert done.returncode == 1
    assert done.stderr.startswith("rnnlab: error: out of memory: ")
    assert done.stderr.endswith(
        "; use a smaller --hidden-size, --batch-size, --num-steps or --length\n"
    )


@pytest.mark.parametrize("megabytes", [1500, 2000], ids=["for a state", "for a step"])
def test_memory_that_runs_out_later(text_file: Path, tmp_path: Path, megabytes: int) -> None:
    run = tmp_path / "run"
    command = f"ulimit -v {megabytes * 1000}; exec {RNNLAB} train --hidden-size 4000 --threads 1"
    done = subprocess.run(
        ["sh", "-c", f"{command} --corpus {text_file} --run-dir {run}"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert done.stderr.startswith("rnnlab: error: out of memory")
    sizes = "; use a smaller --hidden-size, --batch-size, --num-steps or --length. "
    kept = "The training state of step 0 is kept; go on with rnnlab train --resume "
    left = f"{kept}{run}\n" if state_files(run) else "No training state is left\n"
    assert done.stderr.endswith(sizes + left)


def test_a_loss_beyond_any_perplexity_is_a_divergence(
    cli: Cli, text_file: Path, tmp_path: Path
) -> None:
    flags = [
        "--optimizer",
        "sgd",
        "--learning-rate",
        "1e6",
        "--clip-norm",
        "0",
        "--num-epochs",
        "3",
    ]
    run = str(tmp_path / "run")
    done = cli("train", "--corpus", str(text_file), *TINY, *flags, "--run-dir", run)
    assert done.returncode == 1
    assert done.stderr.startswith("rnnlab: error: training diverged at step ")
    assert "Traceback" not in done.stderr


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


def test_a_settings_file_of_nested_brackets(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "deep.toml"
    file.write_text("seed = " + "[" * 100_000)
    done = cli("train", "--config", str(file))
    assert done.returncode == 2
    assert done.stderr.startswith(f"rnnlab: error: {file}: not TOML: maximum recursion depth")


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


def test_file_names_that_are_not_utf8(cli: Cli, tmp_path: Path, trained: tuple[Path, str]) -> None:
    """File names can be any bytes; settings and libraries need text."""
    odd = tmp_path / "a\udcff"
    odd.mkdir()
    rule = "'{}' holds bytes that are not UTF-8; {}"
    name = f"{tmp_path}/a\\udcff"
    anew = "write it in UTF-8, or rename the file that it names"
    file = write(odd, b"some text " * 300)
    check(
        cli("train", "--corpus", file),
        2,
        f"corpus: {rule.format(f'{name}/text.txt', anew)}",
    )
    check(
        cli("train", "--sample-prefix", odd.name[1:]),
        2,
        f"sample_prefix: {rule.format(ascii(odd.name[1:])[1:-1], anew)}",
    )
    for command in (
        ["train", "--run-dir", str(odd)],
        ["reproduce", "lab-report", "--output", str(odd)],
    ):
        check(cli(*command), 2, rule.format(name, "give it another name"))
    shutil.copytree(trained[0], odd / "run")
    weights = f"{name}/run/checkpoint/best/model.safetensors"
    for verb in ("generate", "evaluate"):
        check(cli(verb, str(odd / "run")), 2, rule.format(weights, "give it another name"))


@pytest.mark.parametrize("flag", ["--resume", "--config", "--run-dir"])
def test_a_flag_whose_shell_variable_was_unset(cli: Cli, tmp_path: Path, flag: str) -> None:
    name = flag[2:].replace("-", "_")
    check(cli("train", flag, "", cwd=tmp_path), 2, f"{name} is empty; name one, or leave it out")
    assert not list(tmp_path.iterdir())


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
