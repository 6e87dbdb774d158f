"""Bad flags, settings files and file names get one clear error, never a traceback."""

import shutil
from pathlib import Path

import pytest
from command_line import Cli
from refusal import check, write


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
        "(choices: train, generate, write, evaluate, score, classify, ensemble, export, "
        "import, doctor, probe, serve, compare, experiment, experiment new, power, reproduce, "
        "report, corpora, engines, bench, check-cell)",
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("learning_rat = 1.0", "unknown setting 'learning_rat'; did you mean 'learning_rate'?"),
        ("batch_size = 0", "batch_size must be greater than or equal to 1, not 0"),
        ("batch_size = 'many'", "batch_size must be a whole number, not 'many'"),
        ("cell = 'lstn'",
         "cell must be 'rnn', 'rnn-relu', 'gru', 'lstm' or FILE.py:CLASS, not 'lstn'"),
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
        cli("train", "--config", "lab-reprot"),
        2,
        "config: 'lab-reprot' is neither a file nor a recipe; did you mean 'lab-report'? "
        "(recipes: lab-report)",
    )


def test_wrong_flag_value(cli: Cli) -> None:
    check(cli("train", "--dropout", "1.5"), 2, "dropout must be less than 1, not 1.5")


def test_a_settings_file_of_nested_brackets(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "deep.toml"
    file.write_text("seed = " + "[" * 100_000)
    done = cli("train", "--config", str(file))
    assert done.returncode == 2
    assert done.stderr.startswith(f"rnnlab: error: {file}: not TOML: maximum recursion depth")


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
