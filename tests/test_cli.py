"""The command line: what each command promises, and that the installed one is this one."""

import json
import re
import tomllib
from pathlib import Path

import pytest
from command_line import TINY, Cli, made_up_text
from forked import Forked
from safetensors.numpy import load_file

from rnnlab.cli import COMMANDS
from rnnlab.config import Settings
from rnnlab.config.settings import RECIPES
from rnnlab.engines import choose_engine


def test_help_names_every_command_and_every_setting(cli: Cli) -> None:
    overview = cli("--help").stdout
    assert all(name in overview for name in COMMANDS)
    details = cli("train", "--help").stdout
    for name in Settings.names():
        assert f"--{name.replace('_', '-')}" in details
    assert "(default: windows:256)" in re.sub(r"[\s│]+", " ", details)
    assert "(default: chosen, 256 with --no-automatic)" in re.sub(r"[\s│]+", " ", details)


def test_no_arguments_show_help(cli: Cli) -> None:
    assert cli().stdout == cli("--help").stdout


def test_version(cli: Cli) -> None:
    assert cli("--version").stdout == "rnnlab 0.1.0\n"


@pytest.mark.parametrize(
    "args",
    ["--version", "generate RUN --prefix The --length 20", "evaluate RUN", "reproduce nothing"],
)
def test_the_installed_command_is_what_other_tests_call_in_their_own_process(
    cli: Cli, cli_process: Cli, trained: tuple[Path, str], args: str
) -> None:
    words = args.replace("RUN", str(trained[0])).split()
    here, installed = cli(*words), cli_process(*words)
    assert (here.returncode, here.stdout, here.stderr) == (
        installed.returncode, installed.stdout, installed.stderr,
    )  # fmt: skip


@pytest.mark.parametrize(
    "args",
    ["doctor RUN --json", "corpora", "engines", "report RUN", "bench --engine nothing"],
)
def test_a_new_process_prints_what_the_process_of_the_tests_does(
    cli: Cli, trained: tuple[Path, str], args: str
) -> None:
    words = args.replace("RUN", str(trained[0])).split()
    here, forked = cli(*words), Forked(*words).ended()
    assert (here.returncode, here.stdout, here.stderr) == (
        forked.returncode, forked.stdout, forked.stderr,
    )  # fmt: skip


# The flags and result fields that scripts may rely on.


def test_promised_flags_exist(cli: Cli) -> None:
    promised = (
        "corpus cell engine hidden-size num-layers batch-size num-steps num-epochs max-seconds "
        "max-tokens corpus-limit optimizer learning-rate clip-norm precision seed run-dir config "
        "quiet"
    )
    details = cli("train", "--help").stdout
    assert all(f"--{flag} " in details or f"--{flag}," in details for flag in promised.split())


def test_promised_result_fields_exist(trained: tuple[Path, str]) -> None:
    result = json.loads((trained[0] / "result.json").read_text())
    assert {"perplexity", "tokens_per_second", "seconds"} <= result["training"].keys()
    assert result["training"]["perplexity"] > 1
    contexts = [(record["split"], record["context"]) for record in result["evaluations"]]
    assert contexts == [
        ("validation", "carried"),
        ("validation", "windows:256"),
        ("test", "carried"),
        ("test", "windows:256"),
    ]
    for record in result["evaluations"]:
        assert {"nats_per_token", "bits_per_character", "perplexity"} <= record.keys()
        assert record["baselines"].keys() == {
            "uniform", "unigram", "ngram", "ppmd", "ppmd-restarted",
        }, "the text is too short for xz and bzip2"  # fmt: skip


# Training.


def test_a_run_directory_is_complete_and_learned_something(trained: tuple[Path, str]) -> None:
    directory, printed = trained
    names = {file.name for file in directory.iterdir()}
    assert names == {
        "config.toml", "environment.json", "metrics.jsonl", "checkpoint", "result.json",
        "samples.txt", "curves.svg", ".lock",
    }  # fmt: skip
    assert printed.startswith("corpus    ")
    assert "corpus    file " in printed.splitlines()[0]
    assert printed.rstrip().endswith(f"run directory: {directory}")
    assert "\x1b" not in printed, "plain lines if the output is not a terminal"
    result = json.loads((directory / "result.json").read_text())
    test = result["evaluations"][-1]
    assert test["bits_per_character"] < test["baselines"]["unigram"]["bits_per_character"] - 1
    lines = [json.loads(line) for line in (directory / "metrics.jsonl").read_text().splitlines()]
    assert [line["kind"] for line in lines].count("held-out") >= 4
    assert (directory / "samples.txt").read_text().count("--- step") == 4
    environment = json.loads((directory / "environment.json").read_text())
    assert {"torch", "python", "cpu", "threads"} <= environment.keys()


def test_the_recorded_settings_give_the_same_run_again(
    cli: Cli, trained: tuple[Path, str], tmp_path: Path
) -> None:
    config, again = trained[0] / "config.toml", tmp_path / "again"
    done = cli("train", "--config", str(config), "--run-dir", str(again), "--quiet")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    for which in ("best", "last"):
        weights = [
            load_file(run / "checkpoint" / which / "model.safetensors")
            for run in (trained[0], again)
        ]
        assert weights[0].keys() == weights[1].keys()
        assert all((weights[0][name] == weights[1][name]).all() for name in weights[0])
    assert config.read_text() == (again / "config.toml").read_text()


def test_flags_override_the_config_file(
    cli: Cli, trained: tuple[Path, str], tmp_path: Path
) -> None:
    config = str(trained[0] / "config.toml")
    run = tmp_path / "run"
    done = cli("train", "--hidden-size", "16", "--config", config, "--num-epochs", "1", "--quiet",
               "--run-dir", str(run))  # fmt: skip
    assert done.returncode == 0, done.stderr
    recorded = tomllib.loads((run / "config.toml").read_text())
    assert (recorded["hidden_size"], recorded["num_epochs"], recorded["batch_size"]) == (16, 1, 8)


def test_auto_is_resolved_in_the_record(trained: tuple[Path, str]) -> None:
    recorded = tomllib.loads((trained[0] / "config.toml").read_text())
    fastest = choose_engine("auto", "lstm", "cpu")[0].name
    assert (recorded["engine"], recorded["device"], recorded["threads"]) == (fastest, "cpu", 1)
    assert Path(recorded["corpus"][0]).is_absolute()


def test_standard_input_is_a_corpus(cli: Cli, tmp_path: Path) -> None:
    run = str(tmp_path / "run")
    done = cli("train", "--corpus", "-", *TINY, "--num-epochs", "1", "--run-dir", run,
               input=made_up_text(100))  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("corpus    standard input\n")


@pytest.mark.parametrize("tokenizer", ["byte", "word", "bpe"])
def test_every_tokenizer_trains_evaluates_and_generates(
    cli: Cli, text_file: Path, tmp_path: Path, tokenizer: str
) -> None:
    run = str(tmp_path / "run")
    flags = ["--tokenizer", tokenizer, "--num-epochs", "2", *TINY]
    flags += ["--bpe-size", "300"] if tokenizer == "bpe" else []
    done = cli("train", "--corpus", str(text_file), *flags, "--run-dir", run)
    assert done.returncode == 0, done.stderr
    done = cli("evaluate", run, "--json")
    records = json.loads(done.stdout)["evaluations"]
    assert all(0 < record["bits_per_character"] < 8 for record in records)
    done = cli("generate", run, "--prefix", "The cat", "--length", "20")
    assert done.returncode == 0
    assert done.stdout.startswith("The cat")


def test_without_held_out_text_nothing_is_evaluated(
    cli: Cli, text_file: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    done = cli("train", "--corpus", str(text_file), "--split", "1", "0", "0", *TINY,
               "--num-epochs", "1", "--run-dir", str(run))  # fmt: skip
    assert "no validation split: all figures during training are of training text" in done.stdout
    assert json.loads((run / "result.json").read_text())["evaluations"] == []
    assert sorted(folder.name for folder in (run / "checkpoint").iterdir()) == ["last", "state"]
    done = cli("evaluate", str(run))
    assert done.returncode == 2
    assert "nothing was held out when this model was trained" in done.stderr
    assert cli("evaluate", str(run), "--split", "train").returncode == 0


def test_a_diverged_run_says_why_and_keeps_its_last_good_checkpoint(
    cli: Cli, text_file: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    flags = (
        "--cell rnn-relu --optimizer sgd --learning-rate 50 --clip-norm 0 --warmup 0.9 "
        "--num-epochs 20 --num-evaluations 1000"
    )
    done = cli("train", "--corpus", str(text_file), *TINY, *flags.split(), "--run-dir", str(run))
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    for part in (
        "rnnlab: error: training diverged at step ",
        "gradient norms of the steps before: ",
        "Try a smaller --learning-rate (now 50)",
        f"The last good checkpoint is kept: {run / 'checkpoint' / 'best'}",
    ):
        assert part in done.stderr
    result = json.loads((run / "result.json").read_text())
    assert result["training"]["stopped_by"] == "divergence"
    assert cli("generate", str(run), "--prefix", "The", "--length", "5").returncode == 0


# Generation and evaluation.


def test_generation_repeats_with_its_seed_and_differs_with_another(
    cli: Cli, trained: tuple[Path, str]
) -> None:
    def written(seed: int) -> str:
        return cli("generate", str(trained[0]), "--prefix", "The", "--seed", str(seed)).stdout

    assert written(1) == written(1) != written(2)
    assert len(written(1)) == len("The") + 200 + len("\n")


def test_several_prefixes_from_a_file_are_continued_in_order(
    cli: Cli, trained: tuple[Path, str], tmp_path: Path
) -> None:
    file = tmp_path / "prefixes.txt"
    file.write_text("\ufeffThe cat\nThe dog sees\nA\n", encoding="utf-8")  # marked as on Windows
    args = ["generate", str(trained[0]), "--length", "10", "--temperature", "0"]
    together = cli(*args, "--prefix-file", str(file)).stdout
    alone = [cli(*args, "--prefix", p).stdout for p in ["The cat", "The dog sees", "A"]]
    assert together == "".join(f"--- {n} of 3\n{text}" for n, text in enumerate(alone, start=1))


@pytest.mark.parametrize(
    ("prefix", "notice"),
    [
        ("", "rnnlab: note: empty prefix: the model starts after '\\n'"),
        (
            "The ñ 🙂",
            "rnnlab: note: prefix 'The ñ 🙂': 'ñ', '🙂' not in the vocabulary, read as <unk>",
        ),
    ],
)
def test_odd_prefixes_get_a_notice_and_a_text(
    cli: Cli, trained: tuple[Path, str], prefix: str, notice: str
) -> None:
    done = cli("generate", str(trained[0]), "--prefix", prefix, "--length", "10")
    assert done.returncode == 0
    assert done.stderr == notice + "\n"
    assert done.stdout.startswith(prefix)
    assert len(done.stdout) == len(prefix) + 11


@pytest.mark.parametrize(
    "flags", ["--temperature 0", "--top-k 3", "--top-p 0.5", "--beam-width 3", "--checkpoint last"]
)
def test_every_way_to_generate(cli: Cli, trained: tuple[Path, str], flags: str) -> None:
    done = cli("generate", str(trained[0]), "--prefix", "The cat", "--length", "12", *flags.split())
    assert done.returncode == 0, done.stderr
    assert len(done.stdout) == 7 + 12 + 1


def test_evaluate_agrees_with_the_record_of_the_run(cli: Cli, trained: tuple[Path, str]) -> None:
    printed = json.loads(cli("evaluate", str(trained[0]), "--json").stdout)["evaluations"]
    recorded = json.loads((trained[0] / "result.json").read_text())["evaluations"]
    for one, other in zip(printed, recorded, strict=True):
        figures = ("nats_per_token", "bits_per_character", "perplexity")
        assert [one.pop(f) for f in figures] == pytest.approx([other.pop(f) for f in figures])
        assert one == other


def test_likely_text_scores_better_than_unlikely_text(
    cli: Cli, trained: tuple[Path, str], tmp_path: Path
) -> None:
    likely, unlikely = tmp_path / "likely.txt", tmp_path / "unlikely.txt"
    likely.write_text(made_up_text(20, seed=9))
    unlikely.write_text(made_up_text(20, seed=9)[::-1])
    done = cli("evaluate", str(trained[0]), "--text", str(likely), str(unlikely), "--json",
               "--context", "windows:64")  # fmt: skip
    good, bad = json.loads(done.stdout)["evaluations"]
    assert good["corpus"] == str(likely)
    assert good["context"] == "windows:64"
    assert good["bits_per_character"] < bad["bits_per_character"] - 2
    assert good["baselines"]["ngram"]["bits_per_character"] < 2


def test_text_from_standard_input_is_evaluated_as_a_table(
    cli: Cli, trained: tuple[Path, str]
) -> None:
    done = cli("evaluate", str(trained[0]), "--text", "-", input="The cat sees the ñ.\n")
    assert done.returncode == 0
    assert "this model, carried" in done.stdout
    assert done.stdout.startswith("standard input: 20 characters, weights: best\n")
    assert "<unk> stands for 5.0% of the characters" in done.stdout


def test_without_the_training_text_baselines_are_left_out_with_a_notice(
    cli: Cli, tmp_path: Path
) -> None:
    text, run = tmp_path / "text.txt", str(tmp_path / "run")
    text.write_text(made_up_text(100))
    cli("train", "--corpus", str(text), *TINY, "--num-epochs", "1", "--quiet", "--run-dir", run)
    text.write_text(made_up_text(100, seed=5))
    other = tmp_path / "other.txt"
    other.write_text(made_up_text(10))
    done = cli("evaluate", run, "--text", str(other))
    assert done.returncode == 0
    assert "baselines left out, the training text is not available" in done.stderr
    assert "has changed since training" in done.stderr
    assert cli("evaluate", run).returncode == 1


# The other commands.


def test_corpora_lists_names_sums_and_places(cli: Cli) -> None:
    printed = cli("corpora").stdout
    for part in (
        "timemachine", "tinyshakespeare", "python-reference", "178,979 bytes",
        "8424dbd9532ac81f7e5f0b6add90e6952baea29158309d7d1bf3884f4e12c516",
    ):  # fmt: skip
        assert part in printed


def test_engines_says_which_are_ready(cli: Cli) -> None:
    lines = cli("engines").stdout.splitlines()
    assert "textbook  ready" in lines
    assert "builtin   ready" in lines
    assert any(line.startswith(("native    ready: ", "native    not here: ")) for line in lines)
    assert lines[-2].startswith("auto      ")
    assert lines[-1].startswith("threads   ")


def test_bench_prints_one_json_object(cli: Cli) -> None:
    done = cli("bench", "--hidden-size", "16", "--batch-size", "4", "--num-steps", "5",
               "--rounds", "2", "--seconds", "0.01", "--cell", "gru",
               "--engine", "textbook", "builtin", "--json")  # fmt: skip
    result = json.loads(done.stdout)
    # Whether the machine is busy is not the test's to say.
    assert re.sub("rnnlab: note: the machine is busy.*\n", "", done.stderr) == ""
    assert result.keys() == {"training", "generation", "machine"}
    rows = {row["engine"]: row for row in result["training"]}
    assert rows.keys() == {"textbook", "builtin"}
    assert rows["builtin"]["ratio_to_builtin"] == 1
    assert {
        "cell", "engine", "precision", "hidden_size", "batch_size", "num_steps",
        "tokens_per_second", "ratio_to_builtin", "share_of_peak",
    } <= rows["textbook"].keys()  # fmt: skip
    assert all(row["microseconds_per_character"] > 0 for row in result["generation"])


@pytest.mark.parametrize("recipe", sorted(RECIPES.glob("*.toml")), ids=lambda path: path.stem)
def test_every_recipe_loads(recipe: Path) -> None:
    assert Settings.from_toml(recipe) != Settings()


def test_text_files_need_no_flag(
    cli: Cli, trained: tuple[Path, str], text_file: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    done = cli("train", str(text_file), *TINY, "--num-epochs", "1", "--run-dir", str(run))
    assert done.returncode == 0, done.stderr
    assert f"corpus    file {text_file}\n" in done.stdout
    measured = cli("evaluate", str(run), str(text_file), "--no-baselines")
    assert measured.stdout == cli(
        "evaluate", str(run), "--text", str(text_file), "--no-baselines"
    ).stdout  # fmt: skip
    for flags, name in ((["train"], "corpus"), (["evaluate", str(run)], "text")):
        both = cli(*flags, str(text_file), f"--{name}", "python-reference")
        assert both.returncode == 2
        assert f"give the text files alone or with --{name}, not both" in both.stderr


def test_a_text_that_moved_is_found_with_corpus(cli: Cli, text_file: Path, tmp_path: Path) -> None:
    run, text, moved = tmp_path / "run", tmp_path / "pets.txt", tmp_path / "moved.txt"
    text.write_bytes(text_file.read_bytes())
    assert (
        cli("train", str(text), *TINY, "--num-epochs", "1", "--run-dir", str(run)).returncode == 0
    )
    before = json.loads(cli("doctor", str(run), "--json").stdout)
    assert before["not_asked"] == {}
    text.rename(moved)
    left_out = json.loads(cli("doctor", str(run), "--json").stdout)["not_asked"].values()
    assert all("if it has moved, say where it is with --corpus" in why for why in left_out)
    assert json.loads(cli("doctor", str(run), "--corpus", str(moved), "--json").stdout) == before
    assert "say where it is with --corpus" in cli("evaluate", str(run)).stderr
    assert cli("evaluate", str(run), "--corpus", str(moved)).returncode == 0
    moved.write_text("another text, not the one of the run\n" * 300)
    changed = cli("evaluate", str(run), "--corpus", str(moved))
    assert (changed.returncode, "has changed since training" in changed.stderr) == (1, True)
