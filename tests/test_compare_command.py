"""`rnnlab compare` and `rnnlab experiment new` on runs, as a user calls them."""

import csv
import io
import json
import re
import shutil
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import Cli, made_up_text
from refusal import check

import rnnlab
from rnnlab.errors import UsageError
from rnnlab.report.comparison_table import COLUMNS
from rnnlab.report.write_up import FILES

SMALL = [
    *("--hidden-size", "12", "--embedding-size", "4", "--batch-size", "8", "--num-steps", "16"),
    *("--num-epochs", "1", "--learning-rate", "0.01", "--num-evaluations", "4", "--threads", "1"),
    *("--sample-length", "0", "--no-automatic", "--split", "0.8", "0.1", "0.1"),
]

Train = Callable[..., Path]


@pytest.fixture(scope="module")
def train(cli: Cli, text_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Train:
    folder = tmp_path_factory.mktemp("runs")

    def made(name: str, *flags: str, corpus: Path = text_file) -> Path:
        run = folder / name
        if not run.exists():
            done = cli("train", "--corpus", str(corpus), *SMALL, *flags, "--run-dir", str(run))
            assert done.returncode == 0, done.stderr
        return run

    return made


@pytest.fixture(scope="module")
def runs(train: Train) -> list[str]:
    return [str(train(cell, "--cell", cell)) for cell in ("lstm", "gru", "rnn")]


@pytest.fixture(scope="module")
def seeds(train: Train) -> list[str]:
    return [
        str(train(f"{cell}-s{seed}", "--cell", cell, "--seed", str(seed)))
        for cell in ("lstm", "gru")
        for seed in (1, 2, 3)
    ]


def said(done) -> str:
    return " ".join(done.stderr.replace("│", " ").split())


def test_three_runs_in_every_form(cli: Cli, runs: list[str], tmp_path: Path) -> None:
    folder = tmp_path / "paper"
    done = cli("compare", *runs, "--output", str(folder), "--figure-format", "pdf", "svg")
    assert done.returncode == 0, done.stderr
    assert said(done) == f"rnnlab: note: 8 files written to {folder}"
    assert {file.name for file in folder.iterdir()} == {
        "comparison.md", "comparison.csv", "comparison.tex", "comparison.json",
        *(f"curves{wide}.{kind}" for wide in ("", "-wide") for kind in ("pdf", "svg")),
    }  # fmt: skip
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["differs", "lstm", "gru", "rnn"]
    assert lines[1].split() == ["cell", "lstm", "gru", "rnn"]
    for form, name in (("csv", "csv"), ("latex", "tex"), ("markdown", "md")):
        printed = cli("compare", *runs, "--format", form).stdout
        assert printed.strip() == (folder / f"comparison.{name}").read_text().strip()
    printed = cli("compare", *runs, "--json").stdout
    assert json.loads(printed) == json.loads((folder / "comparison.json").read_text())


def test_figures_are_those_that_evaluate_and_the_runs_themselves_give(
    cli: Cli, runs: list[str]
) -> None:
    found = json.loads(cli("compare", *runs, "--json").stdout)
    table = list(csv.DictReader(io.StringIO(cli("compare", *runs, "--format", "csv").stdout)))
    for path, group in zip(runs, found["groups"], strict=True):
        record, result = evaluated(cli, path), json.loads(Path(path, "result.json").read_text())
        (run,) = group["runs"]
        figures = run["figures"]
        assert figures["held_out_bits_per_character"] == record["bits_per_character"]
        assert figures["held_out_perplexity"] == record["perplexity"]
        assert figures["parameters"] == result["model"]["parameters"]
        assert figures["training_perplexity"] == result["training"]["perplexity"]
        lines = [json.loads(line) for line in Path(path, "metrics.jsonl").read_text().splitlines()]
        held_out = [line for line in lines if line["kind"] == "held-out"]
        assert [p["bits_per_character"] for p in run["curve"]] == [
            line["bits_per_character"] for line in held_out
        ]
        trained = {line["step"]: line for line in lines if line["kind"] == "train"}
        for point, line in zip(run["curve"], held_out, strict=True):
            if line["step"] in trained:
                assert point["tokens"] == trained[line["step"]]["tokens"]
                assert point["seconds"] == pytest.approx(trained[line["step"]]["seconds"])
        assert [*run["baselines"].values()] == [record["baselines"]["ngram"]["bits_per_character"]]
        own = {row["name"]: float(row["value"]) for row in table
               if (row["kind"], row["run"]) == ("run", group["name"])}  # fmt: skip
        assert own == figures
    gaps = {row["group"]: row for row in table if row["kind"] == "gap"}
    first = found["groups"][0]["runs"][0]["figures"]["held_out_bits_per_character"]
    for gap, group in zip(found["gaps"], found["groups"][1:], strict=True):
        bits = group["runs"][0]["figures"]["held_out_bits_per_character"]
        assert gap["difference"] == pytest.approx(bits - first, abs=1e-9)
        assert float(gaps[gap["name"]]["value"]) == gap["over_text"]["difference"]
        assert float(gaps[gap["name"]]["adjusted_p"]) == gap["over_text"]["adjusted_p"]


def evaluated(cli: Cli, run: str) -> dict:
    done = cli("evaluate", run, "--split", "test", "--context", "carried", "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["evaluations"][0]


def test_one_seed_each_says_nothing_about_settings(cli: Cli, runs: list[str]) -> None:
    lines = cli("compare", *runs[:2]).stdout.splitlines()
    assert lines[-1] == (
        "Each is a single model: the figures compare these models, and say nothing about their "
        "settings, since other seeds may reverse the order; rnnlab experiment new --from tests "
        "that."
    )


def test_runs_of_several_seeds_are_groups_unless_asked_otherwise(
    cli: Cli, seeds: list[str]
) -> None:
    found = json.loads(cli("compare", *seeds, "--json").stdout)
    assert [(g["name"], [r["seed"] for r in g["runs"]]) for g in found["groups"]] == [
        ("lstm", [1, 2, 3]), ("gru", [1, 2, 3])
    ]  # fmt: skip
    backwards = json.loads(cli("compare", *seeds[::-1], "--json").stdout)
    assert [(g["name"], [r["seed"] for r in g["runs"]]) for g in backwards["groups"]] == [
        ("gru", [1, 2, 3]), ("lstm", [1, 2, 3])
    ]  # fmt: skip
    (gap,) = found["gaps"]
    assert gap["over_seeds"]["paired"] == 3
    alone = json.loads(cli("compare", *seeds, "--no-group", "--json").stdout)
    assert [g["name"] for g in alone["groups"]] == [Path(run).name for run in seeds]
    assert len(alone["gaps"]) == 5
    assert all(gap["over_seeds"] is None for gap in alone["gaps"])


def test_the_others_are_compared_with_the_run_that_is_named(cli: Cli, runs: list[str]) -> None:
    done = cli("compare", *runs, "--against", "gru", "--json")
    found = json.loads(done.stdout)
    assert (found["against"], [gap["name"] for gap in found["gaps"]]) == ("gru", ["lstm", "rnn"])
    check(
        cli("compare", *runs, "--against", "gro"),
        2, "unknown run to compare with 'gro'; did you mean 'gru'? (choices: lstm, gru, rnn)",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "a comparison needs two or more runs or model folders, not 0"),
        (["lstm"], "a comparison needs two or more runs or model folders, not 1"),
        (["lstm", "lstm"], "LSTM is given twice; compare it with another run"),
        (["lstm", "nothing"],
         "model 'NOTHING' does not exist; give a run directory or a model folder"),
        (["lstm", "."], "model '.' is not a run directory; give a run directory or a model folder"),
    ],
)  # fmt: skip
def test_what_cannot_be_compared(
    cli: Cli, runs: list[str], tmp_path: Path, names: list[str], message: str
) -> None:
    paths = {"lstm": runs[0], "nothing": str(tmp_path / "nothing"), ".": "."}
    message = message.replace("LSTM", runs[0]).replace("NOTHING", paths["nothing"])
    check(cli("compare", *(paths[name] for name in names), cwd=tmp_path), 2, message)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--json", "--format", "csv"], "give --json or --format csv, not both"),
        (["--output", "README.md"], "--output README.md is a file; give the name of a folder"),
        (["--output", "out", "--figure-format"], "--figure-format needs at least one of png, pdf "
         "and svg"),
        (["--x", "steps"], "invalid choice 'steps' for argument '--x'"),
        (["--corpus", "nowhere.txt"], "nowhere.txt"),
    ],
)  # fmt: skip
def test_flags_that_make_no_sense(
    cli: Cli, runs: list[str], flags: list[str], message: str
) -> None:
    done = cli("compare", *runs[:2], *flags)
    assert done.returncode in (1, 2)
    assert message in said(done)
    assert "Traceback" not in done.stderr


def test_a_run_that_has_not_ended_and_one_without_metrics(
    cli: Cli, runs: list[str], tmp_path: Path
) -> None:
    run = tmp_path / "going"
    shutil.copytree(runs[1], run)
    (run / "result.json").unlink()
    done = cli("compare", runs[0], str(run))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == (
        "Note: going: the run has not ended; these are its weights so far"
    )
    training = next(line for line in done.stdout.splitlines() if "tokens trained on" in line)
    assert len(training.split()) == 5
    assert training.split()[-1] == training.split()[-2]  # the metrics tell as much
    (run / "metrics.jsonl").unlink()
    done = cli("compare", runs[0], str(run))
    assert done.stdout.splitlines()[-1] == (
        "Note: going has no curve: it has no metrics.jsonl, or nothing is in it"
    )


def test_a_run_that_diverged(cli: Cli, runs: list[str], tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(runs[1], run)
    result = json.loads((run / "result.json").read_text())
    result["training"]["stopped_by"] = "divergence"
    (run / "result.json").write_text(json.dumps(result))
    steps = result["training"]["steps"]
    lines = cli("compare", runs[0], str(run)).stdout.splitlines()
    assert lines[-1] == (
        f"Note: run diverged at step {steps:,}; it is measured with the weights kept before"
    )


def test_a_run_that_diverged_before_it_had_weights(
    cli: Cli, runs: list[str], text_file: Path, tmp_path: Path
) -> None:
    run = str(tmp_path / "run")
    explodes = ["--cell", "rnn-relu", "--optimizer", "sgd", "--clip-norm", "0"]
    flags = [*SMALL, *explodes, "--learning-rate", "1e9", "--run-dir", run]
    assert cli("train", "--corpus", str(text_file), *flags).returncode == 1
    check(
        cli("compare", runs[0], run),
        2, "run diverged before it had saved weights; leave it out",
    )  # fmt: skip


def test_a_text_that_stands_in_a_training_text_is_told(
    cli: Cli, runs: list[str], text_file: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.txt"
    copy.write_text(text_file.read_text()[:4_000])
    lines = cli("compare", *runs[:2], "--text", str(copy)).stdout.splitlines()
    told = [line for line in lines if line.startswith("Note: ")]
    assert [line.partition(":")[2].partition(":")[0] for line in told] == [
        " copy.txt, read by lstm", " copy.txt, read by gru"
    ]  # fmt: skip
    assert "much of it stands in the model's training text" in told[0]


def test_a_model_folder(cli: Cli, runs: list[str], tmp_path: Path) -> None:
    rnnlab.load(runs[1]).save(tmp_path / "model")
    done = cli("compare", runs[0], str(tmp_path / "model"), "--output", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[-1] == (
        "Note: model is a model folder: it has no figures of training and no curve"
    )
    assert next(line for line in lines if line.startswith("training perplexity")).endswith(" –")
    assert (tmp_path / "out" / "curves.pdf").is_file()  # of the run alone
    check(
        cli("experiment", "new", "--from", runs[0], str(tmp_path / "model"), "--output", "new",
            cwd=tmp_path),
        2, "model is a model folder, which does not say how it was trained; give its run directory",
    )  # fmt: skip


def test_other_texts_are_not_compared_but_one_text_for_all_is(
    cli: Cli, train: Train, runs: list[str], tmp_path: Path
) -> None:
    text = tmp_path / "more.txt"
    text.write_text(made_up_text(500, seed=5))
    run = str(train("other", corpus=text))
    done = cli("compare", runs[0], run)
    assert done.returncode == 0, done.stderr
    differs, figures, words = done.stdout.split("\n\n")  # no text that figures are of
    assert "pets.txt, test split" in differs
    assert "bits/character" not in figures
    assert (
        "The models were measured on different texts, so figures of held-out text are left out"
        in words
    )
    assert "Learning curves are left out" in words
    one = tmp_path / "one.txt"
    one.write_text(made_up_text(100, seed=6))
    found = json.loads(cli("compare", runs[0], run, "--text", str(one), "--json").stdout)
    assert found["text"] == "one.txt"
    assert found["gaps"][0]["over_text"] is not None
    # Their validation texts are different all the same.
    assert any(note.startswith("Learning curves are left out") for note in found["notes"])
    assert not [row for row in found["figures"] if "validation" in row["name"]]
    text.unlink()  # now it is not known, and taken for different
    found = json.loads(cli("compare", runs[0], run, "--text", str(one), "--json").stdout)
    assert any(note.startswith("Learning curves are left out") for note in found["notes"])


def test_models_of_characters_and_of_words_are_compared_per_character(
    cli: Cli, train: Train, runs: list[str]
) -> None:
    words = str(train("words", "--tokenizer", "word"))
    found = json.loads(cli("compare", runs[0], words, "--json").stdout)
    shown = {figure["name"] for figure in found["figures"]}
    assert "held_out_bits_per_character" in shown
    assert not shown & {"training_perplexity", "held_out_perplexity"}
    assert "Figures per token are left out: the models have different tokens." in found["notes"]
    bits = [evaluated(cli, run)["bits_per_character"] for run in (words, runs[0])]
    ours = bits[0] - bits[1]
    assert found["gaps"][0]["difference"] == pytest.approx(ours, abs=1e-9)


def test_nothing_held_out(cli: Cli, train: Train, runs: list[str]) -> None:
    run = str(train("all", "--split", "1", "0", "0"))
    done = cli("compare", runs[0], run)
    assert (
        "Nothing was held out from all: figures of held-out text are left out; rnnlab compare ... "
        "--text FILE measures all on one text."
    ) in done.stdout


def test_samples_with_labels(cli: Cli, train: Train, tmp_path: Path) -> None:
    table = tmp_path / "pets.csv"
    lines = [line for line in made_up_text(300).splitlines() if line]
    rows = (f"{line},{'cat' if 'cat' in line else 'other'}" for line in lines)
    table.write_text("\n".join(["text,label", *rows]) + "\n")
    flags = ["--unit", "lines", "--column", "text", "--label-column", "label"]
    made = [str(train(f"labelled-{c}", "--cell", c, *flags, corpus=table)) for c in ("gru", "rnn")]
    done = cli("compare", *made)
    assert done.returncode == 0, done.stderr
    assert (
        "Note: labelled-gru: its samples have labels, which count as text here; rnnlab classify "
        "says how well it tells them"
    ) in done.stdout


@pytest.mark.usefixtures("quick_workers")
def test_an_experiment_from_runs_can_be_run_at_once(
    cli: Cli, seeds: list[str], tmp_path: Path
) -> None:
    done = cli("experiment", "new", "--from", *seeds, "--output", str(tmp_path / "again"))
    assert done.returncode == 0, done.stderr
    assert f"rnnlab experiment {tmp_path / 'again'} --quick" in done.stdout
    file = tmp_path / "again" / "experiment.toml"
    content = tomllib.loads(file.read_text())
    assert content["seeds"] == [0, 4, 5, 6, 7, 8]
    assert [each["change"] for each in content["variant"]] == [{}, {"cell": "gru"}]
    assert (content["base"]["hidden_size"], content["base"]["num_epochs"]) == (12, 1)
    done = cli("experiment", str(file), "--quick", "--quiet")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "again" / "quick" / "report.md").is_file()
    check(
        cli("experiment", "new", "--from", *seeds, "--output", str(tmp_path / "again")),
        2, f"{file} exists; choose another folder, or delete it first",
    )  # fmt: skip
    check(
        cli("experiment", "new", "--from", *seeds[:2], "--output", str(tmp_path / "seeds")),
        2, "nothing differs between lstm that decides the result; an experiment compares settings",
    )  # fmt: skip
    assert not (tmp_path / "seeds").exists()


def test_help_of_both_commands(cli: Cli) -> None:
    overview = cli("--help").stdout.splitlines()
    assert any(line.startswith("  experiment      Train variants") for line in overview)
    assert any(line.startswith("  experiment new  Write an experiment file") for line in overview)
    done = cli("experiment", "new", "--help")
    assert done.returncode == 0
    assert "--from" in done.stdout


def test_the_library_function_shows_itself_in_a_notebook(runs: list[str], tmp_path: Path) -> None:
    found = rnnlab.compare(*runs, x="seconds")
    page = found._repr_html_()
    assert page.count("<th>") == 4
    assert "<svg" in page
    assert "training [s]" in repr(found)
    with pytest.raises(UsageError, match=r"unknown x 'steps' \(choices: tokens, seconds, epochs\)"):
        rnnlab.compare(*runs, x="steps")
    with pytest.raises(UsageError, match="unknown figure format 'gif'"):
        found.save(tmp_path, "gif")


PAGE = (Path(__file__).parents[1] / "docs" / "how-to" / "write-up.md").read_text(encoding="utf-8")


def test_the_page_names_flags_files_and_columns_that_there_are(cli: Cli) -> None:
    known = cli("compare", "--help").stdout + cli("experiment", "new", "--help").stdout
    train = cli("train", "--help").stdout
    flags = {flag.rstrip(".") for flag in re.findall(r"--[a-z][-a-z]*", PAGE)} - {"--quick"}
    assert not {flag for flag in flags if flag not in known and flag not in train}
    assert set(re.findall(r"`(comparison\.\w+)`", PAGE)) == set(FILES)
    row = next(line for line in PAGE.splitlines() if "`comparison.csv`" in line)
    assert re.findall(r"`(\w+)`", row) == list(COLUMNS)
